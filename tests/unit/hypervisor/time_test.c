/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time_test.c - timers against a model, clock arithmetic, vCPU timers, areas, wall clock, TSC modes
 */
#include "../unit.h"

#include "event/event.h"
#include "hv_errno.h"
#include "machine_fake.h"
#include "sched/sched.h"
#include "softirq.h"
#include "time/time.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000UL

static struct domain dom;
static struct vcpu vcpu;
static struct shared_info page;
static uint32_t timer_port;

static void setup(void)
{
    fake_machine_init(64);
    fake_now = 1000 * MS;
    for (unsigned c = 0; c < 4; c++) {
        timer_init_cpu(c);
        sched_init_cpu(c);
    }
    tsc_clock = (struct tsc_clock){ .tsc_base = 1000, .ns_base = 500, .khz = 2500000 };
    tsc_scale_from_hz(2500000000UL, &tsc_clock.mul, &tsc_clock.shift);
    memset(&page, 0, sizeof(page));
    fake_domain_init(&dom, 1);
    dom.shared_info = &page;
    time_domain_create(&dom);
    fake_vcpu_init(&vcpu, &dom, 0);
    vcpu.info = &page.vcpu_info[0];
    atomic_store(&vcpu.pause_flags, VPF_DOWN);
    CU_ASSERT_EQUAL(sched_vcpu_create(&vcpu), 0);
    vcpu.sched.cpu = 0;
    CU_ASSERT_EQUAL(time_vcpu_create(&vcpu), 0);
    CU_ASSERT_EQUAL(evtchn_domain_create(&dom, 63), 0);
    CU_ASSERT_EQUAL(evtchn_bind_virq(&dom, VIRQ_TIMER, 0, &timer_port), 0);
    fake_set_current(&vcpu);
}

static void teardown(void)
{
    timer_audit();
    time_vcpu_destroy(&vcpu);
    evtchn_domain_destroy(&dom);
}

/* The hardware timer of CPU @c as armed; fires if due. */
static void tick(unsigned c, uint64_t now)
{
    fake_cpu = c;
    fake_now = now;
    timer_interrupt();
    atomic_store(&fake_softirq[c], 0);
    timer_softirq();
}

static bool fired(void)
{
    const bool f = evtchn_port_pending(&dom, timer_port);
    page.evtchn_pending[0] = 0;
    return f;
}

/* ---- timers ---- */

static unsigned hits[200];
static void hit(void *data) { hits[(uintptr_t)data]++; }

static void test_timers_fire_in_order_and_once(void)
{
    static struct timer t[200];
    static uint64_t due[200];

    setup();
    memset(hits, 0, sizeof(hits));
    srandom(1);
    for (uintptr_t i = 0; i < 200; i++)
        timer_init(&t[i], 0, hit, (void *)i);
    for (unsigned round = 0; round < 4000; round++) {
        const unsigned i = (unsigned)random() % 200;
        switch (random() % 4) {
        case 0:
        case 1:
            due[i] = fake_now + 1 + (uint64_t)random() % 1000;
            timer_set(&t[i], due[i]);
            break;
        case 2:
            due[i] = 0;
            timer_stop(&t[i]);
            break;
        default:
            tick(0, fake_now + (uint64_t)random() % 50);
            for (unsigned n = 0; n < 200; n++) {
                const bool want = due[n] && due[n] <= fake_now;
                CU_ASSERT_EQUAL(hits[n], want);
                hits[n] = 0;
                if (want)
                    due[n] = 0;
            }
            break;
        }
        timer_audit();
        uint64_t first = ~0UL;
        for (unsigned n = 0; n < 200; n++)
            first = due[n] && due[n] < first ? due[n] : first;
        CU_ASSERT_EQUAL(timer_next(0), first);
        CU_ASSERT(fake_deadline <= first || first == ~0UL);
    }
    for (unsigned i = 0; i < 200; i++)
        timer_kill(&t[i]);
    CU_ASSERT_EQUAL(timer_next(0), ~0UL);
    teardown();
}

