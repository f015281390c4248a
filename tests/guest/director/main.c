/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initial domain of a DomU suite: runs every guest of its archive as an unprivileged domain beside a
 * victim, forwards what it prints, and looks after each whether the rest of the machine is unharmed:
 *
 *   the victim's counter goes on, a control call is answered in time, the machine's free memory is what it was.
 *
 * The archive (newc cpio, module 1) holds <name>.elf files. "only=" selects nothing here; a guest that
 * announces "CASES <n>" is run again with only=1..n, each of which must end in a crash of the domain.
 */
#include "scenarios.h"

#define GUEST_PAGES 2048
#define VICTIM_COUNTER 2048             /* offset in the victim's start_info page */
#define PATIENCE effort(90 * SECOND, 3600 * SECOND)

static const uint8_t *archive;
static size_t archive_size;
static struct domain victim, guest;
static unsigned failures, passes;

/* ---- the archive ---- */

static uint64_t hex8(const uint8_t *s)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++)
        v = v * 16 + (uint64_t)(s[i] <= '9' ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
    return v;
}

/* The @n-th member: its name and contents; false behind the last. */
static bool archive_member(unsigned n, char name[64], struct image *image)
{
    size_t at = 0;

    for (;; n--) {
        if (at + 110 > archive_size || memcmp(archive + at, "070701", 6) != 0)
            return false;
        size_t name_len = hex8(archive + at + 94), size = hex8(archive + at + 54);
        size_t data = (at + 110 + name_len + 3) & ~3UL;
        if (data + size > archive_size || name_len > 63)
            return false;
        memcpy(name, archive + at + 110, name_len);
        name[name_len] = '\0';
        if (strcmp(name, "TRAILER!!!") == 0)
            return false;
        *image = (struct image){ archive + data, size };
        if (n == 0)
            return true;
        at = (data + size + 3) & ~3UL;
    }
}

bool archive_find(const char *want, struct image *image)
{
    char name[64];

    for (unsigned i = 0; archive_member(i, name, image); i++)
        if (strcmp(name, want) == 0)
            return true;
    return false;
}

/* The archive is a module: named by va, or by pfn and then not mapped. */
static bool archive_open(void)
{
    unsigned pages = (unsigned)((start_info->mod_len + PAGE_SIZE - 1) / PAGE_SIZE);

    archive_size = start_info->mod_len;
    archive = (const uint8_t *)start_info->mod_start;
    if (archive_size == 0)
        return false;
    if (!(start_info->flags & SIF_MOD_START_PFN))
        return true;
    uint64_t va = mm_reserve_va(pages);
    archive = (const uint8_t *)va;
    for (unsigned i = 0; i < pages; i++)
        if (mm_map(va + i * PAGE_SIZE, mm_pfn_to_mfn(start_info->mod_start + i), PTE_RO) != 0)
            return false;
    return true;
}

/* ---- one guest ---- */

uint64_t victim_count(void)
{
    return *(volatile uint64_t *)((uint8_t *)victim.start_info + VICTIM_COUNTER);
}

void verdict(const char *name, unsigned number, bool good, const char *format, ...)
{
    char why[200], label[64];
    va_list ap;

    va_start(ap, format);
    vsnprintf(why, sizeof(why), format, ap);
    va_end(ap);
    if (number == 0)
        snprintf(label, sizeof(label), "%s", name);
    else
        snprintf(label, sizeof(label), "%s.%u", name, number);
    printf("domu-test %s: %s %s\n", label, good ? "PASS" : "FAIL", why);
    if (good)
        passes++;
    else
        failures++;
}

struct outcome {
    bool has_verdict, good, dies, timeout;
    unsigned cases;
    long flags;
    char why[160];
};

static void take_line(struct outcome *o, const char *name, const char *line)
{
    const char *p;

    printf("d%u| %s\n", guest.id, line);
    if (strncmp(line, "guest-test ", 11) == 0 && (p = strchr(line, ':')) != NULL) {
        o->has_verdict = true;
        o->good = strncmp(p, ": PASS", 6) == 0 || strncmp(p, ": SKIP", 6) == 0;
        snprintf(o->why, sizeof(o->why), "%s", p + 2);
    }
    if (strncmp(line, "DIES ", 5) == 0)
        o->dies = true;
    if (strncmp(line, "CASES ", 6) == 0 && (p = strrchr(line, ' ')) != NULL) {
        p++;
        o->cases = (unsigned)parse_number(&p);
    }
    (void)name;
}

static struct outcome watch(const char *name)
{
    struct outcome o = { 0 };
    uint64_t give_up = time_now() + PATIENCE;
    const char *line;

    for (;;) {
        while ((line = domain_console_line(&guest)) != NULL)
            take_line(&o, name, line);
        o.flags = domain_flags(&guest);
        if (o.flags < 0 || (o.flags & XEN_DOMINF_shutdown)) {
            while ((line = domain_console_line(&guest)) != NULL)
                take_line(&o, name, line);
            return o;
        }
        if (time_now() > give_up) {
            o.timeout = true;
            return o;
        }
        time_block_until(time_now() + 2 * MS);
    }
}

