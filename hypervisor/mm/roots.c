/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roots.c - what CR3 points to, and what could not be dropped at once
 *
 *   I1  kernel_root and user_root hold one plain and one L4 type reference each (twice when they are equal).
 *   I2  The hardware leaves the old root before its references are dropped.
 *   I3  pending_put is finished before a vCPU's next mmu call does anything else, so a call starts with it empty. One call
 *       defers at most PENDING_PUTS tables and stops at the first (mmu_update.c, mmuext.c).
 */
#include "mm/roots.h"

#include "bug.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"

void pt_put_or_defer(struct vcpu *v, mfn_t m)
{
    if (page_drop_and_type(m) == 0)
        return;
    BUG_ON(v->pending_put.count >= PENDING_PUTS);                           /* I3 */
    v->pending_put.mfn[v->pending_put.count++] = m;
}

int pt_finish_pending(struct vcpu *v)
{
    while (v->pending_put.count) {
        const int rc = page_drop_and_type(v->pending_put.mfn[v->pending_put.count - 1]);

        if (rc)
            return rc;
        v->pending_put.count--;
    }
    return 0;
}

static uint64_t cr3_of(mfn_t root) { return mfn_eq(root, MFN_INVALID) ? 0 : root.n << PAGE_SHIFT; }

static int set_root(struct vcpu *v, mfn_t *root, uint64_t *cr3, mfn_t new)
{
    const mfn_t old = *root;
    const bool had_old = *cr3 != 0;

    if (!mfn_eq(new, MFN_INVALID)) {
        const int rc = page_get_and_type(new, v->domain, PGT_L4);

        if (rc)
            return rc == -EBUSY ? -EINVAL : rc;                             /* H18 */
    }
    *root = new;
    *cr3 = cr3_of(new);
    machine_load_root(v);                                                   /* I2 */
    if (had_old)
        pt_put_or_defer(v, old);
    return 0;
}

int pt_set_kernel_root(struct vcpu *v, mfn_t root)
{
    return mfn_eq(root, MFN_INVALID) ? -EINVAL : set_root(v, &v->cpu.kernel_root, &v->cpu.kernel_cr3, root);
}

int pt_set_user_root(struct vcpu *v, mfn_t root) { return set_root(v, &v->cpu.user_root, &v->cpu.user_cr3, root); }

int pt_drop_roots(struct vcpu *v)
{
    const int rc = pt_finish_pending(v);

    if (rc)
        return rc;
    if (v->cpu.user_cr3)
        BUG_ON(set_root(v, &v->cpu.user_root, &v->cpu.user_cr3, MFN_INVALID));
    if (v->cpu.kernel_cr3)
        BUG_ON(set_root(v, &v->cpu.kernel_root, &v->cpu.kernel_cr3, MFN_INVALID));
    return pt_finish_pending(v);
}
