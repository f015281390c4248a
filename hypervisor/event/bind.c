/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bind.c - what a port can be bound to
 *
 * Each call decides under the lock, allocates a port, and then only writes: an error leaves no trace (XSA-496). Ports
 * are published by their state, last (release), because delivery reads them without the lock.
 */
#include "event/evtchn.h"

#include "bug.h"
#include "hv_errno.h"
#include "irq/irq.h"

bool virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port)
{
    struct evtchn *c;
    int rc;

    spin_lock(&d->events->lock);
    rc = evtchn_alloc_port(d, port, &c);
    if (rc == 0) {
        c->remote_id = remote;
        evtchn_set_state(c, EVTCHN_UNBOUND);
    }
    spin_unlock(&d->events->lock);
    return rc;
}

int evtchn_bind_interdomain(struct domain *ld, struct domain *rd, uint32_t rport, uint32_t *lport)
{
    struct evtchn *rc_chn = evtchn_find(rd->events, rport), *lc;
    int rc = -EINVAL;

    if (!rc_chn)
        return -EINVAL;
    spin_lock_pair(&ld->events->lock, ld->id, &rd->events->lock, rd->id);
    if (evtchn_state(rc_chn) != EVTCHN_UNBOUND || rc_chn->remote_id != ld->id)
        goto out;
    rc = evtchn_alloc_port(ld, lport, &lc);
    if (rc)
        goto out;
    lc->remote = rd;
    lc->number = rport;
    rc_chn->remote = ld;
    rc_chn->number = *lport;
    evtchn_set_state(rc_chn, EVTCHN_INTERDOMAIN);
    evtchn_set_state(lc, EVTCHN_INTERDOMAIN);
    /* ABI: what the peer wrote before it was bound would otherwise go unnoticed (abi-map pitfall 12). */
    evtchn_deliver(ld, *lport, lc);
out:
    spin_unlock_pair(&ld->events->lock, &rd->events->lock);
    return rc;
}

int evtchn_bind_virq(struct domain *d, unsigned virq, unsigned vcpu, uint32_t *port)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c;
    int rc;

    if (virq >= NR_VIRQS || (virq_is_global(virq) && vcpu != 0))
        return -EINVAL;
    if (!domain_vcpu(d, vcpu))
        return -ENOENT;
    spin_lock(&t->lock);
    if (atomic_load(&t->virqs[vcpu].port[virq]) != 0) {
        rc = -EEXIST;
    } else {
        rc = evtchn_alloc_port(d, port, &c);
        if (rc == 0) {
            c->number = virq;
            atomic_store(&c->vcpu, (uint16_t)vcpu);
            evtchn_set_state(c, EVTCHN_VIRQ);
            atomic_store(&t->virqs[vcpu].port[virq], *port);
        }
    }
    spin_unlock(&t->lock);
    return rc;
}

int evtchn_bind_ipi(struct domain *d, unsigned vcpu, uint32_t *port)
{
    struct evtchn *c;
    int rc;

    if (!domain_vcpu(d, vcpu))
        return -ENOENT;
    spin_lock(&d->events->lock);
    rc = evtchn_alloc_port(d, port, &c);
    if (rc == 0) {
        atomic_store(&c->vcpu, (uint16_t)vcpu);
        evtchn_set_state(c, EVTCHN_IPI);
    }
    spin_unlock(&d->events->lock);
    return rc;
}

int evtchn_bind_pirq(struct domain *d, unsigned pirq, uint32_t flags, uint32_t *port)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c;
    int rc;

    if (pirq >= MAX_PIRQS)
        return -EINVAL;
    spin_lock(&t->lock);
    rc = evtchn_alloc_port(d, port, &c);
    if (rc == 0)
        c->number = pirq;
    spin_unlock(&t->lock);
    if (rc)
        return rc;

    /*
     * The PIRQ lock ranks outside ours. The port stays RESERVED, so that nobody closes it; an interrupt that comes
     * before it is PIRQ is delivered all the same.
     */
    rc = pirq_bind(d, pirq, *port, flags & BIND_PIRQ__WILL_SHARE);

    spin_lock(&t->lock);
    if (rc)
        evtchn_free_port(d, *port);
    else
        evtchn_set_state(c, EVTCHN_PIRQ);
    spin_unlock(&t->lock);
    return rc;
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, unsigned vcpu)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c = evtchn_find(t, port);
    int rc = -EINVAL;

    if (!domain_vcpu(d, vcpu))
        return -ENOENT;
    if (!c)
        return -EINVAL;
    spin_lock(&t->lock);
    switch (evtchn_state(c)) {
    case EVTCHN_VIRQ:
        if (!virq_is_global(c->number))
            break;
        /* fall through */
    case EVTCHN_UNBOUND:
    case EVTCHN_INTERDOMAIN:
    case EVTCHN_PIRQ:
        atomic_store(&c->vcpu, (uint16_t)vcpu);
        rc = 0;
        break;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_IPI:
        break;
    }
    spin_unlock(&t->lock);
    return rc;
}
