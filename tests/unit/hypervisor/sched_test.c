/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sched_test.c - the scheduler on a virtual clock
 *
 * A small machine is played here: CPUs that serve their softirqs at each step of the clock and call the scheduler as
 * entry/ does. Workloads are vCPUs that never stop, or that run for a while and then sleep. Shares, latency, caps,
 * affinity and work conservation are measured in virtual time; sched_audit() runs after every step.
 */
#include "../unit.h"

#include "event/event.h"
#include "hv_errno.h"
#include "machine_fake.h"
#include "sched/runq.h"
#include "sched/sched.h"
#include "softirq.h"
#include "time/time.h"

#include <stdlib.h>
#include <string.h>

#define STEP_NS 100000UL
#define MS 1000000UL
#define MAX_D 8
#define MAX_V 8

static unsigned cpus, switches;
static struct vcpu *cur[MAX_CPUS];
static struct domain doms[MAX_D];
static struct vcpu vcpus[MAX_D][MAX_V];
static struct shared_info pages[MAX_D];

/* What a vCPU does: run for `burst`, then sleep for `sleep` (0: never). */
static struct load {
    uint64_t burst, sleep, left, wake_at;
    uint64_t worst_latency, woken_at;
} loads[MAX_D][MAX_V];

static void machine(unsigned n)
{
    for (unsigned i = 0; i < MAX_D; i++)
        evtchn_domain_destroy(&doms[i]);
    fake_machine_init(64);
    cpus = n;
    fake_online = (cpumask_t){ (1UL << n) - 1 };
    fake_now = MS;
    atomic_store(&idle_cpus, 0);
    atomic_store(&nr_waiting, 0);
    memset(cur, 0, sizeof(cur));
    memset(loads, 0, sizeof(loads));
    memset(doms, 0, sizeof(doms));
    memset(vcpus, 0, sizeof(vcpus));
    for (unsigned c = 0; c < n; c++) {
        timer_init_cpu(c);
        sched_init_cpu(c);
    }
}

static struct domain *domain(unsigned id, unsigned nr_vcpus)
{
    struct domain *d = &doms[id];

    fake_domain_init(d, (domid_t)id);
    memset(&pages[id], 0, sizeof(pages[id]));
    d->shared_info = &pages[id];
    sched_domain_create(d);
    for (unsigned i = 0; i < nr_vcpus; i++) {
        struct vcpu *v = &vcpus[id][i];
        fake_vcpu_init(v, d, i);
        v->info = &pages[id].vcpu_info[i];
        atomic_store(&v->pause_flags, VPF_DOWN);
        CU_ASSERT_EQUAL(sched_vcpu_create(v), 0);
        CU_ASSERT_EQUAL(time_vcpu_create(v), 0);
    }
    CU_ASSERT_EQUAL(evtchn_domain_create(d, 1023), 0);
    return d;
}

static struct load *load_of(const struct vcpu *v) { return &loads[v->domain->id][v->id]; }

/* One softirq round of CPU @c, as entry/softirq.c and context.c do it. */
static void serve(unsigned c)
{
    fake_cpu = c;
    if (timer_next(c) <= fake_now) {
        timer_interrupt();
    }
    for (uint32_t bits; (bits = atomic_load(&fake_softirq[c])) != 0; ) {
        const unsigned nr = (unsigned)__builtin_ctz(bits);
        atomic_fetch_and(&fake_softirq[c], ~(1u << nr));
        if (nr == SOFTIRQ_TIMER)
            timer_softirq();
        if (nr == SOFTIRQ_SCHED) {
            struct vcpu *prev = cur[c], *next = sched_choose(c, prev, fake_now);
            if (next == prev)
                continue;
            cur[c] = next;
            switches++;
            if (prev)
                sched_switched_out(prev);
            if (next) {
                time_vcpu_switch_in(next);
                struct load *l = load_of(next);
                if (l->woken_at) {
                    l->worst_latency = MAX(l->worst_latency, fake_now - l->woken_at);
                    l->woken_at = 0;
                }
            }
        }
    }
}

