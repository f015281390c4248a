/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The victim: counts where its observer can see it (start_info page, offset 2048) and checks its own memory
 * all the while. It is harmed if the counter stops. By itself it only shows that it can count.
 */
#include "harness.h"

#define PATTERN_PAGES 64

static uint64_t *pages[PATTERN_PAGES];

static bool memory_is_whole(uint64_t round)
{
    for (unsigned i = 0; i < PATTERN_PAGES; i++)
        for (unsigned k = 0; k < 512; k++) {
            if (pages[i][k] != (round ^ (i * 512 + k)))
                return false;
            pages[i][k] = (round + 1) ^ (i * 512 + k);
        }
    return true;
}

void guest_test(void)
{
    volatile uint64_t *counter = (volatile uint64_t *)((uintptr_t)start_info + 2048);

    item("counts");
    for (unsigned i = 0; i < PATTERN_PAGES; i++) {
        pages[i] = page_alloc();
        for (unsigned k = 0; k < 512; k++)
            pages[i][k] = i * 512 + k;
    }
    for (uint64_t round = 0; is_initial_domain() ? round < 100 : true; round++) {
        if (!memory_is_whole(round)) {
            item_fail("memory changed in round %lu", round);
            return;
        }
        (*counter)++;
        if (!is_initial_domain())
            time_block_until(time_now() + 5 * MS);
    }
}
