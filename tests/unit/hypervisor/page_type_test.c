/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_type_test.c - frames, references, types, pins, and preemption at every possible point
 */
#include "mm_fixture.h"
#include "../unit.h"

static struct fx x;

static void test_allocator_counts_and_limits(void)
{
    mfn_t m;

    fx_init(&x);
    const uint64_t before = frame_free_count();

    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 9, 0, &m), 0);
    CU_ASSERT_EQUAL(m.n % 512, 0);
    CU_ASSERT_EQUAL(frame_free_count(), before - 512);
    CU_ASSERT_EQUAL(x.a.mm.tot_pages, FX_OWN + 512);
    for (unsigned i = 0; i < 512; i++) {
        CU_ASSERT_EQUAL(frame_owner(frame_of(mfn(m.n + i))), 1);
        CU_ASSERT_EQUAL(m2p_get(mfn(m.n + i)), M2P_INVALID);
        for (unsigned j = 0; j < 512; j++)
            if (fx_table(mfn(m.n + i))[j])
                CU_FAIL("not zeroed");
    }
    x.a.mm.max_pages = x.a.mm.tot_pages + 1;
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 1, 0, &m), -ENOMEM);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 40, 0, &m), -ENOMEM);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 0, 0, &m), 0);
    x.b.dying = DYING_RELINQUISH;
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.b, 0, 0, &m), -EINVAL);
    fx_end(&x);
}

static void give_back(struct domain *d, mfn_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        CU_ASSERT_FATAL(page_ref_get(mfn(first.n + i), d));
        CU_ASSERT(page_ref_drop_allocation(mfn(first.n + i), d));
        page_ref_put(mfn(first.n + i));
    }
}

/* What a domain gave back is free at once, holds zeros when it comes again, and is one block again, cleared in time or not. */
static void test_given_back_frames_are_cleared(void)
{
    mfn_t m, all;

    for (unsigned scrubbed = 0; scrubbed <= 512; scrubbed += 128) {
        fx_init(&x);
        const uint64_t before = frame_free_count();

        CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 9, 0, &m), 0);
        memset(fx_table(m), 0x5a, 512 * PAGE_SIZE);
        give_back(&x.a, m, 512);
        CU_ASSERT_EQUAL(frame_free_count(), before);
        CU_ASSERT(frame_scrub_wanted());
        frame_alloc_audit();
        for (unsigned i = 0; i < scrubbed; i += 4)
            frame_scrub_some();
        CU_ASSERT_EQUAL(frame_scrub_wanted(), scrubbed < 512);
        CU_ASSERT_EQUAL(frame_free_count(), before);
        frame_alloc_audit();
        /* Everything there is: all that waits is drained, and merges. */
        for (uint64_t left = before; left; left--) {
            CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(&x.b, 0, 0, &all), 0);
            for (unsigned j = 0; j < 512; j++)
                if (fx_table(all)[j])
                    CU_FAIL_FATAL("not zeroed");
            memset(fx_table(all), 0xa5, PAGE_SIZE);
        }
        CU_ASSERT_EQUAL(frame_alloc_domain(&x.b, 0, 0, &all), -ENOMEM);
        CU_ASSERT_FALSE(frame_scrub_wanted());
        frame_alloc_audit();
        fx_end(&x);
    }
    /* A large block made of frames that all wait. */
    fx_init(&x);
    for (all = MFN_INVALID; frame_alloc_domain(&x.a, 9, 0, &m) == 0;)
        all = m;
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.b, 9, 0, &m), -ENOMEM);
    give_back(&x.a, all, 512);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.b, 9, 0, &m), 0);
    CU_ASSERT_EQUAL(m.n, all.n);
    fx_end(&x);
}

static void test_address_limit(void)
{
    mfn_t m;

    fx_init(&x);
    /* 2^22 bytes: frames below 1024; without a limit the top comes first. */
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 3, 22, &m), 0);
    CU_ASSERT(m.n + 8 <= 1024);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 3, 0, &m), 0);
    CU_ASSERT(m.n >= 1024);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 0, 12, &m), -ENOMEM);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 0, 14, &m), 0);
    CU_ASSERT(m.n < 4 && m.n > 0);
    fx_end(&x);
}

