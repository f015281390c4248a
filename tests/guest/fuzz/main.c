/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercall fuzzer. Claim: no sequence of plausible and implausible calls from a guest harms anybody else, and
 * the ones that stay within the guest's own rights leave it running.
 *
 *   seed=N    where to start (printed); calls=N operations per vCPU (default 5000); vcpus=1 for a repeatable run
 *   without=M bit mask of rows of ops[] (tests/fuzz/hypercall/ops.c) to leave out
 *   trace     print each call before it is made: the last line names the one that broke something
 *
 * Left out is only what ends or disables the caller itself: shutdown, block, iret, own traps and callbacks, own
 * stack, its base pointer. As the initial domain the control calls are left out too: they may harm by right.
 */
#include "gen.h"

static struct gen gens[2];
static volatile bool second_done;
static uint64_t calls_wanted;

static void run(struct gen *g)
{
    while (g->calls < calls_wanted)
        gen_step(g);
}

static void second(void *arg)
{
    (void)arg;
    event_save_mask();
    run(&gens[1]);
    second_done = true;
}

static bool skip_stray(struct trap_frame *f)
{
    /* Debug registers we set at random may fire; an NMI may be sent. */
    return f->vector == 1 || f->vector == 2;
}

void guest_test(void)
{
    uint64_t seed = cmdline_number("seed", 1);
    unsigned vcpus = (unsigned)cmdline_number("vcpus", smp_vcpu_count() > 1 ? 2 : 1);

    calls_wanted = cmdline_number("calls", 5000);
    item("fuzz");
    own_domid();
    trap_set_hook(skip_stray);
    if (!grant_init())
        return;
    for (unsigned i = 0; i < vcpus && i < 2; i++)
        gen_init(&gens[i], i, seed);
    for (unsigned i = 0; i < 2; i++) {
        gens[i].tracing = cmdline_has("trace");
        gens[i].left_out = cmdline_number("without", 0);
    }
    printf("seed=%lu calls=%lu vcpus=%u\n", seed, calls_wanted, vcpus);
    if (vcpus > 1)
        RC(smp_start(1, second, NULL), 0);
    uint64_t start = time_now();
    event_save_mask();
    run(&gens[0]);
    if (vcpus > 1)
        CHECK(wait_for(second_done, 20 * SECOND), "vCPU 1 does not end");
    uint64_t took = time_now() - start;
    hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    event_enable();
    uint64_t all = 0;
    for (unsigned nr = 0; nr < 64; nr++) {
        uint64_t done = gens[0].done[nr] + gens[1].done[nr];
        all += done;
        if (done != 0 && (nr == 1 || nr == 14 || nr == 20 || nr == 26 || nr == 32))
            printf("  call %u: %lu made, %lu succeeded\n", nr, done, gens[0].passed[nr] + gens[1].passed[nr]);
    }
    printf("%lu calls in %lu ms, %lu a second; %lu grants mapped\n", all, took / MS, all * SECOND / (took + 1),
           gens[0].good + gens[1].good);
    CHECK(M2P[mm_mfn(mm_va(0))] == 0, "the M2P is wrong");
}
