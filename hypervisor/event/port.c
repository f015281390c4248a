/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.c - the port table of a domain: allocation, closing, teardown, audit
 *
 *   I1  the pair of an interdomain channel point at each other; both ends change under both locks.
 *   I2  a port below `valid` stays valid until the table is freed: a reader that found a channel may use it (XSA-338).
 *   I3  used has a bit for exactly the ports that are not FREE. Port 0 is never used.
 *   I4  once sealed, no port is allocated: after evtchn_domain_relinquish() nobody names this domain.
 *
 * What it refuses: moving or shrinking the table; the FIFO ABI (the guest falls back to two levels).
 */
#include "event/evtchn.h"

#include "bug.h"
#include "heap.h"
#include "hv_errno.h"
#include "irq/irq.h"
#include "machine.h"
#include "print.h"

int evtchn_domain_create(struct domain *d, unsigned max_port)
{
    struct evtchn_table *t = heap_alloc(sizeof(*t));

    if (!t)
        return -ENOMEM;
    spin_lock_init(&t->lock, RANK_EVTCHN);
    t->limit = MIN(max_port, MAX_EVTCHNS - 1) + 1;
    t->chunk[0] = heap_alloc_array(EVTCHN_CHUNK, sizeof(struct evtchn));
    t->virqs = heap_alloc_array(d->max_vcpus, sizeof(*t->virqs));
    if (!t->chunk[0] || !t->virqs) {
        heap_free(t->chunk[0]);
        heap_free(t->virqs);
        heap_free(t);
        return -ENOMEM;
    }
    atomic_store(&t->valid, EVTCHN_CHUNK);
    d->events = t;
    return 0;
}

void evtchn_domain_destroy(struct domain *d)
{
    struct evtchn_table *t = d->events;

    if (!t)
        return;
    d->events = NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(t->chunk); i++)
        heap_free(t->chunk[i]);
    heap_free(t->virqs);
    heap_free(t);
}

bool evtchn_port_valid(struct domain *d, unsigned port)
{
    return evtchn_find(d->events, port) != NULL;
}

int evtchn_alloc_port(struct domain *d, uint32_t *port, struct evtchn **chn)
{
    struct evtchn_table *t = d->events;
    const unsigned p = bitmap_next_clear(t->used, t->limit, 1);

    ASSERT(spin_is_held(&t->lock));
    if (t->sealed)
        return -EINVAL;
    if (p >= t->limit)
        return -ENOSPC;
    if (p >= atomic_load(&t->valid)) {
        struct evtchn *chunk = heap_alloc_array(EVTCHN_CHUNK, sizeof(*chunk));
        if (!chunk)
            return -ENOMEM;
        t->chunk[p / EVTCHN_CHUNK] = chunk;             /* p is the lowest free port, so this is the next chunk */
        atomic_store_explicit(&t->valid, (p / EVTCHN_CHUNK + 1) * EVTCHN_CHUNK, memory_order_release);
    }
    bitmap_set(t->used, p);
    *port = p;
    *chn = evtchn_find(t, p);
    atomic_store(&(*chn)->vcpu, 0);
    evtchn_set_state(*chn, EVTCHN_RESERVED);
    return 0;
}

void evtchn_free_port(struct domain *d, uint32_t port)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c = evtchn_find(t, port);

    ASSERT(spin_is_held(&t->lock) && c && port != 0);
    evtchn_set_state(c, EVTCHN_FREE);
    atomic_store(&c->vcpu, 0);
    c->remote = NULL;
    bitmap_clear(t->used, port);
    /* The next owner of this number must not inherit an event. */
    (void)bitmap_atomic_clear(d->shared_info->evtchn_pending, port);
}

/* Both locks held: the peer waits again, for @d only (abi-map pitfall 13). */
static void detach_peer(struct domain *d, struct evtchn *c)
{
    struct evtchn *peer = evtchn_find(c->remote->events, c->number);

    BUG_ON(!peer || peer->remote != d);                 /* I1 */
    peer->remote = NULL;
    peer->remote_id = d->id;
    evtchn_set_state(peer, EVTCHN_UNBOUND);
}