static void settle(void)
{
    bool busy = true;

    for (unsigned round = 0; busy && round < 1000; round++) {
        busy = false;
        for (unsigned c = 0; c < cpus; c++) {
            serve(c);
        }
        for (unsigned c = 0; c < cpus; c++)             /* also what a later CPU asked of an earlier one */
            busy |= atomic_load(&fake_softirq[c]) != 0;
    }
    CU_ASSERT_FALSE_FATAL(busy);
}

static void go_to_sleep(struct vcpu *v, struct load *l)
{
    l->wake_at = fake_now + l->sleep;
    fake_cpu = v->sched.cpu;
    vcpu_block(v);
}

/* The vCPUs do a step's worth of work, sleepers whose time has come are woken from CPU 0. */
static void work(void)
{
    for (unsigned c = 0; c < cpus; c++) {
        struct vcpu *v = cur[c];
        struct load *l = v ? load_of(v) : NULL;
        if (!l || !l->sleep)
            continue;
        l->left -= MIN(l->left, STEP_NS);
        if (l->left == 0)
            go_to_sleep(v, l);
    }
    for (unsigned d = 0; d < MAX_D; d++) {
        for (unsigned i = 0; i < MAX_V; i++) {
            struct load *l = &loads[d][i];
            if (!l->wake_at || l->wake_at > fake_now)
                continue;
            l->wake_at = 0;
            l->left = l->burst;
            l->woken_at = fake_now;
            fake_cpu = 0;
            vcpu_unblock(&vcpus[d][i]);
        }
    }
}

static bool somebody_could_run_on(unsigned c)
{
    for (unsigned d = 0; d < MAX_D; d++) {
        for (unsigned i = 0; i < doms[d].max_vcpus; i++) {
            if (vcpus[d][i].sched.queued && cpumask_test(vcpus[d][i].sched.hard_affinity, c))
                return true;
        }
    }
    return false;
}

static void run_for(uint64_t ns)
{
    for (const uint64_t end = fake_now + ns; fake_now < end; ) {
        settle();
        sched_audit();
        timer_audit();
        for (unsigned c = 0; c < cpus; c++) {
            CU_ASSERT_FALSE_FATAL(!cur[c] && somebody_could_run_on(c));         /* work conserving */
            for (unsigned o = 0; o < c; o++)
                CU_ASSERT_FALSE_FATAL(cur[c] && cur[c] == cur[o]);
        }
        fake_now += STEP_NS;
        work();
    }
    settle();
}

static void start(struct domain *d)
{
    fake_cpu = 0;
    domain_for_each_vcpu(d, v) {
        load_of(v)->left = load_of(v)->burst;
        atomic_fetch_and(&v->pause_flags, ~VPF_DOWN);
        vcpu_wake(v);
    }
}

static uint64_t ran(struct domain *d)
{
    uint64_t sum = 0;

    domain_for_each_vcpu(d, v)
        sum += sched_vcpu_cpu_time(v);
    return sum;
}

