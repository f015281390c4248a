/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib_test.c - printf, parsing, range sets against a bitmap, locks and their order */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bitmap.h"
#include "boot_fake.h"
#include "hv_errno.h"
#include "lib/lib.h"
#include "lock.h"
#include "machine_fake.h"
#include "print.h"
#include "../unit.h"

/* Our formatter and libc's agree on everything that print.h allows. */
#define SAME(...)                                                     \
    do {                                                              \
        char ours[128], libc[128];                                    \
        const int a = hv_snprintf(ours, sizeof(ours), __VA_ARGS__);   \
        const int b = snprintf(libc, sizeof(libc), __VA_ARGS__);      \
        CU_ASSERT_EQUAL(a, b);                                        \
        CU_ASSERT_STRING_EQUAL(ours, libc);                           \
    } while (0)

static void test_printf(void)
{
    SAME("%d %d %d", 0, -1, (-__INT_MAX__ - 1));
    SAME("[%5d|%-5d|%05d]", 42, 42, -42);
    SAME("%u %x %X %lx %lu", ~0u, 0xbeefu, 0xbeefu, ~0UL, ~0UL);
    SAME("%016lx %08x %#x", 0x1234UL, 0x1234u, 0x1234u);
    SAME("%s|%10s|%-10s|%.3s|%c|%%", "abc", "abc", "abc", "abcdef", 'z');
    SAME("%*d|%.*s", 6, 7, 2, "xyz");
    char small[4];
    CU_ASSERT_EQUAL(hv_snprintf(small, sizeof(small), "%s", "abcdef"), 6);
    CU_ASSERT_STRING_EQUAL(small, "abc");
    CU_ASSERT_EQUAL(hv_snprintf(NULL, 0, "%d", 12345), 5);
}

static void test_parse(void)
{
    const char *end;
    CU_ASSERT_EQUAL(parse_u64("123abc", &end), 123);
    CU_ASSERT_STRING_EQUAL(end, "abc");
    CU_ASSERT_EQUAL(parse_u64("0xFFz", &end), 255);
    CU_ASSERT_EQUAL(*end, 'z');
    CU_ASSERT_EQUAL(parse_u64("99999999999999999999999", NULL), ~0UL);
    CU_ASSERT_EQUAL(parse_u64("", &end), 0);
    CU_ASSERT_EQUAL(parse_size("512M", NULL, 10), 512UL << 20);
    CU_ASSERT_EQUAL(parse_size("7", NULL, 10), 7UL << 10);
    CU_ASSERT_EQUAL(parse_size("2g,x", &end, 10), 2UL << 30);
    CU_ASSERT_STRING_EQUAL(end, ",x");
    CU_ASSERT_EQUAL(parse_size("99999999T", NULL, 0), ~0UL);
    char b[4];
    CU_ASSERT_FALSE(str_copy(b, sizeof(b), "abcd"));
    CU_ASSERT_STRING_EQUAL(b, "abc");
    CU_ASSERT_TRUE(str_copy(b, sizeof(b), "abc"));
}

static void test_cmdline(void)
{
    str_copy(boot_info.cmdline, sizeof(boot_info.cmdline),
             "  watchdog erms=no\tno-smep n=12 hex=0x10 bad=12z word= erms2=yes n=13 smap no-smap no-pku pku=on  ");
    CU_ASSERT_STRING_EQUAL(cmdline_get("watchdog"), "");
    CU_ASSERT_STRING_EQUAL(cmdline_get("erms"), "no");
    CU_ASSERT_STRING_EQUAL(cmdline_get("word"), "");
    CU_ASSERT_PTR_NULL(cmdline_get("erm"));
    CU_ASSERT_PTR_NULL(cmdline_get("rms"));
    CU_ASSERT_EQUAL(cmdline_uint("n", 0), 13);          /* the last one counts */
    CU_ASSERT_EQUAL(cmdline_uint("hex", 0), 16);
    CU_ASSERT_EQUAL(cmdline_uint("bad", 7), 7);
    CU_ASSERT_EQUAL(cmdline_uint("word", 7), 7);
    CU_ASSERT_EQUAL(cmdline_uint("absent", 7), 7);
    CU_ASSERT_TRUE(cmdline_bool("watchdog", false));
    CU_ASSERT_FALSE(cmdline_bool("erms", true));
    CU_ASSERT_TRUE(cmdline_bool("erms2", false));
    CU_ASSERT_FALSE(cmdline_bool("smep", true));
    CU_ASSERT_FALSE(cmdline_bool("smap", true));
    CU_ASSERT_TRUE(cmdline_bool("pku", false));
    CU_ASSERT_TRUE(cmdline_bool("absent", true));
    CU_ASSERT_FALSE(cmdline_bool("absent", false));

    /* A value that is too long is cut, not spilled. */
    memset(boot_info.cmdline, 'x', 1000);
    memcpy(boot_info.cmdline, "v=", 2);
    boot_info.cmdline[1000] = '\0';
    CU_ASSERT_EQUAL(strlen(cmdline_get("v")), 255);
    boot_info.cmdline[0] = '\0';
    CU_ASSERT_PTR_NULL(cmdline_get("v"));
}