/* @c is interdomain with another domain, lock held; released on return. False: it changed meanwhile, look again. */
static bool close_interdomain(struct domain *d, uint32_t port, struct evtchn *c)
{
    struct evtchn_table *t = d->events;
    struct domain *rd = c->remote;
    bool same;

    /* The lock keeps rd's teardown from finishing, so a reference may be taken; it outlives the gap below. */
    domain_get(rd);
    spin_unlock(&t->lock);
    spin_lock_pair(&t->lock, d->id, &rd->events->lock, rd->id);
    same = evtchn_state(c) == EVTCHN_INTERDOMAIN && c->remote == rd;
    if (same) {
        detach_peer(d, c);
        evtchn_free_port(d, port);
    }
    spin_unlock_pair(&t->lock, &rd->events->lock);
    domain_put(rd);
    return same;
}

/* Lock held; released meanwhile, because PIRQ ranks outside. RESERVED keeps everybody else off the port. */
static void close_pirq(struct domain *d, uint32_t port, struct evtchn *c)
{
    struct evtchn_table *t = d->events;

    evtchn_set_state(c, EVTCHN_RESERVED);
    spin_unlock(&t->lock);
    pirq_unbind(d, c->number);
    spin_lock(&t->lock);
    evtchn_free_port(d, port);
}

int evtchn_close(struct domain *d, uint32_t port)
{
    struct evtchn_table *t = d->events;
    struct evtchn *c = evtchn_find(t, port);

    if (!c)
        return -EINVAL;
again:
    spin_lock(&t->lock);
    switch (evtchn_state(c)) {
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
        spin_unlock(&t->lock);
        return -EINVAL;
    case EVTCHN_INTERDOMAIN:
        if (c->remote != d) {
            if (close_interdomain(d, port, c))
                return 0;
            goto again;
        }
        detach_peer(d, c);
        evtchn_free_port(d, port);
        break;
    case EVTCHN_PIRQ:
        close_pirq(d, port, c);
        break;
    case EVTCHN_VIRQ:
        atomic_store(&t->virqs[virq_is_global(c->number) ? 0 : atomic_load(&c->vcpu)].port[c->number], 0);
        evtchn_free_port(d, port);
        break;
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        evtchn_free_port(d, port);
        break;
    }
    spin_unlock(&t->lock);
    return 0;
}

static unsigned next_used(struct evtchn_table *t, unsigned from)
{
    spin_lock(&t->lock);
    const unsigned p = bitmap_next_set(t->used, MAX_EVTCHNS, from);
    spin_unlock(&t->lock);
    return p;
}

/* Close every used port from @from on. Returns the port to go on with when preempted, 0 when done. */
static unsigned close_from(struct domain *d, unsigned from)
{
    struct evtchn_table *t = d->events;
    unsigned p = MAX(from, 1), closed = 0;

    while ((p = next_used(t, p)) < MAX_EVTCHNS) {
        if (++closed % 32 == 0 && machine_preempt_pending())
            return p;
        (void)evtchn_close(d, p++);                     /* lost to a racing close: just as good */
    }
    return 0;
}

int evtchn_reset(struct domain *d)
{
    struct evtchn_table *t = d->events;
    unsigned cursor;

    spin_lock(&t->lock);
    cursor = t->reset_cursor;
    spin_unlock(&t->lock);

    cursor = close_from(d, cursor);                     /* one ascending pass: a guest that keeps binding cannot hold it */

    spin_lock(&t->lock);
    t->reset_cursor = cursor;
    spin_unlock(&t->lock);
    return cursor ? -ERESTART : 0;
}

int evtchn_domain_relinquish(struct domain *d)
{
    struct evtchn_table *t = d->events;

    if (!t)
        return 0;
    spin_lock(&t->lock);
    t->sealed = true;
    spin_unlock(&t->lock);
    return close_from(d, 1) ? -ERESTART : 0;
}

