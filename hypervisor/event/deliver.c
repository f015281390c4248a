/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deliver.c - making a guest notice: send, VIRQ, pirq, unmask, poll
 *
 * ABI: xen.h shared_info, event_channel.h; the 2-level protocol. In this order, each step an atomic exchange that goes
 * on only at a 0 -> 1 transition: pending bit, (if not masked) selector bit, upcall flag, then vcpu_kick().
 *
 * Why no event is lost without a lock. The sender's steps are full barriers, so are those of the receiver:
 *   block   the vCPU stores VPF_BLOCKED, then reads the upcall flag (sched/block.c); the sender stores the flag, then
 *           reads VPF_BLOCKED: one of them sees the other's store.
 *   poll    the vCPU enters `pollers`, then reads the pending bits; the sender stores pending, then reads `pollers`.
 *   guest   clears the upcall flag, then the selector, then scans pending words: what is set after its read finds
 *           0 in an outer flag and sets it again.
 *   vcpu_info moves (VCPUOP_register_vcpu_info): a sender may set bits in the old place, after the copy; but it set
 *           pending before it read v->info, and evtchn_force_scan() makes the guest look at every pending word.
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

static void mark_pending(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

static void select_word(struct vcpu *v, unsigned word)
{
    if (!bitmap_atomic_set(&v->info->evtchn_pending_sel, word))
        mark_pending(v);
    if (!mfn_eq(v->info_mfn, MFN_INVALID))
        dirty_log_mark(v->domain, v->info_mfn);         /* guest memory, marked after the write; shared_info has its own record */
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

void evtchn_deliver(struct domain *d, uint32_t port, unsigned vcpu)
{
    struct shared_info *s = d->shared_info;
    struct vcpu *v;

    if (bitmap_atomic_set(s->evtchn_pending, port))
        return;
    if (!bitmap_test(s->evtchn_mask, port) && (v = domain_vcpu(d, vcpu)) != NULL)
        select_word(v, port / 64);
    wake_pollers(d, port);
}

static void deliver_numbered(struct domain *d, uint32_t port, const struct evtchn *c)
{
    evtchn_deliver(d, port, atomic_load_explicit(&c->vcpu, memory_order_relaxed));
}

int evtchn_send(struct domain *d, uint32_t port)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c = evtchn_find(t, port);
    int rc = 0;

    if (!c)
        return -EINVAL;
    if (evtchn_state(c) == EVTCHN_IPI) {                /* the hot one: own domain only, no lock */
        deliver_numbered(d, port, c);
        return 0;
    }
    spin_lock(&t->lock);                                /* keeps the peer from finishing its teardown */
    switch (evtchn_state(c)) {
    case EVTCHN_INTERDOMAIN:
        deliver_numbered(c->remote, c->number, evtchn_find(c->remote->events, c->number));
        break;
    case EVTCHN_IPI:
        deliver_numbered(d, port, c);
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
        deliver_numbered(d, port, evtchn_find(t, port));
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
    deliver_numbered(d, port, c);
    return true;
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *c = evtchn_find(d->events, port);
    struct shared_info *s = d->shared_info;
    struct vcpu *v;

    if (!c)
        return -EINVAL;
    if (bitmap_atomic_clear(s->evtchn_mask, port) && bitmap_test(s->evtchn_pending, port) &&
        (v = domain_vcpu(d, atomic_load(&c->vcpu))) != NULL)
        select_word(v, port / 64);
    return 0;
}

void evtchn_force_scan(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
    mark_pending(v);
}

bool evtchn_port_pending(struct domain *d, unsigned port)
{
    return bitmap_test(d->shared_info->evtchn_pending, port);
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
