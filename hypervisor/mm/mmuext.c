/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmuext.c - pins, roots, flushes (ABI: xen.h HYPERVISOR_mmuext_op, abi-map 4.7)
 *
 *   I1  As mmu_update.c: starts without pending puts, stops at the first.
 *   I2  No flush with an address that is not the guest's (XSA-279); none after a failed update.
 */
#include "bug.h"
#include "domain/io_caps.h"
#include "hypercall/hypercall.h"
#include "mm/descriptor.h"
#include "mm/dirty_log.h"
#include "mm/foreign.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"

struct op_args {
    struct vcpu *v;
    struct domain *pg_owner;
    const struct mmuext_op *op;
};

static int op_pin(const struct op_args *a)
{
    const enum page_type level = (enum page_type)(PGT_L1 + (a->op->cmd - MMUEXT_PIN_L1_TABLE));
    const mfn_t m = mfn(a->op->arg1.mfn);
    int rc;

    if (domain_is_dying(a->pg_owner) || a->pg_owner == &dom_io || a->pg_owner == &dom_xen)
        return -EINVAL;
    rc = page_pin(m, a->pg_owner, level);
    if (rc == -EEXIST) {
        pt_put_or_defer(a->v, m);
        return -EINVAL;                                                     /* H16 */
    }
    if (rc == 0)
        dirty_log_mark(a->pg_owner, m);                                     /* the pin is copied with the page */
    return rc == -EBUSY ? -EINVAL : rc;
}

static int op_unpin(const struct op_args *a)
{
    const mfn_t m = mfn(a->op->arg1.mfn);
    const int rc = page_unpin(m, a->pg_owner);

    if (rc == 0) {
        dirty_log_mark(a->pg_owner, m);
        pt_put_or_defer(a->v, m);
    }
    return rc;
}

static int op_new_baseptr(const struct op_args *a)
{
    const mfn_t m = mfn(a->op->arg1.mfn);

    if (mfn_eq(m, a->v->cpu.kernel_root)) {
        machine_flush_tlb(cpumask_of(this_cpu()));                          /* still a flush */
        return 0;
    }
    vcpu_drop_ldt(a->v);
    return pt_set_kernel_root(a->v, m);
}

static int op_new_user_baseptr(const struct op_args *a)
{
    const mfn_t m = a->op->arg1.mfn ? mfn(a->op->arg1.mfn) : MFN_INVALID;

    if (mfn_eq(m, a->v->cpu.user_root))
        return 0;
    return pt_set_user_root(a->v, m);
}

static inline void flush_page(cpumask_t cpus, gva_t va)
{
    if (guest_range_ok(va, 1))                                              /* H23: nothing of ours, nothing wild */
        machine_flush_tlb_page(cpus, va);
}

static int op_flush(const struct op_args *a)
{
    const gva_t va = gva(a->op->arg1.linear_addr);
    cpumask_t cpus = cpumask_of(this_cpu());
    bool page = false;

    switch (a->op->cmd) {
    case MMUEXT_INVLPG_LOCAL:
        page = true;
        break;
    case MMUEXT_INVLPG_MULTI:
        page = true;
        __attribute__((fallthrough));
    case MMUEXT_TLB_FLUSH_MULTI:
        if (vcpumask_to_cpus(a->v, gva((uintptr_t)a->op->arg2.vcpumask.p), &cpus))
            return -EINVAL;                                                 /* H22 */
        break;
    case MMUEXT_INVLPG_ALL:
        page = true;
        __attribute__((fallthrough));
    case MMUEXT_TLB_FLUSH_ALL:
        cpus.bits |= domain_dirty_cpus(a->v->domain).bits;
        break;
    default:
        break;
    }
    if (cpus.bits == 0)
        return 0;
    if (page)
        flush_page(cpus, va);
    else
        machine_flush_tlb(cpus);
    return 0;
}

static int op_flush_cache(const struct op_args *a)
{
    if (!io_caps_any(a->v->domain))
        return -EACCES;                                                     /* H24 */
    machine_flush_cache(a->op->cmd == MMUEXT_FLUSH_CACHE ? cpumask_of(this_cpu()) : machine_online_cpus());
    return 0;
}

static int op_set_ldt(const struct op_args *a)
{
    return vcpu_set_ldt(a->v, a->op->arg1.linear_addr, a->op->arg2.nr_ents);
}

/* CLEAR_PAGE and COPY_PAGE: the target must be able to be written by the guest itself. */
static int op_fill_page(const struct op_args *a)
{
    const mfn_t dst = mfn(a->op->arg1.mfn), src = mfn(a->op->arg2.src_mfn);
    const bool copy = a->op->cmd == MMUEXT_COPY_PAGE;
    int rc;

    if (a->pg_owner == &dom_io || a->pg_owner == &dom_xen)
        return -EINVAL;
    if (copy && !page_ref_get(src, a->pg_owner))
        return -EINVAL;
    rc = page_get_and_type(dst, a->pg_owner, PGT_WRITABLE);
    if (rc == 0) {
        if (copy)
            __builtin_memmove(frame_ptr(dst), frame_ptr(src), PAGE_SIZE);
        else
            __builtin_memset(frame_ptr(dst), 0, PAGE_SIZE);
        dirty_log_mark(a->pg_owner, dst);
        page_type_drop_leaf(dst);
        page_ref_put(dst);
    } else if (rc == -EBUSY) {
        rc = -EINVAL;                                                       /* H21 */
    }
    if (copy)
        page_ref_put(src);
    return rc;
}