#define UNIVERSE 128u
static void test_rangeset(void)
{
    struct rangeset *r = rangeset_create();
    bool model[UNIVERSE] = { 0 };
    srandom(1);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned a = (unsigned)random() % UNIVERSE, b = (unsigned)random() % UNIVERSE;
        if (a > b) {
            const unsigned t = a;
            a = b;
            b = t;
        }
        const bool add = random() & 1;
        CU_ASSERT_EQUAL_FATAL(add ? rangeset_add(r, a, b) : rangeset_remove(r, a, b), 0);
        for (unsigned i = a; i <= b; i++)
            model[i] = add;
        const unsigned c = (unsigned)random() % UNIVERSE, d = c + (unsigned)random() % (UNIVERSE - c);
        bool all = true, any = false;
        for (unsigned i = c; i <= d; i++) {
            all = all && model[i];
            any = any || model[i];
        }
        CU_ASSERT_EQUAL_FATAL(rangeset_contains(r, c, d), all);
        CU_ASSERT_EQUAL_FATAL(rangeset_overlaps(r, c, d), any);
    }
    CU_ASSERT_EQUAL(rangeset_add(r, 0, ~0UL), 0);
    CU_ASSERT_TRUE(rangeset_contains(r, ~0UL, ~0UL));
    CU_ASSERT_FALSE(rangeset_contains(r, 5, 4));
    CU_ASSERT_EQUAL(rangeset_remove(r, 0, ~0UL), 0);
    CU_ASSERT_TRUE(rangeset_empty(r));
    rangeset_destroy(r);
}

static void test_bitmap(void)
{
    uint64_t map[3] = { 0 };
    CU_ASSERT_EQUAL(bitmap_next_set(map, 130, 0), 130);
    CU_ASSERT_EQUAL(bitmap_next_set(map, 130, 130), 130);
    bitmap_set(map, 129);
    CU_ASSERT_EQUAL(bitmap_next_set(map, 130, 3), 129);
    CU_ASSERT_EQUAL(bitmap_next_set(map, 129, 3), 129);
    CU_ASSERT_FALSE(bitmap_atomic_set(map, 64));
    CU_ASSERT_TRUE(bitmap_atomic_set(map, 64));
    CU_ASSERT_TRUE(bitmap_atomic_clear(map, 64));
    CU_ASSERT_EQUAL(bitmap_next_clear(map, 130, 129), 130);
    unsigned seen = 0;
    cpumask_for_each(cpu, ((cpumask_t){ 1UL << 63 | 5 }))
        seen += (unsigned)cpu;
    CU_ASSERT_EQUAL(seen, 65);
}

static spinlock_t shared = SPINLOCK_INIT(HEAP);
static unsigned long counter;

static void *contend(void *arg)
{
    fake_cpu = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < 50000; i++) {
        spin_lock(&shared);
        counter++;
        spin_unlock(&shared);
    }
    return NULL;
}

static void test_lock_excludes(void)
{
    pthread_t t[3];
    for (uintptr_t i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, contend, (void *)(i + 1));
    for (unsigned i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    CU_ASSERT_EQUAL(counter, 150000);
    CU_ASSERT_FALSE(spin_is_held(&shared));
    CU_ASSERT_TRUE_FATAL(spin_trylock(&shared));
    CU_ASSERT_TRUE(spin_is_held(&shared));
    spin_unlock(&shared);
}

static void test_lock_pairs(void)
{
    spinlock_t a = SPINLOCK_INIT(GRANT), b = SPINLOCK_INIT(GRANT);
    spin_lock_pair(&a, 1, &b, 2);
    CU_ASSERT_TRUE(spin_is_held(&a) && spin_is_held(&b));
    spin_unlock_pair(&a, &b);
    spin_lock_pair(&b, 2, &a, 1);
    spin_unlock_pair(&b, &a);
    spin_lock_pair(&a, 1, &a, 1);               /* a domain may map its own grant */
    spin_unlock_pair(&a, &a);
    CU_ASSERT_FALSE(spin_is_held(&a));
}

static void in_order(void)
{
    spinlock_t outer = SPINLOCK_INIT(WALLCLOCK), inner = SPINLOCK_INIT(FIFO);
    const unsigned long flags = (spin_lock(&outer), spin_lock_irq(&inner));
    spin_unlock_irq(&inner, flags);
    spin_unlock(&outer);
}

static void in_wrong_order(void)
{
    spinlock_t outer = SPINLOCK_INIT(HEAP), inner = SPINLOCK_INIT(PAGE);
    spin_lock(&outer);
    spin_lock(&inner);
}

/* An interrupt would come in here, and its handler take a lock that is further out. */
static void with_interrupts_on(void)
{
    spinlock_t l = SPINLOCK_INIT(FIFO);
    spin_lock(&l);
}

static bool lives_through(void (*locks)(void))
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        locks();
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    return status == 0;
}

static void test_lock_order(void)
{
    CU_ASSERT_TRUE(lives_through(in_order));
    CU_ASSERT_FALSE(lives_through(in_wrong_order));
    CU_ASSERT_FALSE(lives_through(with_interrupts_on));
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_printf), UNIT(test_parse), UNIT(test_cmdline), UNIT(test_rangeset), UNIT(test_bitmap), UNIT(test_lock_excludes),
        UNIT(test_lock_pairs), UNIT(test_lock_order), { 0 },
    };
    fake_machine_init(64);
    return unit_main("lib", cases);
}
