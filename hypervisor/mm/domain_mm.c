/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_mm.c - a domain's memory, from the first frame to the last
 *
 * Relinquish, restartable at every step: half-dropped tables and roots of its vCPUs; pins and abandoned validations; then,
 * frame by frame, the allocation reference. In this order most frames have no other when their turn comes, and go many at
 * a time. What others still map (grants, foreign mappings) lingers until they let go; the last frame to be freed reports
 * the domain dead (frame_owner.c).
 *
 *   I1  Runs when no vCPU of the domain runs any more and `dying` forbids new allocations and pins.
 *   I2  relinquish_put names a table whose pin we cleared and whose references are ours to drop.
 */
#include "mm/domain_mm.h"

#include "bug.h"
#include "domain/domain.h"
#include "hv_errno.h"
#include "mm/descriptor.h"
#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"
#include "hypercall/hypercall.h"

#define AT_ONCE 64u             /* frames that go with one hold of a lock */
#define LOOK_EVERY 8u           /* steps between two looks at the clock; with a table each they are long */

int domain_mm_create(struct domain *d)
{
    d->mm = (struct domain_mm){ .relinquish_put = MFN_INVALID };
    spin_lock_init(&d->mm.lock, RANK_PAGE);
    return 0;
}

static int relinquish_vcpus(struct domain *d)
{
    domain_for_each_vcpu(d, v) {
        const int rc = pt_drop_roots(v);

        if (rc)
            return rc;
        vcpu_drop_gdt(v);
    }
    return 0;
}

static int relinquish_put(struct domain *d)
{
    if (!mfn_eq(d->mm.relinquish_put, MFN_INVALID)) {
        const int rc = page_drop_and_type(d->mm.relinquish_put);

        if (rc)
            return rc;
        d->mm.relinquish_put = MFN_INVALID;
    }
    return 0;
}

/* The caller holds a plain reference on @m. */
static int relinquish_frame(struct domain *d, mfn_t m)
{
    int rc = page_type_abandon(m);

    if (rc)
        return rc;
    if (page_unpin(m, d) == 0) {
        d->mm.relinquish_put = m;                                           /* I2 */
        rc = relinquish_put(d);
        if (rc)
            return rc;
    }
    if (d->mm.tables_done && page_ref_drop_allocation(m, d))
        dirty_log_mark(d, m);
    domain_mm_set_aside(d, m);
    return 0;
}

/* 1: there is none. */
static int relinquish_first(struct domain *d)
{
    domid_t owner;
    int rc = 0;

    spin_lock(&d->mm.lock);
    const mfn_t m = mfn(d->mm.first);
    /* False: another CPU has taken the last reference and will unlink it as soon as we let go of the lock. */
    const bool held = m.n && page_ref_get_any(m, &owner);
    spin_unlock(&d->mm.lock);

    if (m.n == 0)
        return 1;
    if (held) {
        rc = relinquish_frame(d, m);
        page_ref_put(m);
    } else {
        machine_cpu_relax();
    }
    return rc;
}

/* One pass over the list of owned frames: the tables, or all. */
static int relinquish_all(struct domain *d)
{
    int rc = 0;

    for (unsigned n = 1; rc == 0; n++) {
        const unsigned many = d->mm.tables_done ? domain_mm_free_alone(d, AT_ONCE) : domain_mm_pass_over(d, AT_ONCE);

        if (many < AT_ONCE)
            rc = relinquish_first(d);
        if (rc == 0 && n % LOOK_EVERY == 0 && hypercall_preempt())
            rc = -ERESTART;
    }
    return rc == 1 ? 0 : rc;
}

int domain_mm_relinquish(struct domain *d)
{
    int rc = relinquish_put(d);

    if (rc == 0)
        rc = relinquish_vcpus(d);
    while (rc == 0 && !d->mm.tables_done) {
        rc = relinquish_all(d);
        d->mm.tables_done = rc == 0 && domain_mm_take_up(d);
    }
    return rc == 0 ? relinquish_all(d) : rc;
}

void domain_mm_destroy(struct domain *d)
{
    BUG_ON(d->mm.tot_pages || d->mm.first || d->mm.lingering);
    frame_drop_claim(d);
    dirty_log_destroy(d);
}