static void test_timer_moves_between_cpus(void)
{
    struct timer t;

    setup();
    memset(hits, 0, sizeof(hits));
    timer_init(&t, 0, hit, (void *)1);
    timer_set(&t, fake_now + 100);
    timer_migrate(&t, 2);
    CU_ASSERT_EQUAL(timer_next(0), ~0UL);
    CU_ASSERT_EQUAL(timer_next(2), fake_now + 100);
    CU_ASSERT_TRUE(softirq_pending(2));                         /* it must arm its own hardware */
    tick(0, fake_now + 200);
    CU_ASSERT_EQUAL(hits[1], 0);
    tick(2, fake_now);
    CU_ASSERT_EQUAL(hits[1], 1);
    timer_kill(&t);
    timer_set(&t, fake_now + 1);                                /* dead for ever */
    CU_ASSERT_EQUAL(timer_next(2), ~0UL);
    struct timer never = { 0 };
    timer_kill(&never);
    teardown();
}

/* Set, stop, move and fire from four threads; after timer_kill a handler never runs. */
static struct timer shared_timers[8];
static _Atomic unsigned alive[8];

static void count_alive(void *data)
{
    if (!atomic_load(&alive[(uintptr_t)data]))
        abort();
}

static void *timer_storm(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;

    fake_cpu = seed;
    for (unsigned n = 0; n < 50000; n++) {
        struct timer *t = &shared_timers[rand_r(&seed) % 8];
        switch (rand_r(&seed) % 4) {
        case 0:
            timer_set(t, (uint64_t)rand_r(&seed) % 2000000000UL);
            break;
        case 1:
            timer_stop(t);
            break;
        case 2:
            timer_migrate(t, (unsigned)rand_r(&seed) % 4);
            break;
        default:
            timer_interrupt();
            atomic_store(&fake_softirq[fake_cpu], 0);
            timer_softirq();
            break;
        }
    }
    return NULL;
}

static void test_timer_storm(void)
{
    pthread_t th[4];

    setup();
    for (uintptr_t i = 0; i < 8; i++) {
        atomic_store(&alive[i], 1);
        timer_init(&shared_timers[i], (unsigned)i % 4, count_alive, (void *)i);
    }
    for (uintptr_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&th[i], NULL, timer_storm, (void *)i), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(th[i], NULL);
    for (unsigned c = 0; c < 4; c++)                            /* what others asked of a CPU that has stopped serving */
        tick(c, fake_now);
    timer_audit();
    for (unsigned i = 0; i < 8; i++) {
        timer_kill(&shared_timers[i]);
        atomic_store(&alive[i], 0);
    }
    for (unsigned c = 0; c < 4; c++)
        tick(c, ~0UL - 1);
    teardown();
}

/* ---- clock ---- */