#define NEAR(value, want, percent)                                                                     \
    do {                                                                                               \
        const double v_ = (double)(value), w_ = (double)(want);                                        \
        if (v_ < w_ * (100 - (percent)) / 100 || v_ > w_ * (100 + (percent)) / 100)                    \
            printf("\n  %s = %.0f, want %.0f +- %d%%", #value, v_, w_, (percent));                     \
        CU_ASSERT(v_ >= w_ * (100 - (percent)) / 100 && v_ <= w_ * (100 + (percent)) / 100);           \
    } while (0)

static void test_idle_machine(void)
{
    machine(2);
    domain(1, 1);
    run_for(10 * MS);
    CU_ASSERT_PTR_NULL(cur[0]);
    NEAR(sched_idle_time(0), 10 * MS, 2);
    CU_ASSERT_EQUAL(sched_vcpu_cpu_time(&vcpus[1][0]), 0);
}

static void test_equal_weights_share_a_cpu(void)
{
    machine(1);
    for (unsigned i = 1; i <= 4; i++)
        start(domain(i, 1));
    run_for(2000 * MS);
    for (unsigned i = 1; i <= 4; i++)
        NEAR(ran(&doms[i]), 500 * MS, 2);
    CU_ASSERT(sched_idle_time(0) < MS);
}

static void test_weights(void)
{
    machine(1);
    start(domain(1, 1));
    struct domain *heavy = domain(2, 1);
    CU_ASSERT_EQUAL(sched_set_params(heavy, 768, 0), 0);
    start(heavy);
    run_for(2000 * MS);
    NEAR(ran(&doms[1]), 500 * MS, 3);
    NEAR(ran(heavy), 1500 * MS, 3);
    CU_ASSERT_EQUAL(sched_set_params(heavy, 0, 0), -EINVAL);
    CU_ASSERT_EQUAL(sched_set_params(heavy, 65536, 0), -EINVAL);
}

static void test_three_on_two_cpus(void)
{
    machine(2);
    for (unsigned i = 1; i <= 3; i++)
        start(domain(i, 1));
    run_for(3000 * MS);
    for (unsigned i = 1; i <= 3; i++)
        NEAR(ran(&doms[i]), 2000 * MS, 7);
}

static void test_seven_on_three_cpus(void)
{
    machine(3);
    for (unsigned i = 1; i <= 7; i++)
        start(domain(i, 1));
    run_for(7000 * MS);
    for (unsigned i = 1; i <= 7; i++)
        NEAR(ran(&doms[i]), 3000 * MS, 10);
}

static void test_runstate_adds_up(void)
{
    struct vcpu_runstate_info r;

    machine(1);
    for (unsigned i = 1; i <= 3; i++)
        start(domain(i, 1));
    loads[1][0] = (struct load){ .burst = 3 * MS, .sleep = 5 * MS, .left = 3 * MS };
    run_for(1000 * MS);
    for (unsigned i = 1; i <= 3; i++) {
        sched_get_runstate(&vcpus[i][0], &r);
        NEAR(r.time[0] + r.time[1] + r.time[2] + r.time[3], 1000 * MS, 1);
        CU_ASSERT(r.time[RUNSTATE_runnable] > 100 * MS);
    }
    sched_get_runstate(&vcpus[1][0], &r);
    CU_ASSERT(r.time[RUNSTATE_blocked] > 100 * MS);
}

/* A vCPU that sleeps most of the time gets the CPU soon after it wakes, whatever the hogs do (H104). */
static void test_latency_beside_hogs(void)
{
    machine(1);
    for (unsigned i = 1; i <= 5; i++)
        start(domain(i, 1));
    struct domain *io = domain(6, 1);
    loads[6][0] = (struct load){ .burst = 300000, .sleep = 10 * MS };
    start(io);
    run_for(3000 * MS);
    CU_ASSERT(loads[6][0].worst_latency <= MS);
    NEAR(ran(io), 3000 * MS * 3 / 103, 10);
}

/* Two that pass packets to each other: who wakes waits until the other has had a millisecond, and not for the end of its slice. */
static void test_waking_comes_in_batches(void)
{
    machine(1);
    struct domain *busy = domain(1, 1), *other = domain(2, 1);
    loads[2][0] = (struct load){ .burst = 100000, .sleep = 100000 };
    start(busy);
    start(other);
    run_for(100 * MS);
    switches = 0;
    loads[2][0].worst_latency = 0;
    run_for(1100 * MS);
    CU_ASSERT(switches <= 2 * 1000 + 20);               /* a millisecond for the one, a tenth for the other */
    CU_ASSERT(loads[2][0].worst_latency <= BATCH_NS + 2 * STEP_NS);
    NEAR(ran(other), 1200 * MS / 11, 10);
}

/* Blocking again and again does not earn more than a share. */
static void test_sleeping_pays_nothing(void)
{
    machine(1);
    start(domain(1, 1));
    struct domain *cheat = domain(2, 1);
    loads[2][0] = (struct load){ .burst = 2 * MS, .sleep = STEP_NS };
    start(cheat);
    run_for(2000 * MS);
    CU_ASSERT(ran(&doms[1]) >= 2000 * MS * 45 / 100);
}

/* The CPU stands still for 20 s, as under a cloud's host: whoever was on it does not wait for 20 s afterwards. */
static void test_stolen_time_is_not_charged(void)
{
    machine(1);
    start(domain(1, 1));
    start(domain(2, 1));
    run_for(100 * MS);
    fake_now += 20000 * MS;
    const uint64_t before[2] = { ran(&doms[1]), ran(&doms[2]) };
    run_for(2000 * MS);
    NEAR(ran(&doms[1]) - before[0], 1000 * MS, 10);
    NEAR(ran(&doms[2]) - before[1], 1000 * MS, 10);
}

/* Nor does a guest of little weight get more by resting for a moment after each slice. */
static void test_resting_does_not_replace_waiting(void)
{
    machine(2);
    struct domain *cheat = domain(2, 1);
    loads[2][0] = (struct load){ .burst = 5 * MS, .sleep = STEP_NS };
    CU_ASSERT_EQUAL(sched_set_params(cheat, 1, 0), 0);
    for (unsigned i = 3; i <= 4; i++)
        start(domain(i, 1));
    start(cheat);
    run_for(4000 * MS);
    CU_ASSERT(ran(cheat) <= 4000 * MS * 3 / 100);
    CU_ASSERT(ran(cheat) >= 4000 * MS / 1000);
    /* After a long sleep it is served at once, all the same. */
    loads[2][0].sleep = 2000 * MS;
    run_for(2000 * MS);
    loads[2][0].worst_latency = 0;
    run_for(6000 * MS);
    CU_ASSERT(loads[2][0].worst_latency <= 10 * MS);
}

static void test_cap(void)
{
    machine(2);
    struct domain *capped = domain(1, 2);
    CU_ASSERT_EQUAL(sched_set_params(capped, 256, 30), 0);
    start(capped);
    start(domain(2, 1));
    run_for(2000 * MS);
    NEAR(ran(capped), 600 * MS, 5);
    CU_ASSERT_EQUAL(sched_set_params(capped, 256, 0), 0);
    const uint64_t before = ran(capped);
    run_for(1000 * MS);
    CU_ASSERT(ran(capped) - before > 1200 * MS);
    CU_ASSERT_EQUAL(sched_set_params(capped, 256, 150), 0);
    run_for(50 * MS);
    const uint64_t mid = ran(capped);
    run_for(1000 * MS);
    CU_ASSERT(ran(capped) - mid <= 1520 * MS);
}

static void test_hard_affinity(void)
{
    machine(2);
    for (unsigned i = 1; i <= 3; i++) {
        struct domain *d = domain(i, 1);
        CU_ASSERT_EQUAL(sched_set_affinity(&vcpus[i][0], cpumask_of(1), (cpumask_t){ ~0UL }), 0);
        start(d);
    }
    struct domain *free = domain(4, 1);
    start(free);
    run_for(1200 * MS);
    for (unsigned i = 1; i <= 3; i++) {
        NEAR(ran(&doms[i]), 400 * MS, 3);
        CU_ASSERT_EQUAL(vcpus[i][0].sched.cpu, 1);
    }
    NEAR(ran(free), 1200 * MS, 3);
    CU_ASSERT_EQUAL(sched_set_affinity(&vcpus[1][0], cpumask_of(5), cpumask_of(5)), -EINVAL);
    /* Move the running and the queued ones: they follow. */
    for (unsigned i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL(sched_set_affinity(&vcpus[i][0], cpumask_of(0), cpumask_of(0)), 0);
    run_for(100 * MS);
    for (unsigned i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL(vcpus[i][0].sched.cpu, 0);
    CU_ASSERT_EQUAL(vcpus[4][0].sched.cpu, 1);
}

static void test_pause_and_sleep(void)
{
    machine(2);
    struct domain *d = domain(1, 3);
    start(d);
    run_for(20 * MS);
    atomic_fetch_add(&d->pause_count, 1);
    domain_for_each_vcpu(d, v)
        vcpu_sleep_nosync(v);
    settle();
    const uint64_t before = ran(d);
    run_for(20 * MS);
    CU_ASSERT_EQUAL(ran(d), before);
    domain_for_each_vcpu(d, v)
        CU_ASSERT_EQUAL(v->sched.state, RUNSTATE_offline);
    atomic_fetch_sub(&d->pause_count, 1);
    domain_for_each_vcpu(d, v)
        vcpu_wake(v);
    run_for(20 * MS);
    CU_ASSERT(ran(d) - before > 38 * MS);
}

static void test_yield_lets_others_run(void)
{
    machine(1);
    start(domain(1, 1));
    start(domain(2, 1));
    settle();
    struct vcpu *first = cur[0];
    fake_now += STEP_NS;
    fake_cpu = 0;
    vcpu_yield(first);
    settle();
    CU_ASSERT_PTR_NOT_EQUAL(cur[0], first);
}

static void test_block_and_events(void)
{
    uint32_t port;

    machine(1);
    struct domain *d = domain(1, 1);
    struct vcpu *v = &vcpus[1][0];
    CU_ASSERT_EQUAL(evtchn_bind_virq(d, VIRQ_TIMER, 0, &port), 0);
    start(d);
    settle();
    CU_ASSERT_PTR_EQUAL(cur[0], v);

    v->info->evtchn_upcall_mask = 1;
    vcpu_block(v);
    CU_ASSERT_EQUAL(v->info->evtchn_upcall_mask, 0);            /* ABI */
    settle();
    CU_ASSERT_PTR_NULL(cur[0]);
    CU_ASSERT_EQUAL(vcpu_set_singleshot(v, fake_now + 3 * MS, 0), 0);
    run_for(2 * MS);
    CU_ASSERT_PTR_NULL(cur[0]);
    run_for(2 * MS);
    CU_ASSERT_PTR_EQUAL(cur[0], v);
    CU_ASSERT_EQUAL(v->info->evtchn_upcall_pending, 1);
    vcpu_block(v);                                              /* an event is there: go on at once */
    settle();
    CU_ASSERT_PTR_EQUAL(cur[0], v);
}

static void test_poll(void)
{
    uint32_t ports[2], bad[2] = { 1, 900 };

    machine(1);
    struct domain *d = domain(1, 2);
    struct vcpu *v = &vcpus[1][0];
    CU_ASSERT_EQUAL(evtchn_bind_ipi(d, 1, &ports[0]), 0);
    CU_ASSERT_EQUAL(evtchn_bind_ipi(d, 1, &ports[1]), 0);
    atomic_store(&v->pause_flags, 0);
    vcpu_wake(v);
    settle();
    CU_ASSERT_PTR_EQUAL(cur[0], v);
    CU_ASSERT_EQUAL(vcpu_poll(v, bad, 2, 0), -EINVAL);
    CU_ASSERT_EQUAL(atomic_load(&v->pause_flags), 0);

    /* one port, event for the other does not wake; masked events do */
    pages[1].evtchn_mask[0] = ~0UL;
    CU_ASSERT_EQUAL(vcpu_poll(v, &ports[1], 1, 0), 0);
    settle();
    CU_ASSERT_PTR_NULL(cur[0]);
    CU_ASSERT_EQUAL(evtchn_send(d, ports[0]), 0);
    settle();
    CU_ASSERT_PTR_NULL(cur[0]);
    CU_ASSERT_EQUAL(evtchn_send(d, ports[1]), 0);
    settle();
    CU_ASSERT_PTR_EQUAL(cur[0], v);
    CU_ASSERT_EQUAL(atomic_load(&v->poll_port), 0);

    CU_ASSERT_EQUAL(vcpu_poll(v, ports, 2, 0), 0);              /* pending already */
    settle();
    CU_ASSERT_PTR_EQUAL(cur[0], v);

    pages[1].evtchn_pending[0] = 0;
    CU_ASSERT_EQUAL(vcpu_poll(v, ports, 2, fake_now + 5 * MS), 0);
    settle();
    CU_ASSERT_PTR_NULL(cur[0]);
    run_for(4 * MS);
    CU_ASSERT_PTR_NULL(cur[0]);
    run_for(2 * MS);
    CU_ASSERT_PTR_EQUAL(cur[0], v);                             /* timeout */
}

/* Random storms of everything: nothing is lost, nothing runs twice, the audit holds at each step. */
static void test_storm(void)
{
    machine(3);
    srandom(7);
    for (unsigned i = 0; i < MAX_D; i++) {
        struct domain *d = domain(i, 4);
        domain_for_each_vcpu(d, v)
            loads[i][v->id] = (struct load){ .burst = (uint64_t)(random() % 20) * STEP_NS + 1,
                                             .sleep = (uint64_t)(random() % 20) * STEP_NS };
        start(d);
    }
    for (unsigned n = 0; n < 20000; n++) {
        struct domain *d = &doms[random() % MAX_D];
        struct vcpu *v = &vcpus[d->id][random() % 4];
        fake_cpu = (unsigned)random() % cpus;
        switch (random() % 8) {
        case 0:
            atomic_fetch_add(&v->pause_count, 1);
            vcpu_sleep_nosync(v);
            break;
        case 1:
        case 2:
            if (atomic_load(&v->pause_count) > 0) {
                atomic_fetch_sub(&v->pause_count, 1);
                vcpu_wake(v);
            }
            break;
        case 3:
            (void)sched_set_affinity(v, (cpumask_t){ (uint64_t)random() & 7 }, (cpumask_t){ ~0UL });
            break;
        case 4:
            (void)sched_set_params(d, (unsigned)random() % 1000, random() % 3 ? 0 : (unsigned)random() % 200);
            break;
        case 5:
            vcpu_unblock(v);
            break;
        default:
            run_for((uint64_t)(random() % 5) * STEP_NS);
            break;
        }
        settle();
        sched_audit();
    }
    for (unsigned i = 0; i < MAX_D; i++) {
        CU_ASSERT_EQUAL(sched_set_params(&doms[i], 256, 0), 0);
        domain_for_each_vcpu(&doms[i], v) {
            atomic_store(&v->pause_count, 0);
            (void)sched_set_affinity(v, (cpumask_t){ ~0UL }, (cpumask_t){ ~0UL });
            loads[i][v->id].sleep = 0;
            vcpu_unblock(v);
            vcpu_wake(v);
        }
    }
    uint64_t before[MAX_D];
    for (unsigned i = 0; i < MAX_D; i++)
        before[i] = ran(&doms[i]);
    run_for(2000 * MS);
    for (unsigned i = 0; i < MAX_D; i++)
        NEAR(ran(&doms[i]) - before[i], 2000 * MS * 3 / MAX_D, 12);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_idle_machine), UNIT(test_equal_weights_share_a_cpu), UNIT(test_weights),
        UNIT(test_three_on_two_cpus), UNIT(test_seven_on_three_cpus), UNIT(test_runstate_adds_up),
        UNIT(test_latency_beside_hogs), UNIT(test_waking_comes_in_batches), UNIT(test_sleeping_pays_nothing),
        UNIT(test_stolen_time_is_not_charged),
        UNIT(test_resting_does_not_replace_waiting), UNIT(test_cap), UNIT(test_hard_affinity),
        UNIT(test_pause_and_sleep), UNIT(test_yield_lets_others_run), UNIT(test_block_and_events), UNIT(test_poll),
        UNIT(test_storm), { 0 },
    };
    const int failed = unit_main("sched", cases);
    machine(1);
    return failed;
}
