/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame.h - the frame table: one entry per machine frame below max_mfn
 *
 * Two atomic words carry everything that safety depends on:
 *   ref   owner domid (16) | flags (8) | count (40). Owner and count change in one exchange, so count > 0 implies
 *         the owner is right (XSA-284, XSA-287).
 *   type  what the frame may be used for, and how often it is: see page_type.h
 *
 * A frame that is not RAM (or reserved) has owner DOMID_IO; one of ours has DOMID_XEN; a free one count 0.
 */
#ifndef PARAVANE_FRAME_H
#define PARAVANE_FRAME_H

#include "limits.h"
#include "types.h"

#define FRAME_DOMID_IO 0x7FF1UL         /* ABI: xen.h DOMID_IO, DOMID_XEN; asserted in frame_table.c */
#define FRAME_DOMID_XEN 0x7FF2UL

struct frame {
    _Atomic uint64_t ref;
    _Atomic uint64_t type;
    uint32_t next, prev;        /* mfns; owner's page list (under its PAGE lock) or a free list (HEAP); 0: end */
    uint64_t stamp_progress;    /* bits 47:0 TLB epoch of the last unmap or free; 63:48 progress of a table walk */
};
_Static_assert(sizeof(struct frame) == 32, "two frames a cache line");

extern struct frame *frame_table;
extern uint64_t *m2p_table;     /* our writable view of the machine-to-physical table; NULL before frame_table_init */
extern uint64_t max_mfn;        /* frames are 0 .. max_mfn - 1 */
extern uint64_t max_maddr_mfn;  /* first frame number beyond MAXPHYADDR: an entry naming more faults (RSVD) */

/*
 * Boot, once: @table and @m2p cover frames [0, nr). Every frame starts as "not RAM" (DOMID_IO); RAM is then handed
 * over by frame_alloc_add() (free) or frame_mark_hv() (ours: image, modules, M2P). @phys_bits: CPUID 0x80000008.
 */
void frame_table_init(struct frame *table, uint64_t *m2p, uint64_t nr, unsigned phys_bits);
/* Boot: RAM that is in use by us and was never on a free list: owner DOMID_XEN, one reference. */
void frame_mark_hv(mfn_t first, mfn_t end);

/* Owners that are no domains: page owner "I/O" and "the hypervisor" of foreign mappings (DOMID_IO, DOMID_XEN). */
extern struct domain dom_io, dom_xen;

#define FRAME_OWNER_SHIFT 48
#define FRAME_F_ALLOCATED (1UL << 47)   /* the owner's allocation reference is part of count */
#define FRAME_F_SHARED    (1UL << 46)   /* ours, lent to the owner (shared_info, grant table): never freed by it */
#define FRAME_F_FREE      (1UL << 45)   /* first frame of a block on a free list; count is 0 */
#define FRAME_COUNT_MASK  ((1UL << 40) - 1)

static inline bool mfn_valid(mfn_t m) { return m.n < max_mfn; }
/* @m is valid. */
static inline struct frame *frame_of(mfn_t m) { return &frame_table[m.n]; }
static inline mfn_t mfn_of(const struct frame *f) { return mfn((uint64_t)(f - frame_table)); }
static inline domid_t frame_owner(const struct frame *f)
{
    return (domid_t)(atomic_load_explicit(&f->ref, memory_order_relaxed) >> FRAME_OWNER_SHIFT);
}
/* RAM (ours, a domain's or free) has counts; anything else is mapped without references. Fixed after boot. */
static inline bool mfn_is_ram(mfn_t m) { return mfn_valid(m) && frame_owner(frame_of(m)) != FRAME_DOMID_IO; }

#endif