static uint64_t linux_pvclock(const struct vcpu_time_info *t, uint64_t tsc)
{
    uint64_t delta = tsc - t->tsc_timestamp;

    delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
    return t->system_time + (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
}

static void test_scale(void)
{
    static const uint64_t hz[] = { 1000, 33333333, 999999999, 1000000000, 1000000001, 1193182, 2000000000, 2000000001,
                                   2596136000, 4700000000, 100000000000 };
    for (unsigned i = 0; i < ARRAY_SIZE(hz); i++) {
        uint32_t mul;
        int8_t shift;
        tsc_scale_from_hz(hz[i], &mul, &shift);
        CU_ASSERT(mul >= 1u << 31);
        const uint64_t second = tsc_scale(hz[i], mul, shift);
        CU_ASSERT(second <= 1000000000 && second >= 1000000000 - 1000000000 / 500000);
        for (uint64_t ns = 1; ns < 1UL << 55; ns = ns * 3 + 1) {
            const uint64_t tsc = tsc_unscale(ns, mul, shift), back = tsc_scale(tsc, mul, shift);
            const uint64_t grain = 1 + 1000000000 / hz[i] + (shift < 0 ? 1u << -shift : 0);
            CU_ASSERT(back <= ns + grain && ns - MIN(back, ns) <= grain);
        }
    }
}

static void test_publish(void)
{
    struct vcpu_time_info *t = &page.vcpu_info[0].time;

    setup();
    CU_ASSERT_NOT_EQUAL(t->tsc_to_system_mul, 0);               /* valid before the first instruction */
    CU_ASSERT_EQUAL(t->version % 2, 0);
    CU_ASSERT_EQUAL(linux_pvclock(t, 1000 + 2500000000UL) - 500 > 999999990UL, true);
    CU_ASSERT_EQUAL(t->flags, 0);

    /* A toolstack clears the page; the next switch repairs it. The guest spoils the version: even again. */
    memset(t, 0, sizeof(*t));
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_NOT_EQUAL(t->tsc_to_system_mul, 0);
    const uint32_t version = t->version;
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_EQUAL(t->version, version);                       /* right already: not touched */
    t->version = 7;
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_EQUAL(t->version % 2, 0);
    tsc_clock.stable = true;
    time_publish(&vcpu);
    CU_ASSERT_EQUAL(t->flags, XEN_PVCLOCK_TSC_STABLE_BIT);
    teardown();
}

static void test_wallclock(void)
{
    setup();
    wallclock_set(1700000000, 5, 3 * 1000 * MS + 10);
    CU_ASSERT_EQUAL(page.wc_sec, 1700000000 - 4);
    CU_ASSERT_EQUAL(page.wc_nsec, 999999995);
    CU_ASSERT_EQUAL(page.wc_version % 2, 0);
    dom.time.offset_seconds = 1L << 33;
    wallclock_publish(&dom);
    CU_ASSERT_EQUAL(page.wc_sec_hi, 2);
    dom.time.offset_seconds = -100;
    wallclock_publish(&dom);
    CU_ASSERT_EQUAL(page.wc_sec, 1700000000 - 104);
    dom.time.offset_seconds = 0;
    wallclock_set(0, UINT32_MAX, ~0UL);                         /* nonsense from Dom0 harms nobody */
    CU_ASSERT(page.wc_nsec < 1000000000);
    wallclock_init(42);
    CU_ASSERT_EQUAL(page.wc_sec, 41);                           /* 1 s after the start */
    teardown();
}

/* ---- vCPU timers ---- */

static void test_singleshot(void)
{
    setup();
    CU_ASSERT_EQUAL(vcpu_set_singleshot(&vcpu, fake_now + 5 * MS, 0), 0);
    tick(0, fake_now + 4 * MS);
    CU_ASSERT_FALSE(fired());
    tick(0, fake_now + MS);
    CU_ASSERT_TRUE(fired());
    tick(0, fake_now + 100 * MS);
    CU_ASSERT_FALSE(fired());

    CU_ASSERT_EQUAL(vcpu_set_singleshot(&vcpu, fake_now - 1, 0), 0);            /* past: now, and success */
    CU_ASSERT_TRUE(fired());
    CU_ASSERT_EQUAL(vcpu_set_singleshot(&vcpu, 0, VCPU_SSHOTTMR_future), 0);
    CU_ASSERT_TRUE(fired());
    tick(0, fake_now + MS);
    CU_ASSERT_FALSE(fired());                                                   /* once (H96) */

    CU_ASSERT_EQUAL(vcpu_set_singleshot(&vcpu, fake_now + MS, 0), 0);
    vcpu_stop_singleshot(&vcpu);
    tick(0, fake_now + 2 * MS);
    CU_ASSERT_FALSE(fired());
    teardown();
}

static void test_set_timer_op(void)
{
    setup();
    CU_ASSERT_EQUAL(vcpu_set_timer_op(&vcpu, (int64_t)(fake_now + MS)), 0);
    CU_ASSERT_EQUAL(vcpu_set_timer_op(&vcpu, 0), 0);
    CU_ASSERT_EQUAL(timer_next(0), ~0UL);
    CU_ASSERT_EQUAL(vcpu_set_timer_op(&vcpu, 1), 0);
    CU_ASSERT_TRUE(fired());
    CU_ASSERT_EQUAL(vcpu_set_timer_op(&vcpu, -5), 0);
    CU_ASSERT_EQUAL(timer_next(0), fake_now + 100 * MS);
    CU_ASSERT_EQUAL(vcpu_set_timer_op(&vcpu, INT64_MAX), 0);
    CU_ASSERT_EQUAL(timer_next(0), fake_now + 100 * MS);
    teardown();
}

static void test_periodic(void)
{
    setup();
    CU_ASSERT_EQUAL(vcpu_set_periodic(&vcpu, MS - 1), -EINVAL);
    CU_ASSERT_EQUAL(vcpu_set_periodic(&vcpu, 0), -EINVAL);
    CU_ASSERT_EQUAL(vcpu_set_periodic(&vcpu, ~0UL), -EINVAL);
    atomic_store(&vcpu.sched.running, true);
    CU_ASSERT_EQUAL(vcpu_set_periodic(&vcpu, 2 * MS), 0);
    for (unsigned i = 0; i < 5; i++) {
        tick(0, fake_now + MS);
        CU_ASSERT_FALSE(fired());
        tick(0, fake_now + MS);
        CU_ASSERT_TRUE(fired());
    }
    time_vcpu_switch_out(&vcpu);                                /* ticks only while it runs */
    atomic_store(&vcpu.sched.running, false);
    tick(0, fake_now + 20 * MS);
    CU_ASSERT_FALSE(fired());
    fake_cpu = 3;
    atomic_store(&vcpu.sched.running, true);
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_TRUE(fired());                                    /* one for all that were missed */
    CU_ASSERT_EQUAL(timer_next(3), fake_now + 2 * MS);
    vcpu_stop_periodic(&vcpu);
    tick(3, fake_now + 20 * MS);
    CU_ASSERT_FALSE(fired());
    atomic_store(&vcpu.sched.running, false);
    teardown();
}

/* One vCPU sets and stops the periodic timer of another while it ticks there. */
static _Atomic bool meddle_stop;

static void *meddler(void *arg)
{
    (void)arg;
    fake_cpu = 1;
    while (!atomic_load(&meddle_stop)) {
        (void)vcpu_set_periodic(&vcpu, MS);
        vcpu_stop_periodic(&vcpu);
    }
    return NULL;
}

static void test_periodic_of_another(void)
{
    pthread_t t;

    setup();
    atomic_store(&vcpu.sched.running, true);
    atomic_store(&meddle_stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, meddler, NULL), 0);
    for (unsigned n = 0; n < 200000; n++) {
        fake_cpu = 0;
        __atomic_fetch_add(&fake_now, 2 * MS, __ATOMIC_RELAXED);
        timer_interrupt();
        atomic_store(&fake_softirq[0], 0);
        timer_softirq();
        time_vcpu_switch_in(&vcpu);
    }
    atomic_store(&meddle_stop, true);
    pthread_join(t, NULL);
    fake_cpu = 0;
    vcpu_stop_periodic(&vcpu);
    atomic_store(&vcpu.sched.running, false);
    teardown();
}

