/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_type.h - what a frame may be used for, right now
 *
 * A PV guest edits its page tables through us. Safety is one rule: while any CPU can walk a frame as a table,
 * nothing maps it writable. So a frame has one type at a time, and a count of users in that type; the type may
 * change only while the count is zero.
 *
 *   I1  count > 0 and neither BUSY nor PARTIAL: every present entry of a table frame holds one type reference on
 *       its target if that is a table or mapped writable, and one plain reference (page_type_audit() checks).
 *   I2  a frame leaves WRITABLE only after every CPU that may cache a writable translation of it was flushed.
 *   I3  BUSY is held by one CPU, which is validating the table or taking it apart. Taken parent before child
 *       (L4, L3, L2, L1), never sideways.
 *   I4  PARTIAL: exactly the entries [0, progress) hold their references. A validation that must yield leaves
 *       count 0, PARTIAL and one plain reference that the frame holds on itself; whoever wants the frame next
 *       as the same type finishes the job, teardown undoes it, another type is -EBUSY. A release that must yield
 *       leaves count 1, PARTIAL: the caller still owns its reference and calls again (XSA-299, 310).
 *   I5  PINNED is one more type and plain reference with a flag; only UNPIN and teardown clear it (XSA-252).
 *
 * L1 tables are validated in one go (512 entries); a walk over L2..L4 asks hypercall_preempt() before each child.
 * A table of level n may name only tables of level n - 1: no linear page tables (XSA-240).
 *
 * The state is one atomic word per frame. No lock is needed to call in; hold none ranked at or inside HEAP.
 * ABI: xen.h mmu_update, MMUEXT_PIN_L1_TABLE..UNPIN_TABLE. The counts are ours; guests never see them.
 */
#ifndef PARAVANE_PAGE_TYPE_H
#define PARAVANE_PAGE_TYPE_H

#include "mm/frame.h"

enum page_type { PGT_NONE, PGT_L1, PGT_L2, PGT_L3, PGT_L4, PGT_SEG, PGT_WRITABLE };

/* The word: type (4) | flags | count (40). Public for the fast paths of mm/ and the audit only. */
#define PGT_WORD(t)    ((uint64_t)(t) << 60)
#define PGT_PINNED     (1UL << 59)
#define PGT_BUSY       (1UL << 58)
#define PGT_PARTIAL    (1UL << 57)
#define PGT_UNDO       (1UL << 56)      /* with PARTIAL: the validation failed, its references are being returned */
#define PGT_COUNT_MASK ((1UL << 40) - 1)
#define PGT_IN_USE     (PGT_PINNED | PGT_BUSY | PGT_PARTIAL | PGT_COUNT_MASK)   /* none set: the type may change */

/*
 * Take one reference on @m as @want, validating the table if this is its first user. @d: the domain that owns it
 * (and whose rights its entries are judged by). The caller holds a plain reference.
 *
 *   0          @m is @want and stays so until the matching page_type_put()
 *   -EBUSY     in use as another type; nothing changed
 *   -ERANGE    the count is full (a guest can try); nothing changed
 *   -EINVAL    an entry points where @m's owner may not; every reference taken was returned
 *   -EPERM     the same for a frame that may exist but not for this domain
 *   -ERESTART  another CPU is validating, or this one should yield; progress is kept in the frame, call again
 *
 * May flush remote TLBs (I2): not with interrupts off.
 */
MUST_CHECK int page_type_get(mfn_t m, struct domain *d, enum page_type want);
/* Drop one. 0, or -ERESTART: the reference is still the caller's, call again. */
MUST_CHECK int page_type_put(mfn_t m, struct domain *d);
/* For types without children (L1, SEG, WRITABLE): cannot be preempted. */
void page_type_put_leaf(mfn_t m, struct domain *d);

/* Plain and type reference in one: owner checked. Errors as page_type_get, -EINVAL for a frame not owned. */
MUST_CHECK int page_get_and_type(mfn_t m, struct domain *d, enum page_type want);
MUST_CHECK int page_put_and_type(mfn_t m, struct domain *d);

/* The same two by somebody who does not know the owner (an entry is dropped: its frame may be foreign). */
MUST_CHECK int page_type_drop(mfn_t m);
void page_type_drop_last_leaf(mfn_t m);
MUST_CHECK int page_drop_and_type(mfn_t m);

static inline void page_type_drop_leaf(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->type, memory_order_relaxed);

    while (likely((old & PGT_COUNT_MASK) > 1)) {
        if (likely(atomic_compare_exchange_weak_explicit(&f->type, &old, old - 1, memory_order_acq_rel,
                                                         memory_order_relaxed)))
            return;
    }
    page_type_drop_last_leaf(m);
}

/* page_type_get without a call in the usual case: of that type already. */
MUST_CHECK static inline int page_type_get_fast(mfn_t m, struct domain *d, enum page_type want)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->type, memory_order_relaxed);

    /* Pinned or not, no other flag, a count that is neither 0 nor about to be full. */
    if (likely((old & ~PGT_PINNED) - (PGT_WORD(want) | 1) < PGT_COUNT_MASK - 2) &&
        likely(atomic_compare_exchange_strong_explicit(&f->type, &old, old + 1, memory_order_acq_rel,
                                                       memory_order_relaxed)))
        return 0;
    return page_type_get(m, d, want);
}

/*
 * Pin @m at @level. Errors of page_get_and_type, and -EEXIST: pinned already, and the caller now owns a plain and a type
 * reference that it must drop (page_put_and_type: can yield).
 */
MUST_CHECK int page_pin(mfn_t m, struct domain *d, enum page_type level);
/* 0: no longer pinned, and the pin's plain and type reference are the caller's to drop. -EINVAL: was not. */
MUST_CHECK int page_unpin(mfn_t m, struct domain *d);
/* Teardown; the caller holds a plain reference: undo a validation that nobody will resume. -ERESTART: call again. */
MUST_CHECK int page_type_abandon(mfn_t m);

/* Type with count > 0 and validated, else PGT_NONE: true at that moment only, unless the caller holds a reference. */
static inline enum page_type page_type_peek(mfn_t m)
{
    const uint64_t w = atomic_load_explicit(&frame_of(m)->type, memory_order_relaxed);

    return (w & PGT_COUNT_MASK) && !(w & (PGT_BUSY | PGT_PARTIAL)) ? (enum page_type)(w >> 60) : PGT_NONE;
}
/* The same and whether it is pinned; for getpageframeinfo. */
enum page_type page_type_now(mfn_t m, bool *pinned);

/*
 * Recount every reference from every table of every domain; BUG on a difference. Machine quiescent. @strict: nobody else
 * (grants, calls in progress) holds any, so the counts must be equal, not just sufficient.
 */
void page_type_audit(bool strict);

#endif
