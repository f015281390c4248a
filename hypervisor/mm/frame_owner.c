/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame_owner.c - frames change hands
 *
 *   I1  A frame is handed out in this order: taken from the free lists, flushed (by its stamp), cleared, given its type
 *       word, listed, and only then given owner and count in one store.
 *   I2  d->mm.tot_pages counts the frames on its list or about to be; checked against the limit and against dying under
 *       the PAGE lock before anything is taken (XSA-410).
 *   I3  A frame on no list, with count 0 and no FREE flag, belongs to the CPU that took its last reference.
 *
 * Pages of ours that a guest maps (FRAME_F_SHARED) are owned by it but on no list; their permanent WRITABLE type keeps
 * them from ever becoming a table or a descriptor page.
 */
#include "bug.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"

#define OWNED_BY(d) ((uint64_t)(d)->id << FRAME_OWNER_SHIFT)

static void clear_frames(mfn_t m, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        if (!(frame_table[m.n + i].stamp_progress & FRAME_CLEAN))
            __builtin_memset(frame_ptr(mfn(m.n + i)), 0, PAGE_SIZE);
    }
}

/* A block whose translations, and with @clear contents, are nobody's any more (I1, first half). */
static mfn_t take_clean(unsigned order, unsigned addr_bits, struct domain *claimant, bool clear)
{
    uint64_t stamp;
    const mfn_t m = frame_take_block(order, addr_bits, claimant, &stamp);

    if (mfn_eq(m, MFN_INVALID))
        return m;
    tlb_flush_since(stamp);
    if (clear)
        clear_frames(m, order);
    for (uint64_t i = 0; i < 1UL << order; i++) {
        struct frame *f = frame_of(mfn(m.n + i));

        atomic_store_explicit(&f->type, 0, memory_order_relaxed);
        f->stamp_progress = 0;
        f->next = f->prev = 0;
    }
    return m;
}