static void judge(const char *name, unsigned number, const struct outcome *o)
{
    unsigned code = (unsigned)(o->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask;

    if (o->timeout)
        verdict(name, number, false, "still running after %lu s", PATIENCE / SECOND);
    else if (o->flags < 0)
        verdict(name, number, false, "domain is gone: %ld", o->flags);
    else if (o->has_verdict)
        verdict(name, number, o->good && code == SHUTDOWN_poweroff, "%s, shutdown code %u", o->why, code);
    else if (o->dies)
        verdict(name, number, code == SHUTDOWN_crash, "shutdown code %u, want a crash", code);
    else
        verdict(name, number, false, "no verdict, shutdown code %u", code);
}

/* What the guest must not have changed. */
static void check_machine(const char *name, unsigned number, uint64_t free_before)
{
    uint64_t count = victim_count(), free = 0, took = ~0UL;

    /* The host may take our CPU away at any moment, but hardly each time. */
    for (unsigned i = 0; i < 5 && took > 100 * MS; i++) {
        uint64_t start = time_now();

        domain_flags(&victim);
        took = time_now() - start;
    }
    if (took > 100 * MS)
        verdict(name, number, false, "a control call took %lu us", took / 1000);
    if (!wait_for(victim_count() != count, 2 * SECOND))
        verdict(name, number, false, "the victim stands still");
    /* Xen's own allocator keeps a page or two around; ours promises none. */
    uint64_t slack = EITHER(0UL, 4UL);
    if (!wait_for((free = machine_free_pages()) + slack >= free_before, 5 * SECOND))
        verdict(name, number, false, "%ld pages are lost", (long)(free_before - free));
}

static unsigned run(const char *name, struct image image, unsigned number)
{
    char cmdline[256];
    uint64_t before = machine_free_pages();

    snprintf(cmdline, sizeof(cmdline), "%s nostore victim=%u victim_mfn=0x%lx seed=%lu only=%u%s",
             cmdline_has("hv=xen") ? "hv=xen" : "hv=paravane", victim.id, victim.mfns[GUEST_PAGES / 4 - 1],
             cmdline_number("seed", 1), number, cmdline_has("long") ? " long" : "");
    int rc = domain_create(&guest, name, image, GUEST_PAGES, 2, cmdline);
    if (rc == 0)
        rc = domain_unpause(&guest);
    if (rc != 0) {
        verdict(name, number, false, "creating the domain: %d", rc);
        return 0;
    }
    struct outcome o = watch(name);
    judge(name, number, &o);
    rc = domain_destroy(&guest);
    if (rc != 0)
        verdict(name, number, false, "destroying the domain: %d", rc);
    check_machine(name, number, before);
    return o.cases;
}

/* The hypervisor may keep memory it needed for the first domain of a kind; let that happen before we count. */
static void warm_up(struct image image)
{
    for (unsigned i = 0; i < 2; i++)
        if (domain_create(&guest, "warm-up", image, GUEST_PAGES, 2, "") == 0) {
            domain_unpause(&guest);
            time_block_until(time_now() + 50 * MS);
            domain_destroy(&guest);
        }
}

void guest_test(void)
{
    struct image image;
    char name[64];

    item("director");
    if (!is_initial_domain() || !archive_open()) {
        item_skip("needs to be the initial domain and an archive of guests as its module");
        return;
    }
    mm_extend(4096);
    if (!archive_find("victim.elf", &image)) {
        item_fail("no victim in the archive");
        return;
    }
    int rc = domain_create(&victim, "victim", image, GUEST_PAGES / 4, 1, "");
    if (rc == 0)
        rc = domain_unpause(&victim);
    CHECK(rc == 0, "creating the victim: %d", rc);
    if (rc != 0)
        return;
    CHECK(wait_for(victim_count() != 0, 5 * SECOND), "the victim does not run");
    warm_up(image);
    uint64_t start = time_now();
    for (unsigned i = 0; archive_member(i, name, &image); i++) {
        char *dot = strrchr(name, '.');

        if (cmdline_has("only-scenarios") || strcmp(name, "victim.elf") == 0 || strcmp(name, "peer.elf") == 0 || dot == NULL)
            continue;
        *dot = '\0';
        unsigned cases = run(name, image, 0);
        for (unsigned n = 1; n <= cases; n++)
            run(name, image, n);
    }
    if (cmdline_has("scenarios"))
        run_scenarios();
    printf("%u guests passed, %u failures, %lu ms\n", passes, failures, (time_now() - start) / MS);
    CHECK(failures == 0, "%u failures", failures);
    CHECK(domain_destroy(&victim) == 0, "the victim cannot be destroyed");
}