static int op_refuse_super(const struct op_args *a)
{
    (void)a;
    return -EOPNOTSUPP;
}

/* Operations that may name another domain's frames; the rest act on the caller's own vCPU. */
static const struct mmuext_entry {
    int (*run)(const struct op_args *a);
    bool foreign;
} ops[] = {
    [MMUEXT_PIN_L1_TABLE] = { op_pin, true },          [MMUEXT_PIN_L2_TABLE] = { op_pin, true },
    [MMUEXT_PIN_L3_TABLE] = { op_pin, true },          [MMUEXT_PIN_L4_TABLE] = { op_pin, true },
    [MMUEXT_UNPIN_TABLE] = { op_unpin, true },         [MMUEXT_NEW_BASEPTR] = { op_new_baseptr, false },
    [MMUEXT_TLB_FLUSH_LOCAL] = { op_flush, false },    [MMUEXT_INVLPG_LOCAL] = { op_flush, false },
    [MMUEXT_TLB_FLUSH_MULTI] = { op_flush, false },    [MMUEXT_INVLPG_MULTI] = { op_flush, false },
    [MMUEXT_TLB_FLUSH_ALL] = { op_flush, false },      [MMUEXT_INVLPG_ALL] = { op_flush, false },
    [MMUEXT_FLUSH_CACHE] = { op_flush_cache, false },  [MMUEXT_SET_LDT] = { op_set_ldt, false },
    [MMUEXT_NEW_USER_BASEPTR] = { op_new_user_baseptr, false },
    [MMUEXT_CLEAR_PAGE] = { op_fill_page, true },      [MMUEXT_COPY_PAGE] = { op_fill_page, true },
    [MMUEXT_FLUSH_CACHE_GLOBAL] = { op_flush_cache, false },
    [MMUEXT_MARK_SUPER] = { op_refuse_super, true },   [MMUEXT_UNMARK_SUPER] = { op_refuse_super, true },
};

static int run_one(struct vcpu *v, struct domain *pg_owner, const struct mmuext_op *op)
{
    const struct op_args a = { v, pg_owner, op };

    if (op->cmd >= ARRAY_SIZE(ops) || !ops[op->cmd].run)
        return -ENOSYS;
    if (pg_owner != v->domain && !ops[op->cmd].foreign)
        return -EPERM;
    return ops[op->cmd].run(&a);
}

long do_mmuext_op(struct vcpu *v, struct hcall *h)
{
    const gva_t uops = gva(h->arg[0]), pdone = gva(h->arg[2]);
    unsigned count = (unsigned)h->arg[1], before = 0, done = 0;
    struct domain *pg_owner;
    int rc = 0;

    if (likely(!v->pending_put.count) && count == 1 && !pdone.n && (uint32_t)h->arg[3] == DOMID_SELF) {
        struct mmuext_op op;                                                /* what follows each change of a user entry */

        if (guest_copy_in(&op, uops, sizeof(op)))
            return -EFAULT;
        if (op.cmd == MMUEXT_INVLPG_LOCAL) {
            flush_page(cpumask_of(this_cpu()), gva(op.arg1.linear_addr));
            return 0;
        }
    }
    rc = pt_finish_pending(v);
    if (rc)
        return rc;
    if (count & MMU_UPDATE_PREEMPTED) {
        count &= ~MMU_UPDATE_PREEMPTED;
        if (pdone.n && guest_copy_in(&before, pdone, sizeof(before)))
            return -EFAULT;
    }
    rc = foreign_get(v, (uint32_t)h->arg[3], &pg_owner);
    if (rc)
        return rc;

    while (rc == 0 && done < count) {
        struct mmuext_op op;

        if (done && hypercall_preempt()) {
            rc = -ERESTART;
        } else if (guest_copy_in(&op, gva(uops.n + done * sizeof(op)), sizeof(op))) {
            rc = -EFAULT;
        } else {
            rc = run_one(v, pg_owner, &op);
            if (rc == 0) {
                done++;
                rc = v->pending_put.count ? -ERESTART : 0;                  /* I1 */
            }
        }
    }
    foreign_put(v, pg_owner);

    if (rc == -ERESTART) {
        h->arg[0] = uops.n + done * sizeof(struct mmuext_op);
        h->arg[1] = (count - done) | MMU_UPDATE_PREEMPTED;
    }
    done += before;
    if (pdone.n && guest_copy_out(pdone, &done, sizeof(done)) && rc != -ERESTART)
        rc = -EFAULT;
    return rc;
}
