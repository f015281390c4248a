/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - how a vCPU stops by itself and is woken: yield, block, poll, kick
 *
 * The order that loses no wake-up (see event/deliver.c): the sleeper sets VPF_BLOCKED (a full barrier) and then looks
 * for an event; the sender stores the event (a full barrier) and then looks at VPF_BLOCKED.
 *
 * ABI: sched.h SCHEDOP_yield, SCHEDOP_block, SCHEDOP_poll.
 */
#include "sched/runq.h"

#include "event/event.h"
#include "hv_errno.h"
#include "machine.h"
#include "softirq.h"

void vcpu_yield(struct vcpu *v)
{
    v->sched.yielded = true;
    softirq_raise(SOFTIRQ_SCHED);
}

void vcpu_unblock(struct vcpu *v)
{
    if (!(atomic_fetch_and(&v->pause_flags, ~VPF_BLOCKED) & VPF_BLOCKED))
        return;
    if (atomic_load(&v->poll_port) != 0) {
        evtchn_poll_end(v);
        timer_stop(&v->time.poll);
    }
    sched_place(v);
}

void vcpu_kick(struct vcpu *v)
{
    if (atomic_load(&v->pause_flags) & VPF_BLOCKED) {
        vcpu_unblock(v);
    } else if (atomic_load(&v->sched.running)) {
        const unsigned cpu = atomic_load(&v->sched.cpu);
        if (cpu != this_cpu())
            machine_kick(cpu);
    }
}

void vcpu_block(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_upcall_mask, 0, __ATOMIC_RELAXED);
    atomic_fetch_or(&v->pause_flags, VPF_BLOCKED);
    if (vcpu_event_deliverable(v))
        atomic_fetch_and(&v->pause_flags, ~VPF_BLOCKED);
    else
        softirq_raise(SOFTIRQ_SCHED);
}

int vcpu_poll(struct vcpu *v, const uint32_t *ports, unsigned nr, uint64_t timeout_ns)
{
    struct domain *d = v->domain;
    bool ready;

    for (unsigned i = 0; i < nr; i++) {
        if (ports[i] == 0 || !evtchn_port_valid(d, ports[i]))
            return -EINVAL;
    }
    atomic_fetch_or(&v->pause_flags, VPF_BLOCKED);
    evtchn_poll_begin(v, nr == 1 ? (int32_t)ports[0] : -1);

    ready = vcpu_event_deliverable(v);
    for (unsigned i = 0; i < nr && !ready; i++)
        ready = evtchn_port_pending(d, ports[i]);
    if (ready) {
        vcpu_unblock(v);
        return 0;
    }
    if (timeout_ns)
        timer_set(&v->time.poll, timeout_ns);
    softirq_raise(SOFTIRQ_SCHED);
    return 0;
}