static void test_claims_are_promises(void)
{
    mfn_t m;

    fx_init(&x);
    const uint64_t free = frame_free_count();

    CU_ASSERT_EQUAL(domain_claim_pages(&x.a, FX_OWN + free + 1), -ENOMEM);
    CU_ASSERT_EQUAL(domain_claim_pages(&x.a, FX_OWN + free), 0);
    CU_ASSERT_EQUAL(frame_unclaimed_count(), 0);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.b, 0, 0, &m), -ENOMEM);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.a, 0, 0, &m), 0);
    CU_ASSERT_EQUAL(domain_claim_pages(&x.a, 0), 0);
    CU_ASSERT_EQUAL(frame_alloc_domain(&x.b, 0, 0, &m), 0);
    fx_end(&x);
}

static void test_references_follow_the_owner(void)
{
    domid_t owner;

    fx_init(&x);
    CU_ASSERT_FALSE(page_ref_get(x.fa[0], &x.b));
    CU_ASSERT_FALSE(page_ref_get(mfn(FX_FRAMES), &x.a));
    CU_ASSERT_FALSE(page_ref_get(mfn(~0UL), &x.a));
    CU_ASSERT_TRUE(page_ref_get(x.fa[0], &x.a));
    CU_ASSERT_TRUE(page_ref_get_any(x.fa[0], &owner));
    CU_ASSERT_EQUAL(owner, 1);
    CU_ASSERT_EQUAL(fx_refs(x.fa[0]), 3);
    /* The allocation goes once; the frame lives until the last reference is gone. */
    CU_ASSERT_TRUE(page_ref_drop_allocation(x.fa[0], &x.a));
    CU_ASSERT_FALSE(page_ref_drop_allocation(x.fa[0], &x.a));
    page_ref_put(x.fa[0]);
    CU_ASSERT_EQUAL(frame_owner(frame_of(x.fa[0])), 1);
    page_ref_put(x.fa[0]);
    CU_ASSERT_FALSE(page_ref_get_any(x.fa[0], &owner));
    CU_ASSERT_EQUAL(x.a.mm.tot_pages, FX_OWN - 1);
    fx_end(&x);
}

static void test_tree_is_typed_and_fixed_up(void)
{
    fx_init(&x);
    fx_build(x.fa, 16);
    fx_set(x.fa[3], 400, PT(x.fa[8], PTE_P | PTE_PKEY));
    fx_set(x.fa[3], 401, 0xdeadbeef00UL);                       /* not present: verbatim */
    fx_set(x.fa[0], 256, 0x1234);
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(fx_type(x.fa[i]), PGT_L4 - i);
        CU_ASSERT_EQUAL(fx_types(x.fa[i]), 1);
    }
    CU_ASSERT_EQUAL(fx_type(x.fa[8]), PGT_WRITABLE);
    CU_ASSERT_EQUAL(fx_table(x.fa[3])[400], PT(x.fa[8], PTE_P | PTE_US));
    CU_ASSERT_EQUAL(fx_table(x.fa[3])[401], 0xdeadbeef00UL);
    CU_ASSERT_EQUAL(memcmp(&fx_table(x.fa[0])[256], hv_l4_entries, sizeof(hv_l4_entries)), 0);
    page_type_audit(true);
    /* H16, H17 */
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), -EINVAL);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[1]), -EINVAL);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fb[0]), -EINVAL);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[0]), 0);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[0]), -EINVAL);
    for (unsigned i = 0; i < 24; i++) {
        CU_ASSERT_EQUAL(fx_types(x.fa[i]), 0);
        CU_ASSERT_EQUAL(fx_refs(x.fa[i]), 1);
    }
    fx_end(&x);
}

