/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_ref.c - plain references
 *
 *   I1  Owner and count > 0 appear in one store (frame_owner.c), and nobody changes the owner of a frame with a count: whoever
 *       sees count > 0 sees the right owner (XSA-284, 287).
 *   I2  The exchange that takes the last reference makes the frame its CPU's own: from then on only that CPU touches it
 *       until the allocator hands it out again.
 */
#include "mm/page_ref.h"

#include "bug.h"
#include "mm/frame_alloc.h"

bool page_ref_get_any(mfn_t m, domid_t *owner)
{
    if (!mfn_valid(m))
        return false;

    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->ref, memory_order_relaxed);

    do {
        if ((old & FRAME_COUNT_MASK) == 0 || (old & FRAME_COUNT_MASK) == FRAME_COUNT_MASK)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&f->ref, &old, old + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    *owner = (domid_t)(old >> FRAME_OWNER_SHIFT);
    return true;
}

void page_ref_dup(mfn_t m)
{
    const uint64_t old = atomic_fetch_add_explicit(&frame_of(m)->ref, 1, memory_order_relaxed);

    BUG_ON((old & FRAME_COUNT_MASK) == 0 || (old & FRAME_COUNT_MASK) == FRAME_COUNT_MASK);
}

void page_ref_last(mfn_t m, uint64_t old)
{
    /* The last one is never the allocation's: that goes through page_ref_drop_allocation(). */
    BUG_ON((old & FRAME_COUNT_MASK) == 0 || (old & FRAME_F_ALLOCATED));
    atomic_store_explicit(&frame_of(m)->ref, FRAME_DOMID_XEN << FRAME_OWNER_SHIFT, memory_order_relaxed);   /* I2 */
    frame_free_last(m, old);
}

bool page_ref_drop_allocation(mfn_t m, struct domain *owner)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->ref, memory_order_relaxed);

    /* The caller holds a reference, so the owner cannot change and ours is not the last. */
    do {
        if (!(old & FRAME_F_ALLOCATED) || old >> FRAME_OWNER_SHIFT != owner->id)
            return false;
        BUG_ON((old & FRAME_COUNT_MASK) < 2);
    } while (!atomic_compare_exchange_weak_explicit(&f->ref, &old, (old - 1) & ~FRAME_F_ALLOCATED,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return true;
}
