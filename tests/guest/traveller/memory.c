/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory. Step n writes n to page n mod P, at three places; what it finds there must be n - P: a page that was lost, sent
 * too early or mixed up shows at once, no second copy of the truth being needed. Cold pages are written once and read for ever.
 */
#include "traveller.h"

#define WORDS (PAGE_SIZE / 8)
#define BURST 256U                      /* steps between two looks at what else there is to do */

struct region {
    uint64_t **page;
    uint64_t pages;
};
static struct region hot, cold;

static void put(uint64_t *p, uint64_t n)
{
    p[0] = n;
    p[WORDS / 2] = ~n;
    p[WORDS - 1] = n;
}

static void check(const char *what, uint64_t i, const uint64_t *p, uint64_t want)
{
    if (p[0] != want || p[WORDS / 2] != ~want || p[WORDS - 1] != want)
        bad("%s page %lu holds %lx %lx %lx instead of %lx", what, i, p[0], ~p[WORDS / 2], p[WORDS - 1], want);
}

static bool region_init(struct region *r, uint64_t mib)
{
    r->pages = mib << 20 >> PAGE_SHIFT;
    r->page = mem_alloc(r->pages * sizeof(*r->page));
    for (uint64_t i = 0; r->page != NULL && i < r->pages; i++) {
        r->page[i] = page_alloc();
        if (r->page[i] == NULL)
            return false;
        put(r->page[i], i);
    }
    return r->page != NULL;
}

bool memory_init(uint64_t mib, uint64_t cold_mib)
{
    return region_init(&hot, mib) && (cold_mib == 0 || region_init(&cold, cold_mib));
}

static void step(void)
{
    static uint64_t looked;
    uint64_t n = hot.pages + traveller.steps, i = n % hot.pages;

    check("hot", i, hot.page[i], n - hot.pages);
    put(hot.page[i], n);
    traveller.steps++;
    if (cold.pages > 0 && n % 8 == 0) {
        check("cold", looked % cold.pages, cold.page[looked % cold.pages], looked % cold.pages);
        looked++;
    }
}

void memory_work(void *arg)
{
    uint64_t due = time_now();

    (void)arg;
    while (!traveller.stop) {
        const uint64_t rate = traveller.rate, now = time_now();

        if (rate == 0 || now > due + SECOND / 4)        /* was stopped: no catching up */
            due = now;
        for (unsigned k = 0; rate > 0 && k < BURST && due <= now; k++) {
            step();
            due += SECOND / rate;
        }
        rest(5 * MS);
    }
}