int evtchn_status(struct domain *d, struct evtchn_status *st)
{
    static const uint8_t abi[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_closed, [EVTCHN_RESERVED] = EVTCHNSTAT_closed,
        [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound, [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [EVTCHN_PIRQ] = EVTCHNSTAT_pirq, [EVTCHN_VIRQ] = EVTCHNSTAT_virq, [EVTCHN_IPI] = EVTCHNSTAT_ipi,
    };
    struct evtchn_table *t = d->events;
    struct evtchn *c = evtchn_find(t, st->port);

    if (!c)
        return -EINVAL;
    spin_lock(&t->lock);
    const enum evtchn_state s = evtchn_state(c);
    st->status = abi[s];
    st->vcpu = atomic_load(&c->vcpu);
    switch (s) {
    case EVTCHN_UNBOUND:
        st->u.unbound.dom = c->remote_id;
        break;
    case EVTCHN_INTERDOMAIN:
        st->u.interdomain.dom = c->remote->id;
        st->u.interdomain.port = c->number;
        break;
    case EVTCHN_PIRQ:
        st->u.pirq = c->number;
        break;
    case EVTCHN_VIRQ:
        st->u.virq = c->number;
        break;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_IPI:
        break;
    }
    spin_unlock(&t->lock);
    return 0;
}

void evtchn_dump(struct domain *d)
{
    static const char *const name[] = { "free", "reserved", "unbound", "interdomain", "pirq", "virq", "ipi" };
    struct evtchn_table *t = d->events;

    if (!t)
        return;
    spin_lock(&t->lock);
    for (unsigned p = 1; (p = bitmap_next_set(t->used, MAX_EVTCHNS, p)) < MAX_EVTCHNS; p++) {
        const struct evtchn *c = evtchn_find(t, p);
        const enum evtchn_state s = evtchn_state(c);
        pr_info("  port %u [%s%s] %s %u vcpu %u dom %d\n", p,
                bitmap_test(d->shared_info->evtchn_pending, p) ? "P" : "-",
                bitmap_test(d->shared_info->evtchn_mask, p) ? "M" : "-", name[s], c->number, atomic_load(&c->vcpu),
                s == EVTCHN_INTERDOMAIN ? c->remote->id : s == EVTCHN_UNBOUND ? c->remote_id : -1);
    }
    spin_unlock(&t->lock);
}

static void audit_port(struct domain *d, uint32_t port, const struct evtchn *c)
{
    const struct evtchn_table *t = d->events;
    const enum evtchn_state s = evtchn_state(c);

    BUG_ON((s != EVTCHN_FREE) != bitmap_test(t->used, port));                                   /* I3 */
    BUG_ON(s != EVTCHN_FREE && (port == 0 || port >= t->limit || t->sealed));
    BUG_ON(s == EVTCHN_RESERVED);                                                               /* quiescent */
    BUG_ON((s == EVTCHN_INTERDOMAIN) != (c->remote != NULL));
    BUG_ON(atomic_load(&c->vcpu) != 0 && !domain_vcpu(d, atomic_load(&c->vcpu)));
    if (s == EVTCHN_INTERDOMAIN) {                                                              /* I1 */
        const struct evtchn *peer = evtchn_find(c->remote->events, c->number);
        BUG_ON(!peer || evtchn_state(peer) != EVTCHN_INTERDOMAIN || peer->remote != d || peer->number != port);
        BUG_ON(c->remote->events->sealed);                                                      /* I4 */
    }
    if (s == EVTCHN_VIRQ) {
        BUG_ON(c->number >= NR_VIRQS);
        const unsigned row = virq_is_global(c->number) ? 0 : atomic_load(&c->vcpu);
        BUG_ON(atomic_load(&t->virqs[row].port[c->number]) != port);
    }
}

void evtchn_audit(struct domain *d)
{
    struct evtchn_table *t = d->events;

    if (!t)
        return;
    const unsigned valid = atomic_load(&t->valid);
    BUG_ON(valid % EVTCHN_CHUNK != 0 || valid > MAX_EVTCHNS);
    for (uint32_t p = 0; p < valid; p++)
        audit_port(d, p, evtchn_find(t, p));
    BUG_ON(bitmap_next_set(t->used, MAX_EVTCHNS, valid) != MAX_EVTCHNS);
    for (unsigned id = 0; id < d->max_vcpus; id++) {
        for (unsigned virq = 0; virq < NR_VIRQS; virq++) {
            const unsigned port = atomic_load(&t->virqs[id].port[virq]);
            const struct evtchn *c = port ? evtchn_find(t, port) : NULL;
            BUG_ON(port && (!c || evtchn_state(c) != EVTCHN_VIRQ || c->number != virq));
        }
    }
}
