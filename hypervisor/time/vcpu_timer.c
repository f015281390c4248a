/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_timer.c - the timers a vCPU may set: single-shot, periodic, and the timeout of a poll
 *
 * They live on the CPU where the vCPU runs, so that setting one is a lock nobody else wants and one register write.
 * A deadline in the past is an event at once, and success: Linux stops on any error (abi-map pitfall 17).
 *
 * ABI: vcpu.h, xen.h set_timer_op; abi-map 5.3.
 */
#include "time/areas.h"

#include "event/event.h"
#include "hv_errno.h"
#include "machine.h"
#include "sched/sched.h"

#define MIN_PERIOD_NS 1000000UL
#define MAX_PERIOD_NS (~0UL >> 2)
#define CLIP_NS 100000000UL             /* ABI: set_timer_op, absurd deadlines */

static void singleshot_expired(void *data)
{
    virq_send_vcpu(data, VIRQ_TIMER);
}

static void poll_expired(void *data)
{
    vcpu_unblock(data);
}

/*
 * One event for all periods that passed, then the next one. Another vCPU of the guest may set or stop this timer at
 * any moment: both values are read once (a period of 0 is "stopped", and not a divisor).
 */
static void periodic_tick(struct vcpu *v, uint64_t now)
{
    struct vcpu_time *t = &v->time;
    const uint64_t period = atomic_load(&t->period_ns);
    uint64_t next = atomic_load(&t->next_period);

    if (period == 0)
        return;
    if (now >= next) {
        virq_send_vcpu(v, VIRQ_TIMER);
        next += ((now - next) / period + 1) * period;
        atomic_store(&t->next_period, next);
    }
    timer_set(&t->periodic, next);
}

static void periodic_expired(void *data)
{
    struct vcpu *v = data;

    if (atomic_load(&v->sched.running))
        periodic_tick(v, machine_now());
}

void vcpu_timers_create(struct vcpu *v)
{
    timer_init(&v->time.singleshot, v->sched.cpu, singleshot_expired, v);
    timer_init(&v->time.periodic, v->sched.cpu, periodic_expired, v);
    timer_init(&v->time.poll, v->sched.cpu, poll_expired, v);
}

void vcpu_timers_destroy(struct vcpu *v)
{
    timer_kill(&v->time.singleshot);
    timer_kill(&v->time.periodic);
    timer_kill(&v->time.poll);
}

void vcpu_timers_switch_in(struct vcpu *v)
{
    const unsigned cpu = this_cpu();

    timer_migrate(&v->time.singleshot, cpu);
    timer_migrate(&v->time.poll, cpu);
    if (unlikely(atomic_load(&v->time.period_ns) != 0)) {
        timer_migrate(&v->time.periodic, cpu);
        periodic_tick(v, machine_now());
    }
}

void vcpu_timers_switch_out(struct vcpu *v)
{
    if (unlikely(atomic_load(&v->time.period_ns) != 0))
        timer_stop(&v->time.periodic);                  /* ABI: it ticks while the vCPU runs */
}

int vcpu_set_singleshot(struct vcpu *v, uint64_t abs_ns, uint32_t flags)
{
    (void)flags;                                        /* VCPU_SSHOTTMR_future may be ignored, and Xen 4.17 does */
    if (abs_ns <= machine_now()) {
        timer_stop(&v->time.singleshot);
        virq_send_vcpu(v, VIRQ_TIMER);
        return 0;
    }
    timer_set(&v->time.singleshot, abs_ns);
    return 0;
}

void vcpu_stop_singleshot(struct vcpu *v)
{
    timer_stop(&v->time.singleshot);
}

int vcpu_set_periodic(struct vcpu *v, uint64_t period_ns)
{
    const uint64_t now = machine_now();

    if (period_ns < MIN_PERIOD_NS || period_ns > MAX_PERIOD_NS)
        return -EINVAL;
    timer_stop(&v->time.periodic);
    atomic_store(&v->time.next_period, now + period_ns);
    atomic_store(&v->time.period_ns, period_ns);
    if (atomic_load(&v->sched.running))
        timer_set(&v->time.periodic, now + period_ns);
    return 0;
}

void vcpu_stop_periodic(struct vcpu *v)
{
    atomic_store(&v->time.period_ns, 0);
    timer_stop(&v->time.periodic);
}

long vcpu_set_timer_op(struct vcpu *v, int64_t abs_ns)
{
    const uint64_t now = machine_now();

    if (abs_ns == 0) {
        timer_stop(&v->time.singleshot);
        return 0;
    }
    if (abs_ns < 0 || (uint64_t)abs_ns > now + (1UL << 50))
        abs_ns = (int64_t)(now + CLIP_NS);
    return vcpu_set_singleshot(v, (uint64_t)abs_ns, 0);
}
