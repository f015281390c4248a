/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H57, H58, H69, H92, H103, H104 and density. Each scenario leaves the machine's memory as it found it, or fails. */
#include "scenarios.h"
#include "grant.h"

#define FIRST_REF 100
#define OTHER_PAGES 1024
#define REFS 64

static struct domain other;
static struct image image;

static volatile uint64_t *word(struct domain *d, unsigned index)
{
    return (volatile uint64_t *)((uintptr_t)d->start_info + 2048) + index;
}

static bool start_other(const char *file, unsigned vcpus, const char *cmdline)
{
    if (!archive_find(file, &image))
        return false;
    int rc = domain_create(&other, file, image, OTHER_PAGES, vcpus, cmdline);
    return rc == 0 && domain_unpause(&other) == 0;
}

static bool memory_is_back(uint64_t before)
{
    return wait_for(machine_free_pages() + EITHER(0UL, 8UL) >= before, 10 * SECOND);
}

/* Kill it and do not wait: what we hold of it keeps it from going. */
static long destroy_only(void)
{
    struct xen_domctl op = { 0 };

    evtchn_close(other.console_port);
    foreign_unmap((uintptr_t)other.console);
    foreign_unmap((uintptr_t)other.start_info);
    other.console = NULL;
    other.start_info = NULL;
    other.console_port = 0;
    return domctl(&op, XEN_DOMCTL_destroydomain, other.id);
}

/* The first time only lets the hypervisor set up what it keeps for the initial domain (a table of mappings). */
static void granter_dies(bool judged)
{
    uint64_t before = machine_free_pages(), va = mm_reserve_va(1);
    struct gnttab_map_grant_ref m = { .host_addr = va, .flags = GNTMAP_host_map, .ref = FIRST_REF + 3 };
    struct gnttab_unmap_grant_ref u = { .host_addr = va };
    bool whole = true;

    if (!start_other("peer.elf", 1, "granter") || !wait_for(*word(&other, 1) == 16, 5 * SECOND)) {
        verdict("H57", 0, false, "no granter");
        return;
    }
    m.dom = other.id;
    mm_map(va, 0, 0);
    hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1);
    long rc = m.status == GNTST_okay ? destroy_only() : m.status;
    if (rc != 0) {
        verdict("H57", 0, false, "map or destroy: %ld", rc);
        return;
    }
    time_block_until(time_now() + 50 * MS);
    /* Others come and go meanwhile: the frame must not be theirs. */
    struct domain dead = other;
    other.mfns = NULL;
    bool started = start_other("victim.elf", 1, "");
    time_block_until(time_now() + 50 * MS);
    for (unsigned k = 0; k < 512; k++)
        whole = whole && ((volatile uint64_t *)va)[k] == 0xabcd0000UL + 3 * 512 + k;
    int gone = started ? domain_destroy(&other) : -1;
    u.handle = m.handle;
    hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1);
    bool dead_gone = wait_for(domain_flags(&dead) < 0, 10 * SECOND);
    if (judged)
        verdict("H57", 0, whole && gone == 0 && u.status == GNTST_okay && dead_gone && memory_is_back(before),
                "frame whole %d, unmap %d, granter gone %d, %ld pages lost", whole, u.status, dead_gone,
                (long)(before - machine_free_pages()));
}

static void mapper_dies(void)
{
    static uint64_t *pages[REFS];
    const unsigned each = (unsigned)effort(16, 64);
    uint64_t before;
    unsigned in_use = 0, mapped = 0;
    char cmdline[64];

    if (!grant_init())
        return;
    for (unsigned i = 0; i < REFS; i++)
        if (pages[i] == NULL)
            pages[i] = page_alloc();
    before = machine_free_pages();
    snprintf(cmdline, sizeof(cmdline), "mapper refs=%u each=%u", REFS, each);
    if (!archive_find("peer.elf", &image) ||
        domain_create(&other, "mapper", image, OTHER_PAGES, 1, cmdline) != 0) {
        verdict("H58", 0, false, "no mapper");
        return;
    }
    for (unsigned i = 0; i < REFS; i++)
        grant_access(FIRST_REF + i, other.id, mm_mfn(pages[i]), 0);
    domain_unpause(&other);
    wait_for((mapped = (unsigned)*word(&other, 1)) == REFS * each, 10 * SECOND);
    int rc = domain_destroy(&other);
    for (unsigned i = 0; i < REFS; i++) {
        in_use += (grant_flags(FIRST_REF + i) & (GTF_reading | GTF_writing)) != 0;
        grant_revoke(FIRST_REF + i);
    }
    /* Nobody holds the pages any more: each can become a table. */
    bool free = mm_protect(pages[0]) == 0 && mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(pages[0])) == 0 &&
                mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(pages[0])) == 0 && mm_unprotect(pages[0]) == 0;
    verdict("H58", 0, rc == 0 && mapped >= REFS && in_use == 0 && free && memory_is_back(before),
            "%u mappings, destroy %d, %u references in use, page free %d", mapped, rc, in_use, free);
}

