/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * evtchn.h - the port table and the two ABIs that make a port's event visible; private to event/
 *
 * Locks: table->lock (RANK_EVTCHN), pairs by domid, guards every change of a port and of the ABI in use. Delivery of
 * VIRQs, pirqs and IPIs does not take it: see deliver.c. The FIFO queues have a lock of their own (RANK_FIFO, irq off).
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
    _Atomic uint8_t priority;   /* FIFO: 0 is first, 15 last */
    _Atomic uint16_t vcpu;      /* which vCPU is notified */
    /* under lock */
    uint16_t remote_id;         /* UNBOUND: who may bind */
    /* under the FIFO lock */
    uint16_t queue_vcpu;        /* whose queue of which priority it was linked into last; outlives the binding */
    uint8_t queue_priority;
    bool early;                 /* raised before its page of the event array was there */
    /* under lock */
    uint32_t number;            /* INTERDOMAIN: the peer's port; PIRQ: pirq; VIRQ: virq */
    struct domain *remote;      /* INTERDOMAIN: the peer; alive because its teardown closes this pair first */
};

#define EVTCHN_CHUNK 64         /* ports per chunk; validity grows in these steps */

/* A row of VIRQ ports per vCPU; global VIRQs are in row 0. 0: not bound. */
struct virq_row {
    _Atomic uint32_t port[NR_VIRQS];
};

struct evtchn_fifo;             /* fifo.c */

struct evtchn_table {
    spinlock_t lock;
    unsigned limit;             /* fixed: usable ports are 1 .. limit - 1, and below 4096 with two levels */
    _Atomic unsigned valid;     /* ports below this have a chunk; only grows, stored with release */
    struct evtchn **chunk;      /* enough for limit; chunks never move, freed with the domain */
    _Atomic(struct evtchn_fifo *) fifo;                 /* the ABI in use: NULL, two levels. Changes under lock, read without */
    /* under lock */
    struct evtchn_fifo *fifo_made;                      /* what `fifo` is when it is not NULL; freed with the table */
    uint64_t *used;             /* limit bits: state != FREE */
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

/* Make @port of @d pending and notify its vCPU, by the ABI in use. Any context, no lock needed. */
void evtchn_deliver(struct domain *d, uint32_t port, struct evtchn *c);
/* Is there anything to see of @port? Any context. */
bool evtchn_port_masked(struct domain *d, uint32_t port);
/* Nothing is pending on @port any more. */
void evtchn_port_clear(struct domain *d, uint32_t port);
/* Set @v's upcall flag, and wake or kick it if that was clear. */
void evtchn_upcall(struct vcpu *v);

/* ---- two_level.c: bitmaps in shared_info. Ports the ABI cannot name have no event. ---- */

bool two_level_raise(struct domain *d, uint32_t port, const struct evtchn *c);     /* true: was not pending */
void two_level_unmask(struct domain *d, uint32_t port, const struct evtchn *c);
bool two_level_pending(struct domain *d, uint32_t port);
bool two_level_masked(struct domain *d, uint32_t port);
bool two_level_clear(struct domain *d, uint32_t port);                              /* true: was pending */

/* ---- fifo.c: words in an array of the guest's pages, linked into queues. ---- */

/* The FIFO state when that is @t's ABI now, or NULL: two levels. Any context. */
static inline struct evtchn_fifo *evtchn_fifo(const struct evtchn_table *t) { return atomic_load(&t->fifo); }
bool fifo_raise(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c);     /* true: was not pending */
void fifo_unmask(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c);
bool fifo_pending(struct evtchn_fifo *f, uint32_t port, const struct evtchn *c);
bool fifo_masked(struct evtchn_fifo *f, uint32_t port);
/* The guest has not taken it off its queue yet: whoever gets the number next would be told there. */
bool fifo_linked(struct evtchn_fifo *f, uint32_t port);
void fifo_clear(struct domain *d, struct evtchn_fifo *f, uint32_t port, struct evtchn *c);

/* ---- fifo_setup.c: pages and the change of ABI. ---- */

/* Lock held: back to two levels, every page given back. Deliveries under way find nothing any more. */
void fifo_release(struct domain *d);
void fifo_audit(struct domain *d);

#endif
