/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - a domain's grant table and maptrack; private to grant/
 *
 * Locks: gt->lock (GRANT) of the granter for its active entries and for every handle that names it; gt->maptrack_lock
 * (MAPTRACK) of the mapper for its free list, taken inside.
 */
#ifndef PARAVANE_GRANT_TABLE_H
#define PARAVANE_GRANT_TABLE_H

#include "grant/grant.h"

#define GRANTS_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define PIN_MAX 255             /* pins of a kind per entry; ours, as in Xen */

/* What is lent right now through entry @ref. */
struct grant_active {
    mfn_t frame;                /* valid while pinned */
    domid_t domid;              /* to whom, while pinned */
    uint8_t readers, writers;   /* pins */
};

/* One handle of a mapper. */
struct maptrack {
    uint32_t ref;
    domid_t domid;              /* granter */
    uint16_t flags;             /* GNTMAP_*; host_map and device_map: which mappings are left. 0: handle not in use */
    uint32_t next_free;
    bool closing;               /* nothing mapped any more, pin not dropped yet */
};
#define MAPTRACK_PER_CHUNK 256u /* about a page; max_maptrack_frames counts these */

struct grant_table {
    spinlock_t lock;            /* RANK_GRANT */
    /* fixed */
    unsigned max_frames, max_chunks;
    /* under lock; arrays of max_frames pointers, entries below nr_frames are set and never move */
    unsigned nr_frames;
    uint32_t writing;           /* writing pins of all entries */
    bool sealed;                /* the domain is dying: nothing more is lent, shared[] is gone */
    struct grant_entry_v1 **shared;
    struct grant_active **active;

    spinlock_t maptrack_lock;   /* RANK_MAPTRACK */
    /* under maptrack_lock; chunks never move */
    uint32_t free_head;         /* MAPTRACK_NONE: none */
    _Atomic uint32_t handles;   /* handles below this have a chunk; only grows, stored with release */
    uint32_t live;              /* handles in use */
    struct maptrack **chunk;    /* array of max_chunks pointers */
    uint32_t release_cursor;    /* grant_domain_relinquish() */
};
#define MAPTRACK_NONE UINT32_MAX

/* The active entry @ref, or NULL beyond the table. Lock held. */
static inline struct grant_active *grant_active_of(const struct grant_table *gt, uint32_t ref)
{
    return ref / GRANTS_PER_FRAME < gt->nr_frames ? &gt->active[ref / GRANTS_PER_FRAME][ref % GRANTS_PER_FRAME] : NULL;
}

static inline struct grant_entry_v1 *grant_shared_of(const struct grant_table *gt, uint32_t ref)
{
    return &gt->shared[ref / GRANTS_PER_FRAME][ref % GRANTS_PER_FRAME];
}

static inline bool grant_pinned(const struct grant_active *a) { return a->readers || a->writers; }

/*
 * Lock of @rd's table held. Pin entry @ref of @rd for domain @to: GNTST_okay and the frame, with I1's references; or
 * a negative GNTST_* and nothing changed.
 */
MUST_CHECK int16_t grant_pin(struct domain *rd, uint32_t ref, domid_t to, bool readonly, mfn_t *frame);
void grant_unpin(struct domain *rd, uint32_t ref, bool readonly);

/* A new handle of @d, not visible yet (flags 0), or MAPTRACK_NONE. */
MUST_CHECK uint32_t maptrack_alloc(struct domain *d);
void maptrack_free(struct domain *d, uint32_t handle);
/* NULL when @handle was never allocated; it may still be unused. */
struct maptrack *maptrack_of(const struct grant_table *gt, uint32_t handle);

#endif