static void test_no_writable_table(void)
{
    fx_init(&x);
    fx_build(x.fa, 4);
    /* H15: a writable alias anywhere in the tree, of a table of the tree. */
    fx_set(x.fa[3], 100, PT(x.fa[2], RW));
    CU_ASSERT(fx_pin(&x.va, 4, x.fa[0]) < 0);
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(fx_refs(x.fa[i]), 1);
    fx_set(x.fa[3], 100, PT(x.fa[3], RW));                      /* of itself */
    CU_ASSERT(fx_pin(&x.va, 4, x.fa[0]) < 0);
    fx_set(x.fa[3], 100, 0);
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    /* H1: afterwards, by an update. */
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT(fx_update(&x.va, x.fa[3], 200, PT(x.fa[i], RW)) < 0);
        CU_ASSERT_EQUAL(fx_table(x.fa[3])[200], 0);
    }
    CU_ASSERT(fx_pin(&x.va, 1, x.fa[8]) < 0);                   /* mapped RW */
    CU_ASSERT(fx_pin(&x.va, 1, x.fb[8]) < 0);                   /* foreign */
    CU_ASSERT(fx_pin(&x.va, 2, x.fa[3]) < 0);                   /* another level */
    page_type_audit(true);
    fx_end(&x);
}

static unsigned flush_seen_type;

static void note_type(cpumask_t cpus)
{
    (void)cpus;
    flush_seen_type = (unsigned)(atomic_load(&frame_of(x.fa[20])->type) >> 56);
}

static void test_claim_then_flush_then_validate(void)
{
    fx_init(&x);
    fx_build(x.fa, 16);                                         /* maps fa[20] RW */
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 12, 0), 0);       /* its writable mapping goes */
    CU_ASSERT_EQUAL(fx_types(x.fa[20]), 0);
    fake_log.flushes = 0;
    fake_log.flushed.bits = 0;
    fake_on_flush = note_type;
    CU_ASSERT_EQUAL(fx_pin(&x.va, 1, x.fa[20]), 0);
    /* I2 and XSA-401: every online CPU, and the frame was claimed as L1 and BUSY when it happened. */
    CU_ASSERT_EQUAL(fake_log.flushes, 1);
    CU_ASSERT_EQUAL(fake_log.flushed.bits, fake_online.bits);
    CU_ASSERT_EQUAL(flush_seen_type, (PGT_L1 << 4) | (PGT_BUSY >> 56));
    /* A table that becomes data again: stale paging-structure entries. */
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[20]), 0);
    fake_log.flushes = 0;
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 12, PT(x.fa[20], RW)), 0);
    CU_ASSERT_EQUAL(fake_log.flushes, 1);
    /* Nothing changed type since: no flush. */
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 12, 0), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 12, PT(x.fa[20], RW)), 0);
    CU_ASSERT_EQUAL(fake_log.flushes, 1);
    fake_on_flush = NULL;
    fx_end(&x);
}

static void test_freed_frame_is_flushed_before_reuse(void)
{
    mfn_t m[FX_FRAMES];
    unsigned n = 0;

    fx_init(&x);
    const mfn_t victim = x.fa[30];

    memset(frame_ptr(victim), 0x77, PAGE_SIZE);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_TLB_FLUSH_LOCAL, 0, 0, DOMID_SELF), 0);
    CU_ASSERT_TRUE(page_ref_get(victim, &x.a));
    CU_ASSERT_TRUE(page_ref_drop_allocation(victim, &x.a));
    page_ref_put(victim);
    fake_log.flushes = 0;
    fake_log.flushed.bits = 0;
    while (frame_alloc_domain(&x.b, 0, 0, &m[n]) == 0 && !mfn_eq(m[n], victim))
        n++;
    CU_ASSERT_TRUE(mfn_eq(m[n], victim));
    CU_ASSERT(fake_log.flushes >= 1);                           /* XSA-511 */
    CU_ASSERT_EQUAL(fake_log.flushed.bits, fake_online.bits);
    CU_ASSERT_EQUAL(fx_table(victim)[0], 0);
    fx_end(&x);
}

/* A tree with several children on each level, so that there is something to preempt. */
static void wide_tree(void)
{
    const mfn_t *f = x.fa;

    for (unsigned i = 0; i < 2; i++) {
        fx_set(f[0], i * 300, PT(f[1 + i], TBL));
        for (unsigned j = 0; j < 3; j++) {
            fx_set(f[1 + i], j * 2, PT(f[3 + i * 3 + j], TBL));
            for (unsigned k = 0; k < 3; k++) {
                fx_set(f[3 + i * 3 + j], k, PT(f[9 + (i * 3 + j) * 3 + k], TBL));
                fx_set(f[9 + (i * 3 + j) * 3 + k], 5, PT(f[60 + k], RW));
                fx_set(f[9 + (i * 3 + j) * 3 + k], 6, PT(f[k], RO));
            }
        }
    }
    fx_set(f[0], 301, PT(f[1], TBL));                           /* shared subtree */
}

