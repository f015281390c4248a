/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_ref.h - plain references: a frame with one cannot be freed or change its owner
 *
 * The allocation itself is one reference (FRAME_F_ALLOCATED). When the last one goes the frame is freed: stamped
 * with the TLB epoch, and scrubbed after the flush, before reuse (XSA-511).
 */
#ifndef PARAVANE_PAGE_REF_H
#define PARAVANE_PAGE_REF_H

#include "domain/domain.h"
#include "mm/frame.h"

/*
 * The only way from a guest-supplied frame number to a frame: range, owner, reference, or false with nothing done
 * (XSA-32, 167, 430).
 */
MUST_CHECK static inline bool page_ref_get(mfn_t m, const struct domain *owner)
{
    if (unlikely(!mfn_valid(m)))
        return false;

    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->ref, memory_order_relaxed);

    /* Overflow needs 2^40 references: every slot of every table of 4 PiB of memory. Refused all the same. */
    do {
        if (unlikely(old >> FRAME_OWNER_SHIFT != owner->id || (old & FRAME_COUNT_MASK) == 0 ||
                     (old & FRAME_COUNT_MASK) == FRAME_COUNT_MASK))
            return false;
    } while (unlikely(!atomic_compare_exchange_weak_explicit(&f->ref, &old, old + 1, memory_order_acq_rel,
                                                             memory_order_relaxed)));
    return true;
}

/* As page_ref_get for whoever owns it; *@owner gets its domid. Fails on free frames. */
MUST_CHECK bool page_ref_get_any(mfn_t m, domid_t *owner);
/* One more, by somebody who holds one already. */
void page_ref_dup(mfn_t m);

/* For page_ref_put: @old was the word when its count went to 0 (or below, which is our bug). */
void page_ref_last(mfn_t m, uint64_t old);

/* Drop one; the last one frees the frame. Takes PAGE and HEAP then: hold nothing ranked inside PAGE. */
static inline void page_ref_put(mfn_t m)
{
    const uint64_t old = atomic_fetch_sub_explicit(&frame_of(m)->ref, 1, memory_order_acq_rel);

    if (unlikely((old & FRAME_COUNT_MASK) <= 1))
        page_ref_last(m, old);
}

/* Drop the allocation reference (decrease_reservation, teardown). False: it was already dropped. */
MUST_CHECK bool page_ref_drop_allocation(mfn_t m, struct domain *owner);

#endif
