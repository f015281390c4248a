/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cap.c - an upper bound of a domain's CPU time, in per cent of one CPU
 *
 * cap_used grows while vCPUs run; a timer pays one period's budget back each period. A domain with cap_used at or
 * above its budget is exhausted: its vCPUs are parked when a CPU would choose them, and set free by the period that
 * brings cap_used below the budget again. What was overdrawn is thus paid later; the average is exact.
 *
 * cap_armed: the timer is set or its handler is deciding. The handler gives the flag up only when nothing was used,
 * and then looks once more, so that no charge is left without a timer.
 */
#include "sched/runq.h"

#include "hv_errno.h"
#include "machine.h"

static int64_t budget(const struct domain *d)
{
    return (int64_t)(READ_ONCE(d->sched.cap) * (CAP_PERIOD_NS / 100));
}

bool cap_exhausted(const struct domain *d)
{
    return unlikely(READ_ONCE(d->sched.cap) != 0) && atomic_load(&d->sched.cap_used) >= budget(d);
}

static void cap_arm(struct domain *d, uint64_t now)
{
    if (!atomic_exchange(&d->sched.cap_armed, true))
        timer_set(&d->sched.cap_timer, now + CAP_PERIOD_NS);
}

void cap_charge(struct domain *d, uint64_t ran, uint64_t now)
{
    if (likely(READ_ONCE(d->sched.cap) == 0))
        return;
    atomic_fetch_add(&d->sched.cap_used, (int64_t)ran);
    cap_arm(d, now);
}

uint64_t cap_slice(const struct domain *d, uint64_t slice)
{
    if (likely(READ_ONCE(d->sched.cap) == 0))
        return slice;
    const int64_t left = budget(d) - atomic_load(&d->sched.cap_used);
    return left < (int64_t)CAP_MIN_SLICE_NS ? CAP_MIN_SLICE_NS : MIN(slice, (uint64_t)left);
}

void cap_unpark_all(struct domain *d)
{
    domain_for_each_vcpu(d, v) {
        unsigned long flags;
        struct runq *rq = runq_lock_home(v, &flags);
        const bool was = v->sched.parked;
        v->sched.parked = false;
        spin_unlock_irq(&rq->lock, flags);
        if (was)
            sched_place(v);
    }
}

static void period_ended(void *data)
{
    struct domain *d = data;
    const uint64_t now = machine_now();
    const int64_t used = atomic_load(&d->sched.cap_used), cap = budget(d);
    const int64_t paid = READ_ONCE(d->sched.cap) == 0 ? used : MIN(used, cap);

    if (paid == 0) {
        atomic_store(&d->sched.cap_armed, false);
        if (atomic_load(&d->sched.cap_used) != 0)
            cap_arm(d, now);
        return;
    }
    atomic_fetch_sub(&d->sched.cap_used, paid);
    timer_set(&d->sched.cap_timer, now + CAP_PERIOD_NS);
    if (!cap_exhausted(d))
        cap_unpark_all(d);
}

void cap_domain_create(struct domain *d)
{
    timer_init(&d->sched.cap_timer, this_cpu(), period_ended, d);
}

int sched_set_params(struct domain *d, unsigned weight, unsigned cap)
{
    if (weight == 0 || weight > UINT16_MAX || cap > UINT16_MAX)
        return -EINVAL;
    WRITE_ONCE(d->sched.weight, (uint16_t)weight);      /* counts from the next time a vCPU is queued or chosen */
    WRITE_ONCE(d->sched.cap, (uint16_t)cap);
    if (!cap_exhausted(d))
        cap_unpark_all(d);
    return 0;
}