static void test_preempted_everywhere(void)
{
    unsigned asked = ~0U;

    for (unsigned k = 1; k <= asked + 1; k++) {
        fx_init(&x);
        wide_tree();
        fake_preempt_at(k, 1 + k % 3);
        CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
        if (asked == ~0U)
            asked = 60;
        fake_preempt_at(0, 0);
        page_type_audit(true);
        fake_preempt_at(k, 1 + k % 2);
        CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[0]), 0);
        fake_preempt_at(0, 0);
        page_type_audit(true);
        for (unsigned i = 0; i < FX_OWN; i++)
            if (fx_refs(x.fa[i]) != 1 || fx_types(x.fa[i]))
                CU_FAIL("a reference is left");
        fx_end(&x);
    }
}

static void test_failed_validation_undone_in_pieces(void)
{
    for (unsigned k = 1; k < 40; k++) {
        fx_init(&x);
        wide_tree();
        fx_set(x.fa[9 + 17], 7, PT(x.fb[0], RO));               /* the last L1 is bad */
        fake_preempt_at(k, 2);
        CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), -EINVAL);
        fake_preempt_at(0, 0);
        page_type_audit(true);
        for (unsigned i = 0; i < FX_OWN; i++)
            if (fx_refs(x.fa[i]) != 1 || fx_types(x.fa[i]))
                CU_FAIL("a reference is left");
        fx_end(&x);
    }
}

static void test_abandoned_half_way(void)
{
    for (unsigned k = 1; k < 30; k++) {
        fx_init(&x);
        wide_tree();
        struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = x.fa[0].n };
        struct hcall h = { .arg = { (uintptr_t)&op, 1, 0, DOMID_SELF } };

        fake_guest_share(&op, sizeof(op));
        fake_preempt_at(k, 0);
        const long rc = do_mmuext_op(&x.va, &h);
        fake_preempt_at(0, 0);
        page_type_audit(true);
        if (rc == -ERESTART) {
            /* The guest never comes back: not writable, not another level; teardown cleans up (fx_end). */
            CU_ASSERT_EQUAL(page_get_and_type(x.fa[0], &x.a, PGT_WRITABLE), -EBUSY);
            CU_ASSERT_EQUAL(page_get_and_type(x.fa[0], &x.a, PGT_L3), -EBUSY);
            CU_ASSERT_EQUAL(frame_steal(&x.a, x.fa[0]), -EBUSY);
        }
        fx_end(&x);
    }
}

static void test_release_abandoned_half_way(void)
{
    for (unsigned k = 1; k < 30; k++) {
        fx_init(&x);
        wide_tree();
        CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
        struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = x.fa[0].n };
        struct hcall h = { .arg = { (uintptr_t)&op, 1, 0, DOMID_SELF } };

        fake_guest_reset();
        fake_guest_share(&op, sizeof(op));
        fake_preempt_at(k, 0);
        const long rc = do_mmuext_op(&x.va, &h);
        fake_preempt_at(0, 0);
        page_type_audit(true);
        if (rc == -ERESTART && x.va.pending_put.count) {
            CU_ASSERT_EQUAL(h.arg[1], 1U << 31);                /* done; only the rest of the release is left */
            CU_ASSERT_EQUAL(page_get_and_type(x.fa[0], &x.a, PGT_L4), -EBUSY);
            /* Another vCPU's calls do not finish it, this vCPU's do. */
            CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_TLB_FLUSH_LOCAL, 0, 0, DOMID_SELF), 0);
            CU_ASSERT_EQUAL(fx_types(x.fa[0]), 0);
        }
        fx_end(&x);
    }
}

