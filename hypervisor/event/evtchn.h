/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * evtchn.h - the port table; private to event/
 *
 * Locks: table->lock (RANK_EVTCHN), pairs by domid, guards every change of a port. Delivery of VIRQs, pirqs and IPIs
 * takes no lock: see deliver.c.
 */
#ifndef PARAVANE_EVTCHN_H
#define PARAVANE_EVTCHN_H

#include "event/event.h"

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED,            /* being bound to a pirq, or unbound from it, by the CPU that reserved it */
    EVTCHN_UNBOUND,
    EVTCHN_INTERDOMAIN,
    EVTCHN_PIRQ,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
};

struct evtchn {
    /* written under lock, read without it by deliver.c */
    _Atomic uint8_t state;      /* enum evtchn_state */
    _Atomic uint16_t vcpu;      /* which vCPU is notified */
    /* under lock */
    uint16_t remote_id;         /* UNBOUND: who may bind */
    uint16_t number;            /* INTERDOMAIN: the peer's port; PIRQ: pirq; VIRQ: virq */
    struct domain *remote;      /* INTERDOMAIN: the peer; alive because its teardown closes this pair first */
};

#define EVTCHN_CHUNK 64         /* ports per chunk; validity grows in these steps */

/* A row of VIRQ ports per vCPU; global VIRQs are in row 0. 0: not bound. */
struct virq_row {
    _Atomic uint16_t port[NR_VIRQS];
};

struct evtchn_table {
    spinlock_t lock;
    unsigned limit;             /* fixed: usable ports are 1 .. limit - 1 */
    _Atomic unsigned valid;     /* ports below this have a chunk; only grows, stored with release */
    struct evtchn *chunk[MAX_EVTCHNS / EVTCHN_CHUNK];   /* never move, freed with the domain */
    /* under lock */
    uint64_t used[BITMAP_WORDS(MAX_EVTCHNS)];           /* state != FREE */
    bool sealed;                /* the domain is dying: nothing is bound any more */
    unsigned reset_cursor;      /* where a preempted reset goes on; 0: from the start */
    /* atomic */
    uint64_t pollers[BITMAP_WORDS(MAX_VCPUS)];          /* vCPUs with poll_port != 0 */
    struct virq_row *virqs;     /* fixed array, one row per vCPU */
};

/* The channel of @port, or NULL when it was never allocated. Any context, no lock. */
static inline struct evtchn *evtchn_find(const struct evtchn_table *t, uint32_t port)
{
    return port < atomic_load_explicit(&t->valid, memory_order_acquire)
        ? &t->chunk[port / EVTCHN_CHUNK][port % EVTCHN_CHUNK] : NULL;
}

static inline enum evtchn_state evtchn_state(const struct evtchn *c)
{
    return (enum evtchn_state)atomic_load_explicit(&c->state, memory_order_acquire);
}

static inline void evtchn_set_state(struct evtchn *c, enum evtchn_state s)
{
    atomic_store_explicit(&c->state, (uint8_t)s, memory_order_release);
}

bool virq_is_global(unsigned virq);

/* Lock held. Lowest free port, marked RESERVED; -ENOSPC, -ENOMEM, -EINVAL (dying). */
MUST_CHECK int evtchn_alloc_port(struct domain *d, uint32_t *port, struct evtchn **chn);
/* Lock held. Back to FREE; whoever pointed to the port has been told before. */
void evtchn_free_port(struct domain *d, uint32_t port);

/* Set @port of @d pending and notify vCPU @vcpu: the 2-level protocol. Any context, no lock needed. */
void evtchn_deliver(struct domain *d, uint32_t port, unsigned vcpu);

#endif
