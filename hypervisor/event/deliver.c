/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deliver.c - making a guest notice: send, VIRQ, pirq, unmask, poll
 *
 * How an event becomes visible is the ABI's (two_level.c, fifo.c); both end with the upcall flag and vcpu_kick().
 *
 * Why no event is lost without a lock over the whole. The sender's steps are full barriers, so are those of the receiver:
 *   block   the vCPU stores VPF_BLOCKED, then reads the upcall flag (sched/block.c); the sender stores the flag, then
 *           reads VPF_BLOCKED: one of them sees the other's store.
 *   poll    the vCPU enters `pollers`, then reads the pending bits; the sender stores pending, then reads `pollers`.
 *   vcpu_info moves (VCPUOP_register_vcpu_info): a sender may set bits in the old place, after the copy; but it set
 *           pending before it read v->info, and evtchn_force_scan() makes the guest look at everything.
 *   the ABI changes (EVTCHNOP_init_control): the sender sets its 2-level bit, then looks which ABI it is; the other side
 *           changes the ABI, then looks at the bits.
 *
 * Delivery by number (VIRQ, pirq, IPI) reads the port table without the lock. A close that races can make a number
 * fire once more, or hit the next owner of it: both ports are the same domain's, a spurious event is all it can get.
 * What the guest does to the shared words harms only its own delivery: nothing here depends on what it finds there.
 */
#include "event/evtchn.h"

#include "bug.h"
#include "hv_errno.h"
#include "mm/dirty_log.h"
#include "sched/sched.h"

void evtchn_upcall(struct vcpu *v)
{
    if (__atomic_exchange_n(&v->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        return;
    if (!mfn_eq(v->info_mfn, MFN_INVALID))
        dirty_log_mark(v->domain, v->info_mfn);         /* guest memory, marked after the write; shared_info has its own record */
    vcpu_kick(v);
}

static void wake_pollers(struct domain *d, uint32_t port)
{
    struct evtchn_table *t = d->events;

    for (unsigned w = 0; w < ARRAY_SIZE(t->pollers); w++) {
        uint64_t m = __atomic_load_n(&t->pollers[w], __ATOMIC_SEQ_CST);
        for (; m; m &= m - 1) {
            struct vcpu *v = domain_vcpu(d, w * 64 + (unsigned)__builtin_ctzl(m));
            const int32_t want = v ? atomic_load(&v->poll_port) : 0;
            if (want == -1 || want == (int32_t)port)
                vcpu_unblock(v);
        }
    }
}

static bool raise(struct domain *d, uint32_t port, struct evtchn *c)
{
    struct evtchn_fifo *f = evtchn_fifo(d->events);

    if (!f) {
        const bool fresh = two_level_raise(d, port, c);
        f = evtchn_fifo(d->events);
        if (likely(!f))
            return fresh;
    }
    return fifo_raise(d, f, port, c);
}

void evtchn_deliver(struct domain *d, uint32_t port, struct evtchn *c)
{
    if (raise(d, port, c))
        wake_pollers(d, port);
}

int evtchn_send(struct domain *d, uint32_t port)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c = evtchn_find(t, port);
    int rc = 0;

    if (!c)
        return -EINVAL;
    if (evtchn_state(c) == EVTCHN_IPI) {                /* the hot one: own domain only, no lock */
        evtchn_deliver(d, port, c);
        return 0;
    }
    spin_lock(&t->lock);                                /* keeps the peer from finishing its teardown */
    switch (evtchn_state(c)) {
    case EVTCHN_INTERDOMAIN:
        evtchn_deliver(c->remote, c->number, evtchn_find(c->remote->events, c->number));
        break;
    case EVTCHN_IPI:
        evtchn_deliver(d, port, c);
        break;
    case EVTCHN_UNBOUND:
        break;                                          /* ABI: silently dropped, the peer may come back */
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_PIRQ:
    case EVTCHN_VIRQ:
        rc = -EINVAL;
        break;
    }
    spin_unlock(&t->lock);
    return rc;
}

static void virq_send(struct domain *d, unsigned row, unsigned virq)
{
    struct evtchn_table *t = d->events;

    ASSERT(virq < NR_VIRQS);
    if (!t)
        return;
    const uint32_t port = atomic_load(&t->virqs[row].port[virq]);
    if (port)
        evtchn_deliver(d, port, evtchn_find(t, port));
}

void virq_send_vcpu(struct vcpu *v, unsigned virq)
{
    ASSERT(!virq_is_global(virq));
    virq_send(v->domain, v->id, virq);
}

void virq_send_global(struct domain *d, unsigned virq)
{
    ASSERT(virq_is_global(virq));
    if (d)
        virq_send(d, 0, virq);
}

bool evtchn_send_pirq(struct domain *d, unsigned port)
{
    struct evtchn *c = evtchn_find(d->events, port);

    if (!c || (evtchn_state(c) != EVTCHN_PIRQ && evtchn_state(c) != EVTCHN_RESERVED))
        return false;
    evtchn_deliver(d, port, c);
    return true;
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *c = evtchn_find(d->events, port);
    struct evtchn_fifo *f = evtchn_fifo(d->events);

    if (!c)
        return -EINVAL;
    if (f)
        fifo_unmask(d, f, port, c);
    else
        two_level_unmask(d, port, c);
    return 0;
}

void evtchn_force_scan(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
    evtchn_upcall(v);
}

bool evtchn_port_pending(struct domain *d, unsigned port)
{
    struct evtchn_fifo *f = evtchn_fifo(d->events);

    return f ? fifo_pending(f, port, evtchn_find(d->events, port)) : two_level_pending(d, port);
}

bool evtchn_port_masked(struct domain *d, uint32_t port)
{
    struct evtchn_fifo *f = evtchn_fifo(d->events);

    return f ? fifo_masked(f, port) : two_level_masked(d, port);
}

void evtchn_port_clear(struct domain *d, uint32_t port)
{
    struct evtchn_fifo *f = evtchn_fifo(d->events);

    if (f)
        fifo_clear(d, f, port, evtchn_find(d->events, port));
    else
        (void)two_level_clear(d, port);
}

void evtchn_poll_begin(struct vcpu *v, int32_t port)
{
    ASSERT(port != 0);
    atomic_store(&v->poll_port, port);
    (void)bitmap_atomic_set(v->domain->events->pollers, v->id);
}

void evtchn_poll_end(struct vcpu *v)
{
    if (atomic_load(&v->poll_port) == 0)
        return;
    atomic_store(&v->poll_port, 0);
    (void)bitmap_atomic_clear(v->domain->events->pollers, v->id);
}