static void test_teardown_preempted(void)
{
    for (unsigned k = 1; k < 12; k++) {
        fx_init(&x);
        wide_tree();
        CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
        CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_NEW_BASEPTR, x.fa[0].n, 0, DOMID_SELF), 0);
        CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_NEW_USER_BASEPTR, x.fa[0].n, 0, DOMID_SELF), 0);
        x.a.dying = DYING_RELINQUISH;
        fake_preempt_at(k, k);
        unsigned calls = 1;
        while (domain_mm_relinquish(&x.a) == -ERESTART) {
            page_type_audit(true);
            calls++;
        }
        CU_ASSERT(calls > 1);
        CU_ASSERT_EQUAL(x.a.mm.tot_pages, 0);
        CU_ASSERT_EQUAL(x.a.dying, DYING_DEAD);
        fx_end(&x);
    }
}

/* What others hold outlives it: two data frames and a table among many, wherever the walk is cut. */
static void test_teardown_leaves_what_others_hold(void)
{
    for (unsigned k = 0; k < 8; k++) {
        mfn_t data[150], table;

        fx_init(&x);
        wide_tree();
        table = x.fa[3];
        CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
        for (unsigned i = 0; i < 150; i++)
            CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(&x.a, 0, 0, &data[i]), 0);
        CU_ASSERT_TRUE(page_ref_get(data[0], &x.a));
        CU_ASSERT_TRUE(page_ref_get(data[100], &x.a));
        CU_ASSERT_TRUE(page_ref_get(table, &x.a));
        x.a.dying = DYING_RELINQUISH;
        fake_preempt_at(k, k);
        while (domain_mm_relinquish(&x.a) == -ERESTART)
            page_type_audit(false);
        fake_preempt_at(0, 0);
        CU_ASSERT_EQUAL(x.a.mm.tot_pages, 3);
        CU_ASSERT_EQUAL(fx_types(table), 0);
        CU_ASSERT_EQUAL(domain_mm_relinquish(&x.a), 0);         /* the toolstack may ask again */
        page_ref_put(data[100]);
        page_ref_put(table);
        CU_ASSERT_EQUAL(frame_owner(frame_of(table)), DOMID_XEN);
        CU_ASSERT_EQUAL(x.a.dying, DYING_RELINQUISH);
        page_ref_put(data[0]);
        CU_ASSERT_EQUAL(x.a.mm.tot_pages, 0);
        CU_ASSERT_EQUAL(x.a.dying, DYING_DEAD);
        fx_end(&x);
    }
}

static void test_shared_frame_is_never_a_table(void)
{
    fx_init(&x);
    const mfn_t m = frame_alloc_hv(0, 0);

    CU_ASSERT_FALSE(page_ref_get(m, &x.a));
    frame_share_with_guest(m, &x.a);
    CU_ASSERT_EQUAL(page_get_and_type(m, &x.a, PGT_L1), -EBUSY);
    CU_ASSERT_EQUAL(page_get_and_type(m, &x.a, PGT_SEG), -EBUSY);
    CU_ASSERT_EQUAL(page_get_and_type(m, &x.a, PGT_WRITABLE), 0);
    CU_ASSERT_EQUAL(frame_steal(&x.a, m), -EBUSY);
    frame_unshare(m, &x.a);
    CU_ASSERT_EQUAL(frame_owner(frame_of(m)), 1);               /* the guest still maps it */
    CU_ASSERT_EQUAL(page_put_and_type(m, &x.a), 0);
    CU_ASSERT_EQUAL(frame_owner(frame_of(m)), DOMID_XEN);
    CU_ASSERT_EQUAL(x.a.mm.xenheap_pages, 0);
    fx_end(&x);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_allocator_counts_and_limits), UNIT(test_given_back_frames_are_cleared), UNIT(test_address_limit), UNIT(test_claims_are_promises),
        UNIT(test_references_follow_the_owner), UNIT(test_tree_is_typed_and_fixed_up), UNIT(test_no_writable_table),
        UNIT(test_claim_then_flush_then_validate), UNIT(test_freed_frame_is_flushed_before_reuse),
        UNIT(test_preempted_everywhere), UNIT(test_failed_validation_undone_in_pieces),
        UNIT(test_abandoned_half_way), UNIT(test_release_abandoned_half_way), UNIT(test_teardown_preempted),
        UNIT(test_teardown_leaves_what_others_hold),
        UNIT(test_shared_frame_is_never_a_table), { 0 }
    };

    return unit_main("page_type", cases);
}
