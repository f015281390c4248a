/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmu_update.c - the page-table hypercalls (ABI: xen.h HYPERVISOR_mmu_update, update_va_mapping)
 *
 * A batch works on few tables, so the last one stays held (plain and type reference, address) until another is named; an
 * update of it then costs what the entry itself costs.
 *
 *   I1  A call starts with no pending puts and stops at the first one (roots.c I3).
 *   I2  The held table is released before anything is copied out or preempted, and never counts as an entry's reference.
 *   I3  After a change of a present L2+ entry, every CPU that may hold translations of the owner is flushed before the
 *       call returns to the guest or is preempted (the frames themselves are safe by their stamps: page_type.c J2).
 *   I4  -ENOENT is never returned: libxc would retry for ever.
 */
#include "bug.h"
#include "hypercall/hypercall.h"
#include "mm/dirty_log.h"
#include "mm/foreign.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_replace.h"
#include "mm/pt_update.h"

#define CHUNK 32                /* requests copied in at a time; Linux's batches fit */

struct batch {
    struct vcpu *v;
    struct domain *pt_owner;    /* of the tables */
    struct domain *pg_owner;    /* of the frames that L1 entries name */
    mfn_t held;                 /* table with references held; MFN_INVALID: none */
    enum page_type type;
    uint64_t *table;
    bool flush;                 /* I3 */
};

static void batch_release(struct batch *b)
{
    if (mfn_eq(b->held, MFN_INVALID))
        return;
    if (likely(b->type == PGT_L1 || b->type == PGT_WRITABLE)) {
        page_type_drop_leaf(b->held);
        page_ref_put(b->held);
    } else {
        pt_put_or_defer(b->v, b->held);
    }
    b->held = MFN_INVALID;
}

/* A table keeps its type; data and unused frames are held as WRITABLE, so that they cannot become a table meanwhile. */
static int batch_hold(struct batch *b, mfn_t m)
{
    int rc;

    batch_release(b);
    if (b->v->pending_put.count)
        return -ERESTART;                                                   /* I1 */
    if (!page_ref_get(m, b->pt_owner))
        return -EINVAL;

    enum page_type t = page_type_peek(m);

    if (t == PGT_NONE)
        t = PGT_WRITABLE;
    rc = t == PGT_SEG ? -EINVAL : page_type_get_fast(m, b->pt_owner, t);
    if (rc) {
        page_ref_put(m);
        return rc;
    }
    b->held = m;
    b->type = t;
    b->table = frame_ptr(m);
    dirty_log_mark(b->pt_owner, m);
    return 0;
}

/* Everything batch_begin and batch_hold took; I3. */
static void batch_end(struct batch *b)
{
    batch_release(b);
    if (unlikely(b->pg_owner != b->v->domain))
        foreign_put(b->v, b->pg_owner);
    if (unlikely(b->flush)) {
        cpumask_t cpus = domain_dirty_cpus(b->pt_owner);

        cpus.bits |= 1UL << this_cpu();
        machine_flush_tlb(cpus);
        b->flush = false;
    }
    if (unlikely(b->pt_owner != b->v->domain))
        foreign_put(b->v, b->pt_owner);
}

static inline int update_entry(struct batch *b, uint64_t ptr, uint64_t val, bool preserve_ad)
{
    const mfn_t m = mfn(ptr >> PAGE_SHIFT);
    const int rc = likely(mfn_eq(b->held, m)) ? 0 : batch_hold(b, m);

    if (unlikely(rc))
        return rc;

    uint64_t *slot = &b->table[(ptr & (PAGE_SIZE - 1)) / sizeof(uint64_t)];

    switch (b->type) {
    case PGT_L1:
        return l1_replace(b->pt_owner, slot, val, b->pg_owner, preserve_ad, NULL);
    case PGT_L2:
    case PGT_L3:
    case PGT_L4:
        if (b->pg_owner != b->pt_owner)
            return -EINVAL;
        return table_replace(b->v, b->pt_owner, b->type, slot, val, preserve_ad, &b->flush);
    default:
        WRITE_ONCE(*slot, val);
        return 0;
    }
}

