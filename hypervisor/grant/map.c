/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - mapping a grant into the caller's address space, and taking it out again
 *
 * Map: handle, pin, page-table entry, then the handle becomes visible. Each step is undone if a later one fails.
 * Unmap, for a batch: (1) under the granter's lock, check handle and addresses and clear the entry (only if it still
 * maps that frame in that way, XSA-234); a handle with nothing left mapped becomes `closing` and is dead for others.
 * (2) flush once. (3) unpin and free the closing handles.
 *
 * The page-table entry has references of its own (mm/pt_update.h), so a guest that overwrites it by other means loses
 * only those; the handle's pin stays until the handle dies.
 */
#include "grant/table.h"

#include "bug.h"
#include "machine.h"
#include "mm/pt_update.h"

#define MAP_KINDS (GNTMAP_host_map | GNTMAP_device_map)

static uint64_t entry_for(mfn_t m, uint32_t flags)
{
    const uint64_t avail = (flags >> _GNTMAP_guest_avail0) & 7;

    return (m.n << PAGE_SHIFT) | PTE_P | PTE_US | PTE_A | PTE_D | (flags & GNTMAP_readonly ? 0 : PTE_RW) | avail << 9;
}

static int16_t pin_for_map(struct domain *ld, struct domain *rd, const struct gnttab_map_grant_ref *op, mfn_t *frame)
{
    int16_t status;

    spin_lock(&rd->grants->lock);
    status = grant_pin(rd, op->ref, ld->id, op->flags & GNTMAP_readonly, frame);
    spin_unlock(&rd->grants->lock);
    return status;
}

/* @handle is ours and not visible; @rd is referenced. */
static int16_t map_with_handle(struct vcpu *v, struct domain *rd, struct gnttab_map_grant_ref *op, uint32_t handle)
{
    struct maptrack *m = maptrack_of(v->domain->grants, handle);
    mfn_t frame;
    int16_t status = pin_for_map(v->domain, rd, op, &frame);

    if (status != GNTST_okay)
        return status;
    if ((op->flags & GNTMAP_host_map) &&
        pt_grant_map(v, op->host_addr, op->flags & GNTMAP_contains_pte, entry_for(frame, op->flags))) {
        spin_lock(&rd->grants->lock);
        grant_unpin(rd, op->ref, op->flags & GNTMAP_readonly);
        spin_unlock(&rd->grants->lock);
        return GNTST_general_error;
    }
    m->ref = op->ref;
    m->domid = rd->id;
    __atomic_store_n(&m->flags, (uint16_t)(op->flags & (MAP_KINDS | GNTMAP_readonly | GNTMAP_contains_pte)),
                     __ATOMIC_RELEASE);
    op->handle = handle;
    op->dev_bus_addr = frame.n << PAGE_SHIFT;
    return GNTST_okay;
}

void grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
    struct domain *rd;
    uint32_t handle;

    op->status = GNTST_bad_gntref;
    if (!(op->flags & MAP_KINDS))
        return;
    rd = domain_lookup(op->dom);
    if (!rd) {
        op->status = GNTST_bad_domain;
        return;
    }
    handle = maptrack_alloc(v->domain);
    if (handle == MAPTRACK_NONE) {
        op->status = GNTST_no_space;
    } else {
        op->status = map_with_handle(v, rd, op, handle);
        if (op->status != GNTST_okay)
            maptrack_free(v->domain, handle);
    }
    domain_put(rd);
}

/* Lock of @rd held, @m is a live handle that names it. Which of its mappings does @op end? They are ended on success. */
static int16_t unmap_kinds(struct vcpu *v, struct domain *rd, struct maptrack *m, const struct gnttab_unmap_grant_ref *op)
{
    const struct grant_active *a = grant_active_of(rd->grants, m->ref);
    uint16_t ended = 0;

    if (op->dev_bus_addr && (m->flags & GNTMAP_device_map)) {
        if (op->dev_bus_addr != a->frame.n << PAGE_SHIFT)
            return GNTST_bad_dev_addr;
        ended |= GNTMAP_device_map;
    }
    if (op->host_addr && (m->flags & GNTMAP_host_map)) {
        if (pt_grant_unmap(v, op->host_addr, m->flags & GNTMAP_contains_pte, entry_for(a->frame, m->flags)))
            return GNTST_general_error;
        ended |= GNTMAP_host_map;
    }
    WRITE_ONCE(m->flags, m->flags & (uint16_t)~ended);
    m->closing = !(m->flags & MAP_KINDS);
    return GNTST_okay;
}

/* Step 1 for one element. True: the handle is closing and must be finished after the flush. */
static bool unmap_begin(struct vcpu *v, struct gnttab_unmap_grant_ref *op, bool *flush)
{
    struct maptrack *m = maptrack_of(v->domain->grants, op->handle);
    struct domain *rd;
    bool closing = false;

    op->status = GNTST_bad_handle;
    if (!m || !__atomic_load_n(&m->flags, __ATOMIC_ACQUIRE))
        return false;
    rd = domain_lookup(READ_ONCE(m->domid));
    if (!rd)
        return false;                                   /* the handle died meanwhile, and so did its granter */
    spin_lock(&rd->grants->lock);
    /* Flags first: they are published last, so a handle freed and given out again meanwhile names its new granter by now. */
    const uint16_t before = __atomic_load_n(&m->flags, __ATOMIC_ACQUIRE);
    if ((before & MAP_KINDS) && !m->closing && READ_ONCE(m->domid) == rd->id) {
        op->status = unmap_kinds(v, rd, m, op);
        *flush |= (before & ~m->flags & GNTMAP_host_map) != 0;
        closing = op->status == GNTST_okay && m->closing;
    }
    spin_unlock(&rd->grants->lock);
    domain_put(rd);
    return closing;
}

/* Step 3: nobody but us touches a closing handle, and its pin keeps the granter. */
static void unmap_finish(struct domain *ld, uint32_t handle)
{
    const struct maptrack *m = maptrack_of(ld->grants, handle);
    struct domain *rd = domain_lookup(m->domid);

    BUG_ON(!rd);
    spin_lock(&rd->grants->lock);
    grant_unpin(rd, m->ref, m->flags & GNTMAP_readonly);
    maptrack_free(ld, handle);
    spin_unlock(&rd->grants->lock);
    domain_put(rd);
}

void grant_unmap_batch(struct vcpu *v, struct gnttab_unmap_grant_ref *ops, unsigned n)
{
    uint32_t closing = 0;
    bool flush = false;

    ASSERT(n <= GRANT_UNMAP_BATCH);
    for (unsigned i = 0; i < n; i++)
        closing |= (uint32_t)unmap_begin(v, &ops[i], &flush) << i;
    if (flush)
        machine_flush_tlb(v->domain->mm.dirty_cpus);    /* I3 */
    for (; closing; closing &= closing - 1)
        unmap_finish(v->domain, ops[__builtin_ctz(closing)].handle);
}
