/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory worker. Claim: memory written is memory read, at a set rate of dirty pages a second, for as long as asked.
 *
 *   pages=N   working set (default 512); rate=N pages dirtied a second (default 1000); seconds=N (default 2);
 *   interval=N milliseconds asleep between rounds (default 5)
 *
 * With a XenStore it can be saved, restored and migrated (control/shutdown = "suspend"); it prints "resumed" then.
 *
 * Each page holds its number, the count of its writes, and a sum over both; a round over all pages checks them, so
 * a migration that loses a write is seen within one round.
 */
#include "control.h"
#include "fpu.h"
#include "suspend.h"

struct record {
    uint64_t number, writes, sum;
};

static struct record **set;
static uint64_t pages;

static uint64_t sum_of(const struct record *r)
{
    return (r->number * 0x9e3779b97f4a7c15UL) ^ (r->writes * 0xff51afd7ed558ccdUL);
}

static unsigned resumes;
static bool reboots;

/* True when it is time to end. */
static bool obey_toolstack(void)
{
    enum control request = control_poll();

    reboots = request == CONTROL_REBOOT;
    if (request != CONTROL_SUSPEND)
        return request != CONTROL_NONE;
    uint64_t before = time_now();
    fpu_fill(resumes + 7);
    int rc = guest_suspend();
    /* A cancelled one goes through setvcpucontext, which carries x87 and SSE only: Xen loses the rest. */
    const char *changed = rc == 0 || !on_xen() ? fpu_check(resumes + 7) : NULL;
    CHECK(changed == NULL, "%s is not what it was before the suspend", changed);
    printf("resumed: %d (%u)\n", rc, ++resumes);
    CHECK(rc >= 0, "suspend: %d", rc);
    CHECK(time_now() >= before, "time went back from %lu to %lu", before, time_now());
    return false;
}

void guest_test(void)
{
    uint64_t rate = cmdline_number("rate", 1000), seed = 5, written = 0;

    item("worker");
    mm_extend(start_info->nr_pages);
    pages = cmdline_number("pages", 512);
    if (pages > page_free_count() / 2)
        pages = page_free_count() / 2;
    set = mem_alloc(pages * sizeof(*set));
    uint64_t *expect = mem_alloc(pages * sizeof(*expect));
    if (set == NULL || expect == NULL) {
        item_fail("no memory for a list of %lu pages", pages);
        return;
    }
    for (uint64_t i = 0; i < pages; i++) {
        set[i] = page_alloc();
        set[i]->number = i;
        set[i]->sum = sum_of(set[i]);
    }
    uint64_t start = time_now(), end = start + cmdline_number("seconds", 2) * SECOND;
    while (time_now() < end && !obey_toolstack()) {
        uint64_t due = (time_now() - start) * rate / SECOND;
        for (; written < due; written++) {
            uint64_t i = random_next(&seed) % pages;

            expect[i]++;
            set[i]->writes++;
            set[i]->sum = sum_of(set[i]);
        }
        for (uint64_t i = 0; i < pages; i++)
            if (set[i]->number != i || set[i]->writes != expect[i] || set[i]->sum != sum_of(set[i])) {
                item_fail("page %lu: number %lu, %lu writes, want %lu", i, set[i]->number, set[i]->writes, expect[i]);
                return;
            }
        time_block_until(time_now() + cmdline_number("interval", 5) * MS);
    }
    printf("worker: %lu pages, %lu writes in %lu ms\n", pages, written, (time_now() - start) / MS);
    CHECK(written > 0, "nothing was written");
    if (reboots)
        guest_shutdown(SHUTDOWN_reboot);
}