static int update_machphys(struct batch *b, uint64_t ptr, uint64_t val)
{
    const mfn_t m = mfn(ptr >> PAGE_SHIFT);

    if (b->pt_owner != b->v->domain)
        return -EPERM;                                                      /* H12 */
    if (!page_ref_get(m, b->pg_owner))
        return -EINVAL;
    if (b->pg_owner == &dom_xen || b->pg_owner == &dom_io) {
        page_ref_put(m);
        return -EINVAL;
    }
    m2p_set(m, val);
    dirty_log_mark(b->pg_owner, m);
    page_ref_put(m);
    return 0;
}

static inline int update_one(struct batch *b, const mmu_update_t *req)
{
    const uint64_t ptr = req->ptr & ~7UL;

    switch (req->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return update_entry(b, ptr, req->val, false);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return update_entry(b, ptr, req->val, true);
    case MMU_MACHPHYS_UPDATE:
        return update_machphys(b, ptr, req->val);
    default:
        return -ENOSYS;
    }
}

/* The requests at @reqs in order; *@done counts those completed. 0, the first error, or -ERESTART. */
static int run_batch(struct batch *b, gva_t reqs, unsigned count, unsigned *done)
{
    mmu_update_t req[CHUNK];
    unsigned base = 0, i = 0;
    int rc = 0;

    for (; rc == 0 && base < count; base += i) {
        const unsigned n = MIN(count - base, CHUNK);

        i = 0;
        if (base && hypercall_preempt()) {
            rc = -ERESTART;
            break;
        }
        if (guest_copy_in(req, gva(reqs.n + base * sizeof(req[0])), n * sizeof(req[0]))) {
            rc = -EFAULT;
            break;
        }
        while (i < n) {
            /* Whole tables may hang on a higher entry. */
            if (unlikely(b->type != PGT_L1) && i && hypercall_preempt())
                rc = -ERESTART;
            else
                rc = update_one(b, &req[i]);
            if (unlikely(rc))
                break;
            i++;
            if (unlikely(b->v->pending_put.count)) {
                rc = -ERESTART;                                             /* I1 */
                break;
            }
        }
    }
    *done = base;
    return rc;
}

/* ABI: foreigndom bits 15:0 own the frames, bits 31:16 (if any) - 1 the tables. References in *@b on success. */
static int batch_begin(struct batch *b, struct vcpu *v, uint32_t foreigndom)
{
    const unsigned pt = foreigndom >> 16;
    int rc;

    *b = (struct batch){ .v = v, .pt_owner = v->domain, .pg_owner = v->domain, .held = MFN_INVALID };
    if (likely(foreigndom == DOMID_SELF))
        return 0;
    rc = foreign_get(v, foreigndom & 0xffff, &b->pg_owner);
    if (rc || !pt)
        return rc;
    if (pt - 1 != v->domain->id)
        rc = foreign_get(v, pt - 1, &b->pt_owner);
    if (rc == 0 && (b->pt_owner == &dom_io || b->pt_owner == &dom_xen))
        rc = -EINVAL;
    if (rc)
        foreign_put(v, b->pg_owner);
    return rc;
}

/* Linux's set_pte: one entry of an L1 table of its own. False: it is something else, and nothing was done. */
static inline bool update_single(struct vcpu *v, const mmu_update_t *req, int *rc)
{
    const maddr_t slot = maddr(req->ptr & ~7UL);
    const unsigned what = req->ptr & 7;
    uint64_t *entry;

    if ((what != MMU_NORMAL_PT_UPDATE && what != MMU_PT_UPDATE_PRESERVE_AD) || !pt_hold_l1(v->domain, slot, &entry))
        return false;
    *rc = l1_replace(v->domain, entry, req->val, v->domain, what == MMU_PT_UPDATE_PRESERVE_AD, NULL);
    dirty_log_mark(v->domain, maddr_to_mfn(slot));
    pt_release_l1(slot);
    return true;
}