static mfn_t alloc_hv(unsigned order, unsigned addr_bits, bool clear)
{
    const mfn_t m = take_clean(order, addr_bits, NULL, clear);

    if (!mfn_eq(m, MFN_INVALID)) {
        for (uint64_t i = 0; i < 1UL << order; i++)
            atomic_store_explicit(&frame_table[m.n + i].ref, (FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | 1,
                                  memory_order_release);
    }
    return m;
}

mfn_t frame_alloc_hv(unsigned order, unsigned addr_bits) { return alloc_hv(order, addr_bits, true); }

mfn_t frame_alloc_hv_uncleared(unsigned order) { return alloc_hv(order, 0, false); }

void frame_free_hv(mfn_t m, unsigned order)
{
    const uint64_t stamp = tlb_epoch_now();

    for (uint64_t i = 0; i < 1UL << order; i++) {
        struct frame *f = frame_of(mfn(m.n + i));
        const uint64_t old = atomic_exchange(&f->ref, FRAME_DOMID_XEN << FRAME_OWNER_SHIFT);

        BUG_ON(old != ((FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | 1));    /* shared or freed already */
        f->stamp_progress = stamp;
    }
    frame_free_block(m, order);
}

/* ---- the list of a domain's frames, under its PAGE lock ---- */

static void domain_link(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    f->prev = 0;
    f->next = d->mm.first;
    if (f->next)
        frame_table[f->next].prev = (uint32_t)m.n;
    d->mm.first = (uint32_t)m.n;
}

static void domain_unlink(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    if (f->prev)
        frame_table[f->prev].next = f->next;
    else if (d->mm.first == m.n)
        d->mm.first = f->next;
    else
        d->mm.lingering = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    f->next = f->prev = 0;
}

static void set_aside_first(struct domain *d)
{
    const mfn_t m = mfn(d->mm.first);
    struct frame *f = frame_of(m);

    domain_unlink(d, m);
    f->next = d->mm.lingering;
    if (f->next)
        frame_table[f->next].prev = (uint32_t)m.n;
    d->mm.lingering = (uint32_t)m.n;
}

void domain_mm_set_aside(struct domain *d, mfn_t m)
{
    spin_lock(&d->mm.lock);
    /* Not when its last reference went meanwhile and somebody else has unlinked it. */
    if (d->mm.first == m.n)
        set_aside_first(d);
    spin_unlock(&d->mm.lock);
}

unsigned domain_mm_pass_over(struct domain *d, unsigned max)
{
    unsigned n = 0;

    spin_lock(&d->mm.lock);
    for (; n < max && d->mm.first; n++) {
        if (atomic_load_explicit(&frame_table[d->mm.first].type, memory_order_relaxed) & (PGT_PINNED | PGT_PARTIAL))
            break;
        set_aside_first(d);
    }
    spin_unlock(&d->mm.lock);
    return n;
}

bool domain_mm_take_up(struct domain *d)
{
    spin_lock(&d->mm.lock);
    const bool done = !d->mm.first;
    if (done) {
        d->mm.first = d->mm.lingering;
        d->mm.lingering = 0;
    }
    spin_unlock(&d->mm.lock);
    return done;
}

static int alloc_domain(struct domain *d, unsigned order, unsigned addr_bits, bool clear, mfn_t *out)
{
    const uint64_t n = 1UL << order;
    int rc = 0;

    if (order >= 32)
        return -ENOMEM;

    spin_lock(&d->mm.lock);
    if (domain_is_dying(d))
        rc = -EINVAL;
    else if (n > d->mm.max_pages || d->mm.tot_pages > d->mm.max_pages - n)
        rc = -ENOMEM;
    else
        d->mm.tot_pages += n;                                               /* I2 */
    spin_unlock(&d->mm.lock);
    if (rc)
        return rc;

    const mfn_t m = take_clean(order, addr_bits, d, clear);

    spin_lock(&d->mm.lock);
    if (mfn_eq(m, MFN_INVALID))
        rc = -ENOMEM;
    else if (domain_is_dying(d))
        rc = -EINVAL;
    if (rc)
        d->mm.tot_pages -= n;
    for (uint64_t i = 0; !rc && i < n; i++) {
        const mfn_t one = mfn(m.n + i);

        m2p_set(one, M2P_INVALID);
        domain_link(d, one);
        atomic_store_explicit(&frame_of(one)->ref, OWNED_BY(d) | FRAME_F_ALLOCATED | 1, memory_order_release);
    }
    spin_unlock(&d->mm.lock);

    if (rc == 0)
        *out = m;
    else if (!mfn_eq(m, MFN_INVALID))
        frame_free_block(m, order);
    return rc;
}

int frame_alloc_domain(struct domain *d, unsigned order, unsigned addr_bits, mfn_t *out)
{
    return alloc_domain(d, order, addr_bits, true, out);
}

int frame_alloc_dom0_uncleared(struct domain *d, unsigned order, mfn_t *out)
{
    BUG_ON(!d->privileged);
    return alloc_domain(d, order, 0, false, out);
}

int frame_adopt(struct domain *d, mfn_t m)
{
    uint64_t hv_only = (FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | 1;

    if (!mfn_valid(m) || atomic_load(&frame_of(m)->ref) != hv_only)
        return -EINVAL;
    spin_lock(&d->mm.lock);
    d->mm.tot_pages++;
    m2p_set(m, M2P_INVALID);
    domain_link(d, m);
    atomic_store(&frame_of(m)->ref, OWNED_BY(d) | FRAME_F_ALLOCATED | 1);
    spin_unlock(&d->mm.lock);
    return 0;
}

/* I3 holds for @m: off @d's list, accounts, to the free lists. */
static void release_frame(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    bool last;

    BUG_ON(atomic_load_explicit(&f->type, memory_order_relaxed) & PGT_IN_USE);
    m2p_set(m, M2P_INVALID);
    spin_lock(&d->mm.lock);
    domain_unlink(d, m);
    last = --d->mm.tot_pages == 0;
    spin_unlock(&d->mm.lock);

    atomic_store_explicit(&f->type, 0, memory_order_relaxed);
    f->stamp_progress = tlb_epoch_now();
    frame_free_uncleared(m, m, 1);
    if (last && domain_is_dying(d))
        domain_check_dead(d);
}

unsigned domain_mm_free_alone(struct domain *d, unsigned max)
{
    uint32_t list = 0, end = 0;
    unsigned n = 0;

    spin_lock(&d->mm.lock);
    for (; n < max && d->mm.first; n++) {
        const mfn_t m = mfn(d->mm.first);
        struct frame *f = frame_of(m);
        uint64_t alone = OWNED_BY(d) | FRAME_F_ALLOCATED | 1;

        if (!atomic_compare_exchange_strong(&f->ref, &alone, FRAME_DOMID_XEN << FRAME_OWNER_SHIFT))
            break;
        BUG_ON(atomic_load_explicit(&f->type, memory_order_relaxed) & PGT_IN_USE);
        m2p_set(m, M2P_INVALID);
        domain_unlink(d, m);
        atomic_store_explicit(&f->type, 0, memory_order_relaxed);
        f->stamp_progress = tlb_epoch_now();
        f->next = list;
        list = (uint32_t)m.n;
        end = end ? end : list;
    }
    d->mm.tot_pages -= n;
    const bool last = n && d->mm.tot_pages == 0;
    spin_unlock(&d->mm.lock);

    if (n)
        frame_free_uncleared(mfn(list), mfn(end), n);
    if (last && domain_is_dying(d))
        domain_check_dead(d);
    return n;
}

int frame_steal(struct domain *d, mfn_t m)
{
    if (!mfn_valid(m))
        return -EINVAL;

    struct frame *f = frame_of(m);
    uint64_t alone = OWNED_BY(d) | FRAME_F_ALLOCATED | 1;

    /* Every mapping, type, pin and partial walk holds a plain reference: count 1 means none of them. */
    if (!atomic_compare_exchange_strong(&f->ref, &alone, FRAME_DOMID_XEN << FRAME_OWNER_SHIFT))
        return alone >> FRAME_OWNER_SHIFT == d->id ? -EBUSY : -EINVAL;

    BUG_ON(atomic_load_explicit(&f->type, memory_order_relaxed) & PGT_IN_USE);
    m2p_set(m, M2P_INVALID);
    spin_lock(&d->mm.lock);
    domain_unlink(d, m);
    spin_unlock(&d->mm.lock);
    atomic_store_explicit(&f->type, 0, memory_order_relaxed);
    f->stamp_progress = tlb_epoch_now();
    atomic_store_explicit(&f->ref, (FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | 1, memory_order_release);
    return 0;
}

int frame_give(struct domain *d, mfn_t m, uint64_t pfn_value)
{
    int rc = -EINVAL;

    spin_lock(&d->mm.lock);
    if (!domain_is_dying(d)) {
        m2p_set(m, pfn_value);
        dirty_log_mark(d, m);
        domain_link(d, m);
        atomic_store_explicit(&frame_of(m)->ref, OWNED_BY(d) | FRAME_F_ALLOCATED | 1, memory_order_release);
        rc = 0;
    }
    spin_unlock(&d->mm.lock);
    return rc;
}

void frame_uncharge(struct domain *d, uint64_t n)
{
    spin_lock(&d->mm.lock);
    BUG_ON(n > d->mm.tot_pages);
    d->mm.tot_pages -= n;
    const bool last = d->mm.tot_pages == 0;
    spin_unlock(&d->mm.lock);
    if (n > 0 && last && domain_is_dying(d))
        domain_check_dead(d);
}

void frame_share_with_guest(mfn_t m, struct domain *d)
{
    struct frame *f = frame_of(m);

    BUG_ON(atomic_load(&f->ref) != ((FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | 1));
    m2p_set(m, M2P_INVALID);
    spin_lock(&d->mm.lock);
    d->mm.xenheap_pages++;
    spin_unlock(&d->mm.lock);
    atomic_store(&f->type, PGT_WORD(PGT_WRITABLE) | 1);
    atomic_store(&f->ref, OWNED_BY(d) | FRAME_F_SHARED | 1);
}

void frame_unshare(mfn_t m, struct domain *d)
{
    page_type_put_leaf(m, d);
    page_ref_put(m);
}

static void release_shared(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    bool last;

    BUG_ON(atomic_load_explicit(&f->type, memory_order_relaxed) & PGT_IN_USE);
    spin_lock(&d->mm.lock);
    last = --d->mm.xenheap_pages == 0;
    spin_unlock(&d->mm.lock);
    atomic_store_explicit(&f->type, 0, memory_order_relaxed);
    f->stamp_progress = tlb_epoch_now();
    frame_free_block(m, 0);
    if (last && domain_is_dying(d))
        domain_check_dead(d);
}

void frame_free_last(mfn_t m, uint64_t old_ref)
{
    const domid_t owner = (domid_t)(old_ref >> FRAME_OWNER_SHIFT);

    if (owner == DOMID_XEN) {
        frame_of(m)->stamp_progress = tlb_epoch_now();
        frame_free_block(m, 0);
        return;
    }

    struct domain *d = domain_by_id_unreferenced(owner);

    BUG_ON(!d);
    if (old_ref & FRAME_F_SHARED)
        release_shared(d, m);
    else
        release_frame(d, m);
}
