/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_reservation.c - XENMEM_increase_reservation, decrease_reservation, populate_physmap
 *
 * The three return how many extents are done; the first that cannot be done ends the call (ABI: that is no error).
 * Progress is the number of extents, kept in the command register.
 *
 *   I1  an extent is done completely, with its list entry read or written, or not at all.
 */
#include "hypercall/memory_op.h"

#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"

#define MAX_EXTENTS (~0UL >> (MEMOP_EXTENT_SHIFT + 3))     /* fits the command register, and its list fits 64 bits */

struct batch {
    struct domain *d;           /* referenced */
    gva_t list;                 /* 0: none given */
    uint64_t nr;
    unsigned order, addr_bits;
};

/*
 * Copy in and judge. False: *@result is the call's result (ABI: a reservation that makes no sense did nothing, that is
 * "start extents done"; only a lack of permission is an error).
 */
static bool open_batch(struct vcpu *v, gva_t arg, uint64_t start, bool need_list, struct batch *b, long *result)
{
    struct xen_memory_reservation a;

    *result = (long)start;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0 || a.nr_extents > MAX_EXTENTS || start >= a.nr_extents)
        return false;
    const gva_t list = gva((uint64_t)a.extent_start.p);
    if (list.n == 0 ? need_list : !guest_range_ok(list, a.nr_extents * sizeof(uint64_t)))
        return false;
    if (a.extent_order > memory_max_order(v->domain) || !memory_flags_ok(a.mem_flags))
        return false;
    const int rc = memory_target(v, a.domid, &b->d);
    if (rc != 0) {
        *result = rc == -EPERM ? rc : (long)start;
        return false;
    }
    b->list = list;
    b->nr = a.nr_extents;
    b->order = a.extent_order;
    b->addr_bits = XENMEMF_get_address_bits(a.mem_flags);
    return true;
}

static gva_t slot(const struct batch *b, uint64_t i)
{
    return gva(b->list.n + i * sizeof(uint64_t));
}

/* H34: a frame stays until its last reference goes, whatever the guest believes. */
static bool drop_frame(struct domain *d, mfn_t m)
{
    if (!page_ref_get(m, d))
        return false;
    const bool dropped = page_ref_drop_allocation(m, d);
    if (dropped) {
        dirty_log_mark(d, m);                                   /* whoever copies the domain has it still */
        m2p_set(m, M2P_INVALID);                                /* still ours: our reference keeps it */
    }
    page_ref_put(m);
    return dropped;
}

/* Nobody has seen them: nothing can refer to them but the allocation. */
static void give_back(struct domain *d, mfn_t first, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++)
        (void)!drop_frame(d, mfn(first.n + i));
}

/* Allocate, number from @gpfn on (M2P_INVALID: not at all), tell the guest. */
static bool add_extent(const struct batch *b, uint64_t i, uint64_t gpfn)
{
    mfn_t m;

    if (frame_alloc_domain(b->d, b->order, b->addr_bits, &m) != 0)
        return false;
    if (b->list.n != 0 && guest_copy_out(slot(b, i), &m.n, sizeof(m.n)) != 0) {
        give_back(b->d, m, b->order);                           /* I1 */
        return false;
    }
    for (uint64_t k = 0; gpfn != M2P_INVALID && k < 1UL << b->order; k++) {
        m2p_set(mfn(m.n + k), gpfn + k);
        dirty_log_mark(b->d, mfn(m.n + k));                     /* new to whoever copies the domain */
    }
    return true;
}

static bool increase_one(const struct batch *b, uint64_t i)
{
    return add_extent(b, i, M2P_INVALID);
}

static bool populate_one(const struct batch *b, uint64_t i)
{
    uint64_t gpfn;

    return guest_copy_in(&gpfn, slot(b, i), sizeof(gpfn)) == 0 && add_extent(b, i, gpfn);
}

static bool decrease_one(const struct batch *b, uint64_t i)
{
    uint64_t first;

    if (guest_copy_in(&first, slot(b, i), sizeof(first)) != 0)
        return false;
    for (uint64_t k = 0; k < 1UL << b->order; k++)
        if (!drop_frame(b->d, mfn(first + k)))
            return false;
    return true;
}

static long run(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start, bool need_list,
                bool (*one)(const struct batch *b, uint64_t i))
{
    struct batch b;
    uint64_t i;
    long result;

    if (!open_batch(v, arg, start, need_list, &b, &result))
        return result;
    for (i = start; i < b.nr; i++) {
        if (i != start && hypercall_preempt()) {
            domain_put(b.d);
            return memory_continue(h, i);
        }
        if (!one(&b, i))
            break;
    }
    domain_put(b.d);
    return (long)i;
}

long memory_increase(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    return run(v, h, arg, start, false, increase_one);
}

long memory_populate(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    return run(v, h, arg, start, true, populate_one);
}

long memory_decrease(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    return run(v, h, arg, start, true, decrease_one);
}