long do_mmu_update(struct vcpu *v, struct hcall *h)
{
    const gva_t reqs = gva(h->arg[0]), pdone = gva(h->arg[2]);
    unsigned count = (unsigned)h->arg[1], before = 0, done = 0;
    struct batch b;
    int rc = 0;

    if (count == 1 && !pdone.n && (uint32_t)h->arg[3] == DOMID_SELF && likely(!v->pending_put.count)) {
        mmu_update_t req;

        if (guest_copy_in(&req, reqs, sizeof(req)))
            return -EFAULT;
        if (update_single(v, &req, &rc))
            return rc;
    }
    if (unlikely(v->pending_put.count) && (rc = pt_finish_pending(v)))
        return rc;
    if (count & MMU_UPDATE_PREEMPTED) {
        count &= ~MMU_UPDATE_PREEMPTED;
        if (pdone.n && guest_copy_in(&before, pdone, sizeof(before)))
            return -EFAULT;
    }
    rc = batch_begin(&b, v, (uint32_t)h->arg[3]);
    if (rc)
        return rc;

    rc = run_batch(&b, reqs, count, &done);
    batch_end(&b);                                                          /* I2 */
    if (rc == 0 && v->pending_put.count)
        rc = -ERESTART;                                                     /* the held table went last */

    if (rc == -ERESTART) {
        h->arg[0] = reqs.n + done * sizeof(mmu_update_t);
        h->arg[1] = (count - done) | MMU_UPDATE_PREEMPTED;
    }
    done += before;
    if (pdone.n && guest_copy_out(pdone, &done, sizeof(done)) && rc != -ERESTART)
        rc = -EFAULT;
    return rc;
}

/* ABI: UVMF_*. Only after the update succeeded, so @va is canonical and the guest's (XSA-279). */
static int flush_after(struct vcpu *v, gva_t va, uint64_t flags)
{
    cpumask_t cpus = cpumask_of(this_cpu());

    switch (flags & ~UVMF_FLUSHTYPE_MASK) {
    case UVMF_LOCAL:
        break;
    case UVMF_ALL:
        cpus.bits |= domain_dirty_cpus(v->domain).bits;
        break;
    default:
        if (vcpumask_to_cpus(v, gva(flags & ~UVMF_FLUSHTYPE_MASK), &cpus))
            return -EFAULT;
    }
    if (cpus.bits == 0)
        return 0;
    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
        machine_flush_tlb(cpus);
        return 0;
    case UVMF_INVLPG:
        machine_flush_tlb_page(cpus, va);
        return 0;
    default:
        return 0;
    }
}

static long update_va_mapping(struct vcpu *v, gva_t va, uint64_t val, uint64_t flags, uint32_t foreigndom)
{
    struct batch b;
    maddr_t slot;
    int rc = pt_finish_pending(v);

    if (rc)
        return rc;
    if (!pt_walk_l1(v, va, &slot))
        return -EINVAL;
    rc = batch_begin(&b, v, foreigndom & 0xffff);
    if (rc)
        return rc;
    rc = batch_hold(&b, maddr_to_mfn(slot));
    if (rc == 0)
        rc = b.type == PGT_L1 ? update_entry(&b, slot.n, val, false) : -EINVAL;
    batch_end(&b);
    if (rc == 0 && (flags & UVMF_FLUSHTYPE_MASK))
        rc = flush_after(v, va, flags);
    return rc;
}

long do_update_va_mapping(struct vcpu *v, struct hcall *h)
{
    return update_va_mapping(v, gva(h->arg[0]), h->arg[1], h->arg[2], DOMID_SELF);
}

long do_update_va_mapping_otherdomain(struct vcpu *v, struct hcall *h)
{
    return update_va_mapping(v, gva(h->arg[0]), h->arg[1], h->arg[2], (uint32_t)h->arg[3]);
}
