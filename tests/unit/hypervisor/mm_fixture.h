/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mm_fixture.h - a machine with two guests, and a table builder, for the tests of mm/
 */
#ifndef PARAVANE_MM_FIXTURE_H
#define PARAVANE_MM_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>

#include "domain/io_caps.h"
#include "heap_fake.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"
#include "mm/roots.h"

#ifndef FX_FRAMES
#define FX_FRAMES 2048
#define FX_OWN 256                      /* frames of each guest */
#endif
#define PT(mfn_, flags) (((uint64_t)(mfn_).n << PAGE_SHIFT) | (flags))
#define TBL (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO (PTE_P | PTE_US | PTE_A)
#define RW (RO | PTE_RW)

struct fx {
    struct domain dom0, a, b;
    struct vcpu v0, va, va1, vb;
    mfn_t fa[FX_OWN], fb[FX_OWN];
};

static inline void fx_domain(struct domain *d, domid_t id, mfn_t *frames, unsigned n)
{
    fake_domain_init(d, id);
    if (io_caps_create(d))
        abort();
    for (unsigned i = 0; i < n; i++) {
        if (frame_alloc_domain(d, 0, 0, &frames[i]))
            abort();
        m2p_set(frames[i], i);
    }
}

static inline void fx_init(struct fx *x)
{
    fake_machine_init(FX_FRAMES);
    memset(x, 0, sizeof(*x));
    fx_domain(&x->dom0, 0, NULL, 0);
    fx_domain(&x->a, 1, x->fa, FX_OWN);
    fx_domain(&x->b, 2, x->fb, FX_OWN);
    fake_vcpu_init(&x->v0, &x->dom0, 0);
    fake_vcpu_init(&x->va, &x->a, 0);
    fake_vcpu_init(&x->va1, &x->a, 1);
    fake_vcpu_init(&x->vb, &x->b, 0);
    fake_set_current(&x->va);
}

static inline void fx_end(struct fx *x)
{
    struct domain *const all[] = { &x->dom0, &x->a, &x->b };

    fake_preempt_at(0, 0);
    page_type_audit(true);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        all[i]->dying = DYING_RELINQUISH;
        while (domain_mm_relinquish(all[i]) == -ERESTART)
            ;
    }
    page_type_audit(true);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i]->mm.tot_pages)
            abort();
        domain_mm_destroy(all[i]);
        io_caps_destroy(all[i]);
    }
    if (frame_free_count() != FX_FRAMES - 1)
        abort();
}

static inline uint64_t *fx_table(mfn_t m) { return frame_ptr(m); }
static inline void fx_set(mfn_t table, unsigned i, uint64_t e) { fx_table(table)[i] = e; }

static inline long fx_mmu(struct vcpu *v, mmu_update_t *req, unsigned n, unsigned *done, uint32_t foreign)
{
    struct hcall h = { .arg = { (uintptr_t)req, n, (uintptr_t)done, foreign } };
    long rc;

    fake_guest_reset();
    fake_guest_share(req, n * sizeof(*req));
    if (done)
        fake_guest_share(done, sizeof(*done));
    do
        rc = do_mmu_update(v, &h);
    while (rc == -ERESTART);
    return rc;
}

static inline long fx_update(struct vcpu *v, mfn_t table, unsigned i, uint64_t val)
{
    mmu_update_t req = { (table.n << PAGE_SHIFT) + i * 8, val };

    return fx_mmu(v, &req, 1, NULL, DOMID_SELF);
}

static inline long fx_ext(struct vcpu *v, unsigned cmd, uint64_t arg1, uint64_t arg2, uint32_t foreign)
{
    struct mmuext_op op = { .cmd = cmd };
    struct hcall h = { .arg = { (uintptr_t)&op, 1, 0, foreign } };
    long rc;

    op.arg1.mfn = arg1;
    op.arg2.src_mfn = arg2;
    fake_guest_reset();
    fake_guest_share(&op, sizeof(op));
    do
        rc = do_mmuext_op(v, &h);
    while (rc == -ERESTART);
    return rc;
}

static inline long fx_pin(struct vcpu *v, unsigned level, mfn_t m)
{
    return fx_ext(v, MMUEXT_PIN_L1_TABLE + level - 1, m.n, 0, DOMID_SELF);
}

static inline long fx_unpin(struct vcpu *v, mfn_t m) { return fx_ext(v, MMUEXT_UNPIN_TABLE, m.n, 0, DOMID_SELF); }

/*
 * frames[0] L4, [1] L3, [2] L2, [3] L1 in slot 0 each, and the frames from [8] on mapped RW from va 0 up, @n of them;
 * the four tables mapped RO behind them. Contents only: nothing is typed yet.
 */
static inline void fx_build(const mfn_t *f, unsigned n)
{
    fx_set(f[0], 0, PT(f[1], TBL));
    fx_set(f[1], 0, PT(f[2], TBL));
    fx_set(f[2], 0, PT(f[3], TBL));
    for (unsigned i = 0; i < n; i++)
        fx_set(f[3], i, PT(f[8 + i], RW));
    for (unsigned i = 0; i < 4; i++)
        fx_set(f[3], n + i, PT(f[i], RO));
}

static inline uint64_t fx_type(mfn_t m) { return atomic_load(&frame_of(m)->type) >> 60; }
static inline uint64_t fx_types(mfn_t m) { return atomic_load(&frame_of(m)->type) & PGT_COUNT_MASK; }
static inline uint64_t fx_refs(mfn_t m) { return atomic_load(&frame_of(m)->ref) & FRAME_COUNT_MASK; }

#endif
