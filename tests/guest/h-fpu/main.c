/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H92: floating-point and vector registers are a vCPU's own. A vCPU that starts finds the initial state, whoever ran
 * there before; two vCPUs with different patterns, and whoever else runs on the same CPUs, never see each other's.
 *
 *   loops=N   how often to look (default 400)
 */
#include "fpu.h"

static const char *fresh[2];
static volatile bool done;
static const char *volatile strange;

static uint64_t seed_of(unsigned vcpu)
{
    return cmdline_number("seed", 1) * 1000 + own_domid() * 10 + vcpu;
}

static const char *keep_pattern(uint64_t seed, uint64_t loops)
{
    const char *what = NULL;

    fpu_fill(seed);
    for (uint64_t i = 0; what == NULL && i < loops; i++) {
        /* Give the CPU away by turns: to any domain, or to nobody for a while. */
        if (i % 4 == 0)
            time_block_until(time_now() + MS);
        else
            hc_sched_op(SCHEDOP_yield, NULL);
        what = fpu_check(seed);
    }
    return what;
}

static void second(void *arg)
{
    (void)arg;
    fresh[1] = fpu_is_initial();
    strange = keep_pattern(seed_of(1), cmdline_number("loops", 400));
    done = true;
}

void guest_test(void)
{
    item("H92");
    /* By number before the second vCPU asks for it too. */
    own_domid();
    if (!is_initial_domain()) {
        fresh[0] = fpu_is_initial();
        CHECK(fresh[0] == NULL, "the first vCPU starts with another's %s", fresh[0]);
    }
    bool two = smp_vcpu_count() > 1 && smp_start(1, second, NULL) == 0;
    const char *mine = keep_pattern(seed_of(0), cmdline_number("loops", 400));
    CHECK(mine == NULL, "vCPU 0 found another's %s", mine);
    if (two) {
        CHECK(wait_for(done, 30 * SECOND), "vCPU 1 does not end");
        CHECK(fresh[1] == NULL, "the second vCPU starts with another's %s", fresh[1]);
        CHECK(strange == NULL, "vCPU 1 found another's %s", strange);
    }
    printf("%u bytes of state\n", fpu_size());
}
