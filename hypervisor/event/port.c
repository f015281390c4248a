/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.c - the port table of a domain: allocation, closing, teardown, audit
 *
 *   I1  the pair of an interdomain channel point at each other; both ends change under both locks.
 *   I2  a port below `valid` stays valid until the table is freed: a reader that found a channel may use it (XSA-338).
 *   I3  used has a bit for exactly the ports that are not FREE. Port 0 is never used.
 *   I4  once sealed, no port is allocated: after evtchn_domain_relinquish() nobody names this domain.
 *
 * What it refuses: moving or shrinking the table.
 */
#include "event/evtchn.h"

#include "bug.h"
#include "heap.h"
#include "hv_errno.h"
#include "irq/irq.h"
#include "machine.h"
#include "print.h"

#define MAX_LINKED 64           /* free ports passed over because they are linked; an honest guest has few for a moment */

static unsigned nr_chunks(const struct evtchn_table *t) { return (t->limit + EVTCHN_CHUNK - 1) / EVTCHN_CHUNK; }

static void table_free(struct evtchn_table *t)
{
    for (unsigned i = 0; t->chunk && i < nr_chunks(t); i++)
        heap_free(t->chunk[i]);
    heap_free(t->chunk);
    heap_free(t->used);
    heap_free(t->virqs);
    heap_free(t->fifo_made);
    heap_free(t);
}

int evtchn_domain_create(struct domain *d, unsigned max_port)
{
    struct evtchn_table *t = heap_alloc(sizeof(*t));

    if (!t)
        return -ENOMEM;
    spin_lock_init(&t->lock, RANK_EVTCHN);
    t->limit = MIN(max_port, MAX_EVTCHNS - 1) + 1;
    t->chunk = heap_alloc_array(nr_chunks(t), sizeof(*t->chunk));
    t->used = heap_alloc_array(BITMAP_WORDS(t->limit), sizeof(*t->used));
    t->virqs = heap_alloc_array(d->max_vcpus, sizeof(*t->virqs));
    if (t->chunk)
        t->chunk[0] = heap_alloc_array(EVTCHN_CHUNK, sizeof(struct evtchn));
    if (!t->chunk || !t->chunk[0] || !t->used || !t->virqs) {
        table_free(t);
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
    table_free(t);
}

bool evtchn_port_valid(struct domain *d, unsigned port)
{
    return evtchn_find(d->events, port) != NULL;
}

/*
 * The lowest free port. A FIFO guest may still have the last event of one in a queue, where the next owner's first would
 * be found: such ports are passed over, unless there are no others.
 */
static unsigned free_port(struct evtchn_table *t, unsigned limit)
{
    struct evtchn_fifo *f = evtchn_fifo(t);
    const unsigned lowest = bitmap_next_clear(t->used, limit, 1);
    unsigned p = lowest;

    for (unsigned tries = 0; f && tries < MAX_LINKED && p < MIN(limit, atomic_load(&t->valid)) && fifo_linked(f, p); tries++)
        p = bitmap_next_clear(t->used, limit, p + 1);
    return p < limit ? p : lowest;
}

int evtchn_alloc_port(struct domain *d, uint32_t *port, struct evtchn **chn)
{
    struct evtchn_table *t = d->events;

    ASSERT(spin_is_held(&t->lock));
    if (t->sealed)
        return -EINVAL;
    const unsigned limit = evtchn_fifo(t) ? t->limit : MIN(t->limit, (unsigned)EVTCHN_2L_NR_CHANNELS);
    const unsigned p = free_port(t, limit);
    if (p >= limit)
        return -ENOSPC;
    if (p >= atomic_load(&t->valid)) {
        struct evtchn *chunk = heap_alloc_array(EVTCHN_CHUNK, sizeof(*chunk));
        if (!chunk)
            return -ENOMEM;
        t->chunk[p / EVTCHN_CHUNK] = chunk;             /* p is the lowest port never used, so this is the next chunk */
        atomic_store_explicit(&t->valid, (p / EVTCHN_CHUNK + 1) * EVTCHN_CHUNK, memory_order_release);
    }
    bitmap_set(t->used, p);
    *port = p;
    *chn = evtchn_find(t, p);
    atomic_store(&(*chn)->vcpu, 0);
    atomic_store(&(*chn)->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
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
    evtchn_port_clear(d, port);                         /* the next owner of this number must not inherit an event */
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
    const unsigned p = bitmap_next_set(t->used, t->limit, from);
    spin_unlock(&t->lock);
    return p;
}

/* Close every used port from @from on. Returns the port to go on with when preempted, 0 when done. */
static unsigned close_from(struct domain *d, unsigned from)
{
    struct evtchn_table *t = d->events;
    unsigned p = MAX(from, 1), closed = 0;

    while ((p = next_used(t, p)) < t->limit) {
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
    int rc = cursor ? -ERESTART : 0;
    if (rc == 0 && evtchn_fifo(t)) {
        if (bitmap_next_set(t->used, t->limit, 0) < t->limit)
            rc = -EAGAIN;                               /* it binds meanwhile, perhaps beyond what two levels reach */
        else
            fifo_release(d);
    }
    spin_unlock(&t->lock);
    return rc;
}

int evtchn_domain_relinquish(struct domain *d)
{
    struct evtchn_table *t = d->events;

    if (!t)
        return 0;
    spin_lock(&t->lock);
    t->sealed = true;
    spin_unlock(&t->lock);
    if (close_from(d, 1))
        return -ERESTART;
    spin_lock(&t->lock);
    fifo_release(d);
    spin_unlock(&t->lock);
    return 0;
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
    pr_info("  event channels: %s\n", evtchn_fifo(t) ? "FIFO" : "two levels");
    for (unsigned p = 1; (p = bitmap_next_set(t->used, t->limit, p)) < t->limit; p++) {
        const struct evtchn *c = evtchn_find(t, p);
        const enum evtchn_state s = evtchn_state(c);
        pr_info("  port %u [%s%s] %s %u vcpu %u dom %d\n", p,
                evtchn_port_pending(d, p) ? "P" : "-", evtchn_port_masked(d, p) ? "M" : "-", name[s], c->number,
                atomic_load(&c->vcpu),
                s == EVTCHN_INTERDOMAIN ? c->remote->id : s == EVTCHN_UNBOUND ? c->remote_id : -1);
    }
    spin_unlock(&t->lock);
}

static void audit_port(struct domain *d, uint32_t port, const struct evtchn *c)
{
    const struct evtchn_table *t = d->events;
    const enum evtchn_state s = evtchn_state(c);

    BUG_ON((s != EVTCHN_FREE) != (port < t->limit && bitmap_test(t->used, port)));              /* I3 */
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
    BUG_ON(valid % EVTCHN_CHUNK != 0 || valid > nr_chunks(t) * EVTCHN_CHUNK);
    for (uint32_t p = 0; p < valid; p++)
        audit_port(d, p, evtchn_find(t, p));
    BUG_ON(valid < t->limit && bitmap_next_set(t->used, t->limit, valid) < t->limit);
    fifo_audit(d);
    for (unsigned id = 0; id < d->max_vcpus; id++) {
        for (unsigned virq = 0; virq < NR_VIRQS; virq++) {
            const unsigned port = atomic_load(&t->virqs[id].port[virq]);
            const struct evtchn *c = port ? evtchn_find(t, port) : NULL;
            BUG_ON(port && (!c || evtchn_state(c) != EVTCHN_VIRQ || c->number != virq));
        }
    }
}