/* ---- areas ---- */

static void test_runstate_area(void)
{
    struct vcpu_runstate_info area;

    setup();
    memset(&area, 0xff, sizeof(area));
    CU_ASSERT_EQUAL(vcpu_register_runstate(&vcpu, gva(0xffff800000000000)), -EFAULT);
    CU_ASSERT_EQUAL(vcpu_register_runstate(&vcpu, gva(0x800000000000)), -EFAULT);
    fake_guest_share(&area, sizeof(area));
    CU_ASSERT_EQUAL(vcpu_register_runstate(&vcpu, fake_gva(&area)), 0);
    CU_ASSERT_EQUAL(area.state, RUNSTATE_offline);
    CU_ASSERT_EQUAL(area.state_entry_time >> 63, 0);

    /* In user mode the kernel's addresses mean nothing: wait. */
    memset(&area, 0xff, sizeof(area));
    vcpu.cpu.kernel_mode = false;
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_TRUE(vcpu.time.areas_pending);
    CU_ASSERT_EQUAL(area.state, -1);
    vcpu.cpu.kernel_mode = true;
    time_kernel_entered(&vcpu);
    CU_ASSERT_FALSE(vcpu.time.areas_pending);
    CU_ASSERT_EQUAL(area.state, RUNSTATE_offline);

    dom.vm_assist |= 1UL << VMASST_TYPE_runstate_update_flag;
    memset(&area, 0xff, sizeof(area));
    time_vcpu_switch_out(&vcpu);
    CU_ASSERT_EQUAL(area.state, RUNSTATE_offline);
    CU_ASSERT_EQUAL(area.state_entry_time & XEN_RUNSTATE_UPDATE, 0);

    fake_guest_reset();                                         /* unmapped by the guest: its loss */
    time_vcpu_switch_in(&vcpu);
    teardown();
}

