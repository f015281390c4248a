/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_ref.c - plain references
 *
 *   I1  Owner, flags and count change in one exchange: whoever sees count > 0 sees the right owner (XSA-284, 287).
 *   I2  The exchange that takes the last reference also takes the owner away; from then on only that CPU touches
 *       the frame until the allocator hands it out again.
 */
#include "mm/page_ref.h"

#include "bug.h"
#include "domain/domain.h"
#include "mm/frame_alloc.h"

uint64_t page_ref_owner_bits(const struct domain *owner) { return (uint64_t)owner->id << FRAME_OWNER_SHIFT; }

/* Overflow needs 2^40 references: every slot of every table of 4 PiB of memory. Refused all the same. */
static bool ref_inc(struct frame *f, uint64_t owner_bits, uint64_t owner_mask)
{
    uint64_t old = atomic_load_explicit(&f->ref, memory_order_relaxed);

    do {
        if ((old & owner_mask) != owner_bits || (old & FRAME_COUNT_MASK) == 0 ||
            (old & FRAME_COUNT_MASK) == FRAME_COUNT_MASK)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&f->ref, &old, old + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return true;
}

bool page_ref_get(mfn_t m, const struct domain *owner)
{
    return mfn_valid(m) &&
           ref_inc(frame_of(m), (uint64_t)owner->id << FRAME_OWNER_SHIFT, 0xffffUL << FRAME_OWNER_SHIFT);
}

bool page_ref_get_any(mfn_t m, domid_t *owner)
{
    if (!mfn_valid(m) || !ref_inc(frame_of(m), 0, 0))
        return false;
    *owner = frame_owner(frame_of(m));
    return true;
}

void page_ref_dup(mfn_t m)
{
    const uint64_t old = atomic_fetch_add_explicit(&frame_of(m)->ref, 1, memory_order_relaxed);

    BUG_ON((old & FRAME_COUNT_MASK) == 0 || (old & FRAME_COUNT_MASK) == FRAME_COUNT_MASK);
}

void page_ref_put(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->ref, memory_order_relaxed), new;

    do {
        /* The last one is never the allocation's: that goes through page_ref_drop_allocation(). */
        BUG_ON((old & FRAME_COUNT_MASK) == ((old & FRAME_F_ALLOCATED) ? 1 : 0));
        new = (old & FRAME_COUNT_MASK) == 1 ? FRAME_DOMID_XEN << FRAME_OWNER_SHIFT : old - 1;
    } while (!atomic_compare_exchange_weak_explicit(&f->ref, &old, new, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if ((new & FRAME_COUNT_MASK) == 0)
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