static void random_destruction(void)
{
    static const char *const files[] = { "h-races.elf", "fuzz.elf", "h-grants.elf", "h-page-tables.elf", "smp.elf" };
    uint64_t before = machine_free_pages(), seed = cmdline_number("seed", 1) * 77 + 1;
    unsigned rounds = (unsigned)cmdline_number("destroy", effort(20, 1000)), made = 0;

    for (unsigned i = 0; i < rounds; i++) {
        if (!start_other(files[i % ARRAY_SIZE(files)], 2, "nostore hv=any seed=3"))
            continue;
        made++;
        uint64_t until = time_now() + random_next(&seed) % (150 * MS);
        while (time_now() < until)
            domain_console_line(&other);
        int rc = domain_destroy(&other);
        if (rc != 0) {
            verdict("H103", 0, false, "round %u: destroy %d", i, rc);
            return;
        }
    }
    bool back = memory_is_back(before);
    verdict("H103", 0, back && made > 0, "%u destroyed at random, memory back %d", made, back);
}

/*
 * Two domains of @role beside the victim and us for a second of our time. The victim wakes every 5 ms: of some 200
 * turns it must have had some, however busy the host is; how late our own timer was is only told.
 */
static void crowd(const char *name, const char *role)
{
    uint64_t before = machine_free_pages(), count, work, start, late = 0;
    static struct domain rude[2];
    bool made = archive_find("peer.elf", &image);

    for (unsigned i = 0; made && i < 2; i++)
        made = domain_create(&rude[i], role, image, OTHER_PAGES, 2, role) == 0 && domain_unpause(&rude[i]) == 0;
    time_block_until(time_now() + 200 * MS);
    count = victim_count();
    start = time_now();
    work = made ? *word(&rude[0], 1) + *word(&rude[1], 1) : 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t target = time_now() + 10 * MS;

        while (time_now() < target)
            time_block_until(target);
        if (time_now() - target > late)
            late = time_now() - target;
    }
    count = victim_count() - count;
    work = made ? *word(&rude[0], 1) + *word(&rude[1], 1) - work : 0;
    uint64_t took = time_now() - start;
    bool both = made && *word(&rude[0], 1) > 0 && *word(&rude[1], 1) > 0;
    for (unsigned i = 0; i < 2; i++)
        domain_destroy(&rude[i]);
    verdict(name, 0, both && count >= 20 && memory_is_back(before),
            "both run %d, %lu times a second; the victim had %lu turns, our timer was at most %lu us late", both,
            work * SECOND / (took + 1), count, late / 1000);
}

/* H92: two domains with patterns of their own in every register take turns on the same CPUs until both are content. */
static void registers_in_a_crowd(void)
{
    uint64_t before = machine_free_pages(), give_up = time_now() + 60 * SECOND;
    static struct domain pair[2];
    bool good[2] = { false, false }, made = archive_find("h-fpu.elf", &image);
    const char *line;

    for (unsigned i = 0; made && i < 2; i++)
        made = domain_create(&pair[i], "h-fpu", image, OTHER_PAGES, 2, "nostore") == 0;
    for (unsigned i = 0; made && i < 2; i++)
        domain_unpause(&pair[i]);
    for (unsigned ended = 0; made && ended < 2 && time_now() < give_up;) {
        ended = 0;
        for (unsigned i = 0; i < 2; i++) {
            while ((line = domain_console_line(&pair[i])) != NULL) {
                printf("d%u| %s\n", pair[i].id, line);
                good[i] = good[i] || strncmp(line, "guest-test h-fpu: PASS", 22) == 0;
            }
            ended += (domain_flags(&pair[i]) & XEN_DOMINF_shutdown) != 0;
        }
        time_block_until(time_now() + 2 * MS);
    }
    for (unsigned i = 0; i < 2; i++)
        domain_destroy(&pair[i]);
    verdict("H92", 0, good[0] && good[1] && memory_is_back(before), "made %d, content %d %d", made, good[0], good[1]);
}

static void density(void)
{
    static struct domain tiny[16];
    uint64_t before = machine_free_pages(), first = 0, last = 0;
    unsigned n = 0;

    if (!archive_find("peer.elf", &image))
        return;
    for (; n < ARRAY_SIZE(tiny); n++) {
        uint64_t start = time_now();

        tiny[n].mfns = mem_alloc(256 * sizeof(uint64_t));
        /* 1 MiB: what a guest with nothing but a console needs. */
        if (tiny[n].mfns == NULL || domain_create(&tiny[n], "tiny", image, 256, 1, "granter") != 0 ||
            domain_unpause(&tiny[n]) != 0)
            break;
        last = time_now() - start;
        first = first != 0 ? first : last;
    }
    unsigned alive = 0;
    for (unsigned i = 0; i < n; i++)
        alive += wait_for(*word(&tiny[i], 0) > 0, 2 * SECOND);
    for (unsigned i = 0; i < n; i++)
        domain_destroy(&tiny[i]);
    verdict("density", 0, n == ARRAY_SIZE(tiny) && alive == n && memory_is_back(before),
            "%u guests of 1 MiB, %u run, first made in %lu us, last in %lu us", n, alive, first / 1000, last / 1000);
}

void run_scenarios(void)
{
    granter_dies(false);
    granter_dies(true);
    mapper_dies();
    random_destruction();
    crowd("H104", "hog");
    crowd("H69", "flood");
    registers_in_a_crowd();
    density();
}