static void test_time_area(void)
{
    struct vcpu_time_info area;

    setup();
    memset(&area, 0xff, sizeof(area));
    fake_guest_share(&area, sizeof(area));
    CU_ASSERT_EQUAL(vcpu_register_time_area(&vcpu, fake_gva(&area)), 0);
    CU_ASSERT_EQUAL(area.version % 2, 0);
    CU_ASSERT_EQUAL(area.tsc_to_system_mul, tsc_clock.mul);
    const uint32_t version = area.version;
    tsc_clock.ns_base += 77;
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_EQUAL(area.system_time, tsc_clock.ns_base);
    CU_ASSERT_NOT_EQUAL(area.version, version);
    CU_ASSERT_EQUAL(area.version % 2, 0);
    CU_ASSERT_EQUAL(vcpu_register_time_area(&vcpu, gva(0)), 0);
    memset(&area, 0xff, sizeof(area));
    tsc_clock.ns_base += 77;
    time_vcpu_switch_in(&vcpu);
    CU_ASSERT_EQUAL(area.version, 0xffffffff);                  /* unregistered */
    teardown();
}

/* ---- TSC modes ---- */

static void test_tsc_modes(void)
{
    uint32_t mode, khz, inc;
    uint64_t elapsed;

    setup();
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 3, 0, 0, 0), -EINVAL);
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 0, 0, UINT32_MAX, 0), -EINVAL);
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 0, 0, 0, 0), 0);
    CU_ASSERT_FALSE(dom.time.vtsc);
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 0, 5 * MS, 2500100, 4), 0);       /* as good as equal */
    CU_ASSERT_FALSE(dom.time.vtsc);
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 2, 5 * MS, 1000000, 4), 0);
    CU_ASSERT_FALSE(dom.time.vtsc);
    domain_get_tsc_info(&dom, &mode, &elapsed, &khz, &inc);
    CU_ASSERT(mode == 2 && elapsed == 0 && khz == 0 && inc == 5);

    /* From a slower machine, up for an hour: its TSC goes on, and so does the time computed from it. */
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 0, 3600000 * MS, 1000000, 1), 0);
    CU_ASSERT_TRUE(dom.time.vtsc);
    domain_get_tsc_info(&dom, &mode, &elapsed, &khz, &inc);
    CU_ASSERT(mode == 0 && elapsed == 3600000 * MS && khz == 1000000 && inc == 2);
    const uint64_t tsc = guest_rdtsc(&vcpu);
    CU_ASSERT(tsc > 3599999 * MS && tsc < 3600001 * MS);
    time_publish(&vcpu);
    for (unsigned i = 0; i < 50; i++, fake_now += 123456789) {
        const uint64_t seen = linux_pvclock(&page.vcpu_info[0].time, guest_rdtsc(&vcpu));
        CU_ASSERT(seen >= fake_now - 2 && seen <= fake_now + 2);
    }
    /* Not emulated: what the instruction would have given. */
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 0, 0, 0, 0), 0);
    time_publish(&vcpu);
    const uint64_t seen = linux_pvclock(&page.vcpu_info[0].time, guest_rdtsc(&vcpu));
    CU_ASSERT(seen >= fake_now - 2 && seen <= fake_now + 2);
    dom.privileged = true;
    CU_ASSERT_EQUAL(domain_set_tsc_info(&dom, 1, 0, 0, 0), 0);
    CU_ASSERT_FALSE(dom.time.vtsc);
    teardown();
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_timers_fire_in_order_and_once), UNIT(test_timer_moves_between_cpus), UNIT(test_timer_storm),
        UNIT(test_scale), UNIT(test_publish), UNIT(test_wallclock), UNIT(test_singleshot), UNIT(test_set_timer_op),
        UNIT(test_periodic), UNIT(test_periodic_of_another), UNIT(test_runstate_area), UNIT(test_time_area), UNIT(test_tsc_modes), { 0 },
    };
    return unit_main("time", cases);
}
