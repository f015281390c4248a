/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant_test.c - lending frames: domain a grants, b and Dom0 map and copy; hypercall 20 throughout
 *
 * b runs on real page tables (pinned, loaded), so that every mapping is judged by mm/ and read by the CPU model. Each
 * test ends with the audits of both modules and with all frames free.
 */
#include "../unit.h"

#include "mm_fixture.h"

#include "grant/table.h"

#include <pthread.h>

#define NR_MAPPED 16                    /* of b's own pages at va 0.. */
#define FREE_VA(i) ((uint64_t)(32 + (i)) << PAGE_SHIFT)

static struct fx x;

static void setup(void)
{
    fx_init(&x);
    CU_ASSERT_EQUAL(grant_domain_create(&x.dom0, 4, 16), 0);
    CU_ASSERT_EQUAL(grant_domain_create(&x.a, 4, 4), 0);
    CU_ASSERT_EQUAL(grant_domain_create(&x.b, 4, 4), 0);
    fx_build(x.fb, NR_MAPPED);
    fake_set_current(&x.vb);
    CU_ASSERT_EQUAL(fx_pin(&x.vb, 4, x.fb[0]), 0);
    CU_ASSERT_EQUAL(fx_ext(&x.vb, MMUEXT_NEW_BASEPTR, x.fb[0].n, 0, DOMID_SELF), 0);
}

static void audit(void)
{
    grant_audit(&x.dom0);
    grant_audit(&x.a);
    grant_audit(&x.b);
}

static void relinquish(struct domain *d)
{
    while (grant_domain_relinquish(d) == -ERESTART)
        audit();
}

static void teardown(void)
{
    struct domain *const all[] = { &x.dom0, &x.a, &x.b };

    fake_preempt_at(0, 0);
    audit();
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        relinquish(all[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        const struct grant_table *gt = all[i]->grants;
        for (uint32_t ref = 0; ref < gt->nr_frames * GRANTS_PER_FRAME; ref++)
            CU_ASSERT_FALSE(grant_pinned(grant_active_of(gt, ref)));            /* the ledger is empty */
        grant_domain_destroy(all[i]);
    }
    fx_end(&x);
}

static struct grant_entry_v1 *entry(struct domain *d, uint32_t ref) { return grant_shared_of(d->grants, ref); }

static void grant(struct domain *d, uint32_t ref, domid_t to, mfn_t m, uint16_t flags)
{
    *entry(d, ref) = (struct grant_entry_v1){ .flags = (uint16_t)(GTF_permit_access | flags), .domid = to,
                                              .frame = (uint32_t)m.n };
}

static long call(struct vcpu *v, unsigned cmd, void *arg, size_t size, uint64_t n)
{
    struct hcall h = { .arg = { cmd, (uintptr_t)arg, n } };
    long rc;

    fake_guest_reset();
    fake_guest_share(arg, size * n);
    fake_set_current(v);
    do {
        rc = do_grant_table_op(v, &h);
        if (rc == -ERESTART)
            audit();
    } while (rc == -ERESTART);
    audit();
    return rc;
}
#define CALL(v, cmd, s) call(v, cmd, &(s), sizeof(s), 1)

static struct gnttab_map_grant_ref map(struct vcpu *v, uint32_t ref, uint32_t flags, uint64_t host_addr)
{
    struct gnttab_map_grant_ref op = { .dom = 1, .ref = ref, .flags = flags, .host_addr = host_addr, .status = 99 };

    CU_ASSERT_EQUAL(CALL(v, GNTTABOP_map_grant_ref, op), 0);
    return op;
}

static int16_t unmap(struct vcpu *v, uint32_t handle, uint64_t host_addr, uint64_t dev_bus_addr)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = host_addr, .dev_bus_addr = dev_bus_addr, .handle = handle,
                                         .status = 99 };

    CU_ASSERT_EQUAL(CALL(v, GNTTABOP_unmap_grant_ref, op), 0);
    return op.status;
}

static uint64_t l1_of(unsigned i) { return fx_table(x.fb[3])[32 + i]; }

/* ---- map and unmap ---- */

static void test_map_write_unmap(void)
{
    setup();
    const mfn_t m = x.fa[20];
    grant(&x.a, 8, 2, m, 0);
    const uint64_t refs = fx_refs(m);
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map, FREE_VA(0));
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    CU_ASSERT_EQUAL(op.dev_bus_addr, m.n << PAGE_SHIFT);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(fx_type(m), PGT_WRITABLE);
    char *p = fake_mmu(x.fb[0], FREE_VA(0) + 5, true);          /* the guest writes what was lent */
    CU_ASSERT_PTR_EQUAL(p, (char *)frame_ptr(m) + 5);

    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_okay);
    CU_ASSERT_PTR_NULL(fake_mmu(x.fb[0], FREE_VA(0), false));
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access);
    CU_ASSERT_EQUAL(fx_refs(m), refs);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_bad_handle);          /* H47 */
    teardown();
}

static void test_readonly_and_avail_bits(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], GTF_readonly);
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_host_map, FREE_VA(0)).status, GNTST_general_error);    /* H42 */
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map | GNTMAP_readonly | 5u << _GNTMAP_guest_avail0, FREE_VA(0));
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access | GTF_readonly | GTF_reading);
    CU_ASSERT_EQUAL(l1_of(0) & PTE_AVAIL, 5u << 9);
    CU_ASSERT_PTR_NOT_NULL(fake_mmu(x.fb[0], FREE_VA(0), false));
    CU_ASSERT_PTR_NULL(fake_mmu(x.fb[0], FREE_VA(0), true));
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_okay);
    teardown();
}

static void test_map_refusals(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    grant(&x.a, 9, 0, x.fa[21], 0);                             /* for Dom0 */
    grant(&x.a, 10, 2, x.fb[21], 0);                            /* not a's frame */
    grant(&x.a, 11, 2, mfn(0xfffffff0), 0);                     /* no frame */
    *entry(&x.a, 12) = (struct grant_entry_v1){ .flags = GTF_accept_transfer, .domid = 2 };
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_readonly, FREE_VA(0)).status, GNTST_bad_gntref);       /* H41 */
    CU_ASSERT_EQUAL(map(&x.vb, 512, GNTMAP_host_map, FREE_VA(0)).status, GNTST_bad_gntref);
    CU_ASSERT_EQUAL(map(&x.vb, UINT32_MAX, GNTMAP_host_map, FREE_VA(0)).status, GNTST_bad_gntref);
    for (uint32_t ref = 9; ref < 14; ref++)
        CU_ASSERT_EQUAL(map(&x.vb, ref, GNTMAP_host_map, FREE_VA(0)).status, GNTST_general_error);
    struct gnttab_map_grant_ref op = { .dom = 9, .ref = 8, .flags = GNTMAP_host_map };
    CU_ASSERT_EQUAL(CALL(&x.vb, GNTTABOP_map_grant_ref, op), 0);
    CU_ASSERT_EQUAL(op.status, GNTST_bad_domain);
    op.dom = DOMID_SELF;
    CU_ASSERT_EQUAL(CALL(&x.vb, GNTTABOP_map_grant_ref, op), 0);
    CU_ASSERT_EQUAL(op.status, GNTST_bad_domain);
    for (uint32_t ref = 8; ref < 14; ref++)
        CU_ASSERT_EQUAL(entry(&x.a, ref)->flags & (GTF_reading | GTF_writing), 0);              /* nothing announced */
    for (unsigned i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(l1_of(i), 0);
    teardown();
}

/* A page table may be lent for reading, never for writing. */
static void test_map_of_a_page_table(void)
{
    setup();
    fx_set(x.fa[40], 0, 0);
    fake_set_current(&x.va);
    CU_ASSERT_EQUAL(fx_pin(&x.va, 1, x.fa[40]), 0);
    grant(&x.a, 8, 2, x.fa[40], 0);
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_host_map, FREE_VA(0)).status, GNTST_general_error);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access);
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map | GNTMAP_readonly, FREE_VA(0));
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_okay);
    fake_set_current(&x.va);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[40]), 0);
    teardown();
}

static void test_contains_pte(void)
{
    const uint32_t flags = GNTMAP_host_map | GNTMAP_contains_pte;

    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    const uint64_t slot = (x.fb[3].n << PAGE_SHIFT) + 40 * 8;
    CU_ASSERT_EQUAL(map(&x.vb, 8, flags, slot + 4).status, GNTST_general_error);                /* H43 */
    CU_ASSERT_EQUAL(map(&x.vb, 8, flags, slot + 1).status, GNTST_general_error);
    CU_ASSERT_EQUAL(map(&x.vb, 8, flags, x.fb[2].n << PAGE_SHIFT).status, GNTST_general_error); /* an L2 */
    CU_ASSERT_EQUAL(map(&x.vb, 8, flags, x.fb[50].n << PAGE_SHIFT).status, GNTST_general_error);
    CU_ASSERT_EQUAL(map(&x.vb, 8, flags, x.fa[30].n << PAGE_SHIFT).status, GNTST_general_error);
    CU_ASSERT_EQUAL(map(&x.vb, 8, flags, ~7UL).status, GNTST_general_error);
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_host_map, 0xffff800000000000).status, GNTST_general_error);    /* H44 */
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_host_map, 1UL << 40).status, GNTST_general_error);     /* no table there */
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access);

    struct gnttab_map_grant_ref op = map(&x.vb, 8, flags, slot);
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    CU_ASSERT_EQUAL(fx_table(x.fb[3])[40] & PTE_ADDR, x.fa[20].n << PAGE_SHIFT);
    /* gntdev's second mapping of the same grant */
    struct gnttab_map_grant_ref second = map(&x.vb, 8, GNTMAP_host_map, FREE_VA(1));
    CU_ASSERT_EQUAL(second.status, GNTST_okay);
    CU_ASSERT_NOT_EQUAL(second.handle, op.handle);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, slot + 8, 0), GNTST_general_error);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, slot, 0), GNTST_okay);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(unmap(&x.vb, second.handle, FREE_VA(1), 0), GNTST_okay);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access);
    teardown();
}

/* H49, XSA-224: every way to end a mapping of both kinds; the handle dies with the last, and only then. */
static void test_unmap_orders(void)
{
    static const struct { bool host, dev; } steps[][2] = {
        { { 1, 1 }, { 0, 0 } }, { { 1, 0 }, { 0, 1 } }, { { 0, 1 }, { 1, 0 } }, { { 0, 1 }, { 1, 1 } }, { { 1, 0 }, { 1, 1 } },
    };

    setup();
    const mfn_t m = x.fa[20];
    grant(&x.a, 8, 2, m, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        const uint64_t refs = fx_refs(m);
        struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map | GNTMAP_device_map, FREE_VA(0));
        CU_ASSERT_EQUAL(op.status, GNTST_okay);
        bool host = true, dev = true;
        for (unsigned s = 0; s < 2 && (host || dev); s++) {
            CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, steps[i][s].host ? FREE_VA(0) : 0,
                                  steps[i][s].dev ? op.dev_bus_addr : 0), GNTST_okay);
            host &= !steps[i][s].host;
            dev &= !steps[i][s].dev;
            CU_ASSERT_EQUAL(entry(&x.a, 8)->flags,
                            GTF_permit_access | (host || dev ? GTF_reading | GTF_writing : 0));
        }
        CU_ASSERT_EQUAL(fx_refs(m), refs);
        CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_bad_handle);
    }
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_device_map, 0);
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, 0, op.dev_bus_addr + 4096), GNTST_bad_dev_addr);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, 0, op.dev_bus_addr), GNTST_okay);
    teardown();
}

/* H48, XSA-234: the guest has put something else into the entry; the pin stays, the counts stay right. */
static void test_unmap_of_a_replaced_entry(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map, FREE_VA(0));
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    const uint64_t refs = fx_refs(x.fa[20]);

    fake_set_current(&x.vb);
    CU_ASSERT_EQUAL(fx_update(&x.vb, x.fb[3], 32, 0), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fa[20]), refs - 1);               /* the entry's own reference */
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_general_error);
    fake_set_current(&x.vb);
    CU_ASSERT_EQUAL(fx_update(&x.vb, x.fb[3], 32, PT(x.fb[60], RW)), 0);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_general_error);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, 0, 0), GNTST_okay); /* nothing asked, nothing done */
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    teardown();                                                 /* the domain's end drops it */
}

static void test_handles_belong_to_their_domain(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map, FREE_VA(0));
    CU_ASSERT_EQUAL(unmap(&x.va, op.handle, FREE_VA(0), 0), GNTST_bad_handle);
    CU_ASSERT_EQUAL(unmap(&x.v0, op.handle, FREE_VA(0), 0), GNTST_bad_handle);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle + 1, FREE_VA(0), 0), GNTST_bad_handle);
    CU_ASSERT_EQUAL(unmap(&x.vb, UINT32_MAX, FREE_VA(0), 0), GNTST_bad_handle);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_okay);
    teardown();
}

/* H45: pins do not wrap; the maptrack ends before memory does. */
static void test_pin_and_handle_limits(void)
{
    static uint32_t handle[PIN_MAX];

    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    for (unsigned i = 0; i < PIN_MAX; i++) {
        struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_device_map, 0);
        CU_ASSERT_EQUAL(op.status, GNTST_okay);
        handle[i] = op.handle;
    }
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_device_map, 0).status, GNTST_general_error);
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_device_map | GNTMAP_readonly, 0).status, GNTST_okay);
    for (unsigned i = 0; i < PIN_MAX; i++)
        CU_ASSERT_EQUAL(unmap(&x.vb, handle[i], 0, x.fa[20].n << PAGE_SHIFT), GNTST_okay);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access | GTF_reading);

    for (uint32_t ref = 20; ref < 40; ref++)
        grant(&x.a, ref, 2, x.fa[ref], 0);
    for (unsigned n = 1; n < 4 * MAPTRACK_PER_CHUNK; n++)
        CU_ASSERT_EQUAL(map(&x.vb, 20 + n % 20, GNTMAP_device_map, 0).status, GNTST_okay);
    CU_ASSERT_EQUAL(map(&x.vb, 20, GNTMAP_device_map, 0).status, GNTST_no_space);
    fake_preempt_at(1, 1);                                      /* H58: teardown makes way, and ends */
    relinquish(&x.b);
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(entry(&x.a, 20)->flags, GTF_permit_access);
    teardown();
}

/* I3: while the flush runs, the frame is still pinned; it comes before the flags are dropped. One flush a batch. */
static uint16_t flags_at_flush;
static void on_flush(cpumask_t cpus)
{
    (void)cpus;
    flags_at_flush = entry(&x.a, 8)->flags;
}

static void test_flush_before_unpin(void)
{
    struct gnttab_unmap_grant_ref u[40] = { 0 };

    setup();
    for (unsigned i = 0; i < 40; i++) {
        grant(&x.a, 8 + i, 2, x.fa[20 + i], 0);
        struct gnttab_map_grant_ref op = map(&x.vb, 8 + i, GNTMAP_host_map, FREE_VA(i));
        CU_ASSERT_EQUAL(op.status, GNTST_okay);
        u[i] = (struct gnttab_unmap_grant_ref){ .host_addr = FREE_VA(i), .handle = op.handle, .status = 99 };
    }
    u[33].handle = 12345;                                       /* one bad element does not stop the others */
    x.b.mm.dirty_cpus = (cpumask_t){ 5 };
    fake_log.flushes = 0;
    fake_log.flushed.bits = 0;
    fake_on_flush = on_flush;
    CU_ASSERT_EQUAL(call(&x.vb, GNTTABOP_unmap_grant_ref, u, sizeof(u[0]), 1), 0);
    CU_ASSERT_EQUAL(flags_at_flush, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(fake_log.flushed.bits, 5);
    CU_ASSERT_EQUAL(fake_log.flushes, 1);
    fake_on_flush = NULL;
    CU_ASSERT_EQUAL(call(&x.vb, GNTTABOP_unmap_grant_ref, u + 1, sizeof(u[0]), 39), 0);
    CU_ASSERT_EQUAL(fake_log.flushes, 3);                       /* 32 and 7 */
    for (unsigned i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(u[i].status, i == 33 ? GNTST_bad_handle : GNTST_okay);
    teardown();
}

/* H57: the granter dies while b has its page mapped. */
static void test_granter_dies_first(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    struct gnttab_map_grant_ref op = map(&x.vb, 8, GNTMAP_host_map, FREE_VA(0));
    memset(frame_ptr(x.fa[20]), 0x77, PAGE_SIZE);
    relinquish(&x.a);
    x.a.dying = DYING_RELINQUISH;
    while (domain_mm_relinquish(&x.a) == -ERESTART)
        ;
    CU_ASSERT_NOT_EQUAL(x.a.mm.tot_pages, 0);                   /* the lent frame lives on */
    const char *p = fake_mmu(x.fb[0], FREE_VA(0), false);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL(p[0], 0x77);
    CU_ASSERT_EQUAL(map(&x.vb, 8, GNTMAP_host_map, FREE_VA(1)).status, GNTST_bad_domain);
    CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_okay);
    CU_ASSERT_EQUAL(x.a.mm.tot_pages, 0);
    teardown();
}

/* ---- copy ---- */

static int16_t copy(struct vcpu *v, struct gnttab_copy op)
{
    op.status = 99;
    CU_ASSERT_EQUAL(CALL(v, GNTTABOP_copy, op), 0);
    return op.status;
}
#define REF(d, r, off) { .u.ref = (r), .domid = (d), .offset = (off) }
#define OWN(m, off) { .u.gmfn = (m).n, .domid = DOMID_SELF, .offset = (off) }

static void test_copy(void)
{
    setup();
    memset(frame_ptr(x.fa[20]), 0x11, PAGE_SIZE);
    memset(frame_ptr(x.fb[60]), 0x22, PAGE_SIZE);
    grant(&x.a, 8, 2, x.fa[20], 0);
    grant(&x.a, 9, 2, x.fa[21], GTF_readonly);
    grant(&x.a, 10, 0, x.fa[22], 0);
    const char *const pa = frame_ptr(x.fa[20]), *const pb = frame_ptr(x.fb[60]);

    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ OWN(x.fb[60], 10), REF(1, 8, 100), 50, GNTCOPY_dest_gref, 99 }), 0);
    CU_ASSERT(pa[99] == 0x11 && pa[100] == 0x22 && pa[149] == 0x22 && pa[150] == 0x11);
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ REF(1, 8, 0), OWN(x.fb[60], 4000), 96, GNTCOPY_source_gref, 99 }), 0);
    CU_ASSERT(pb[3999] == 0x22 && pb[4000] == 0x11 && pb[4095] == 0x11);
    CU_ASSERT_EQUAL(entry(&x.a, 8)->flags, GTF_permit_access);
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ REF(1, 8, 0), REF(1, 8, 1), 4095,
                                                      GNTCOPY_source_gref | GNTCOPY_dest_gref, 99 }), 0);   /* one frame */

    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ OWN(x.fb[60], 1), REF(1, 8, 0), 4096, GNTCOPY_dest_gref, 99 }),
                    GNTST_bad_copy_arg);                                                                /* H51 */
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ OWN(x.fb[60], 0), REF(1, 8, 65535), 65535, GNTCOPY_dest_gref, 99 }),
                    GNTST_bad_copy_arg);
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ OWN(x.fb[60], 0), REF(1, 9, 0), 8, GNTCOPY_dest_gref, 99 }),
                    GNTST_general_error);                                                               /* read-only */
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ REF(1, 10, 0), OWN(x.fb[60], 0), 8, GNTCOPY_source_gref, 99 }),
                    GNTST_general_error);                                                               /* for Dom0 */
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ REF(9, 8, 0), OWN(x.fb[60], 0), 8, GNTCOPY_source_gref, 99 }),
                    GNTST_bad_domain);
    struct gnttab_copy foreign = { OWN(x.fa[20], 0), OWN(x.fb[60], 0), 8, 0, 99 };
    CU_ASSERT_EQUAL(copy(&x.vb, foreign), GNTST_bad_page);                                              /* not b's */
    foreign.source.domid = 1;
    CU_ASSERT_EQUAL(copy(&x.vb, foreign), GNTST_permission_denied);
    foreign.source.domid = 2;
    CU_ASSERT_EQUAL(copy(&x.vb, foreign), GNTST_permission_denied);
    struct gnttab_copy table = { OWN(x.fb[60], 0), OWN(x.fb[3], 0), 8, 0, 99 };
    CU_ASSERT_EQUAL(copy(&x.vb, table), GNTST_bad_page);                                /* never into a page table */
    CU_ASSERT_EQUAL(copy(&x.vb, (struct gnttab_copy){ REF(1, 77, 0), REF(9, 8, 0), 0, 3, 99 }), GNTST_okay);        /* H54 */
    teardown();
}

/* H51, H52 (XSA-523): in a batch each element is judged alone, in every position. */
static void test_copy_batch_of_mixed_operands(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    for (unsigned bad = 0; bad < 4; bad++) {
        struct gnttab_copy op[4];
        for (unsigned i = 0; i < 4; i++)
            op[i] = i % 2 ? (struct gnttab_copy){ REF(1, 8, 0), OWN(x.fb[60], 0), 8, GNTCOPY_source_gref, 99 }
                          : (struct gnttab_copy){ OWN(x.fb[61], 0), REF(1, 8, 0), 8, GNTCOPY_dest_gref, 99 };
        op[bad] = (struct gnttab_copy){ { .u.gmfn = x.fa[20].n, .domid = 1 }, OWN(x.fb[60], 0), 8, 0, 99 };
        CU_ASSERT_EQUAL(call(&x.vb, GNTTABOP_copy, op, sizeof(op[0]), 4), 0);
        for (unsigned i = 0; i < 4; i++)
            CU_ASSERT_EQUAL(op[i].status, i == bad ? GNTST_permission_denied : GNTST_okay);
    }
    teardown();
}

/* ---- H53, XSA-318: a batch that makes way ---- */

#define BATCH 100U

/* A chain of one-byte copies: a link that is left out or done twice would show. */
static void make_chain(struct gnttab_copy *op)
{
    uint8_t *p = frame_ptr(x.fb[60]);

    memset(p, 0, PAGE_SIZE);
    p[0] = 1;
    for (unsigned i = 0; i < BATCH; i++) {
        op[i] = (struct gnttab_copy){ OWN(x.fb[60], 0), OWN(x.fb[60], 0), 1, 0, 99 };
        op[i].source.offset = (uint16_t)i;
        op[i].dest.offset = (uint16_t)(i + 1);
    }
}

/* One call until it makes way at its @k-th question: how many elements are done, all if there is no such question. */
static uint64_t until_question(unsigned cmd, void *op, size_t size, uint64_t n, unsigned k, struct hcall *h)
{
    *h = (struct hcall){ .arg = { cmd, (uintptr_t)op, n } };
    fake_guest_reset();
    fake_guest_share(op, size * n);
    fake_preempt_at(k, 0);
    const long rc = do_grant_table_op(&x.vb, h);
    fake_preempt_at(0, 0);
    CU_ASSERT(rc == 0 || rc == -ERESTART);
    audit();
    return rc == 0 ? n : n - h->arg[2];
}

/* At each question there is, for a batch that begins anywhere: what is done has its status, the rest is as it was. */
static void test_copy_preempted(void)
{
    static const unsigned firsts[] = { 0, 1, 15, 16, 17, 60 };
    static struct gnttab_copy op[BATCH];
    uint8_t *p;
    struct hcall h;

    setup();
    p = frame_ptr(x.fb[60]);
    for (unsigned f = 0; f < ARRAY_SIZE(firsts); f++) {
        const unsigned first = firsts[f];
        uint64_t done = 0;

        for (unsigned k = 1; done < BATCH - first; k++) {
            make_chain(op);
            if (first > 0)
                CU_ASSERT_EQUAL(call(&x.vb, GNTTABOP_copy, op, sizeof(op[0]), first), 0);
            done = until_question(GNTTABOP_copy, op + first, sizeof(op[0]), BATCH - first, k, &h);
            for (unsigned i = 0; i < BATCH; i++)
                CU_ASSERT(op[i].status == (i < first + done ? GNTST_okay : 99) && p[i + 1] == (i < first + done));
            if (done < BATCH - first)
                CU_ASSERT_EQUAL(do_grant_table_op(&x.vb, &h), 0);
            for (unsigned i = 0; i < BATCH; i++)
                CU_ASSERT(op[i].status == GNTST_okay && p[i + 1] == 1);
        }
    }
    teardown();
}

/* The same of mapping and unmapping: no handle twice, none lost. */
static void test_map_and_unmap_preempted(void)
{
    static struct gnttab_map_grant_ref in[BATCH];
    static struct gnttab_unmap_grant_ref out[BATCH];
    bool asked = true;
    struct hcall h;

    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    for (unsigned k = 1; asked; k++) {
        for (unsigned i = 0; i < BATCH; i++)
            in[i] = (struct gnttab_map_grant_ref){ .dom = 1, .ref = 8, .flags = GNTMAP_host_map, .status = 99,
                                                   .host_addr = FREE_VA(i) };
        uint64_t done = until_question(GNTTABOP_map_grant_ref, in, sizeof(in[0]), BATCH, k, &h);
        asked = done < BATCH;
        for (unsigned i = 0; i < BATCH; i++)
            CU_ASSERT(in[i].status == (i < done ? GNTST_okay : 99) && (l1_of(i) != 0) == (i < done));
        if (asked)
            CU_ASSERT_EQUAL(do_grant_table_op(&x.vb, &h), 0);
        for (unsigned i = 0; i < BATCH; i++) {
            CU_ASSERT_EQUAL(in[i].status, GNTST_okay);
            out[i] = (struct gnttab_unmap_grant_ref){ .host_addr = FREE_VA(i), .handle = in[i].handle, .status = 99 };
        }
        done = until_question(GNTTABOP_unmap_grant_ref, out, sizeof(out[0]), BATCH, k, &h);
        asked = asked || done < BATCH;
        for (unsigned i = 0; i < BATCH; i++)
            CU_ASSERT(out[i].status == (i < done ? GNTST_okay : 99) && (l1_of(i) == 0) == (i < done));
        if (done < BATCH)
            CU_ASSERT_EQUAL(do_grant_table_op(&x.vb, &h), 0);
        for (unsigned i = 0; i < BATCH; i++)
            CU_ASSERT(out[i].status == GNTST_okay && l1_of(i) == 0);
    }
    teardown();
}

/* ---- table ---- */

static void test_setup_query_version(void)
{
    uint64_t list[8];

    setup();
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_query_size, q), 0);
    CU_ASSERT(q.status == 0 && q.nr_frames == 1 && q.max_nr_frames == 4);
    CU_ASSERT_EQUAL(call(&x.va, GNTTABOP_query_size, &q, sizeof(q), 0), -EINVAL);
    q.dom = 2;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_query_size, q), 0);
    CU_ASSERT_EQUAL(q.status, GNTST_permission_denied);
    CU_ASSERT_EQUAL(CALL(&x.v0, GNTTABOP_query_size, q), 0);
    CU_ASSERT_EQUAL(q.status, GNTST_okay);

    struct { struct gnttab_setup_table op; uint64_t list[8]; } s = { .op = { .dom = DOMID_SELF, .nr_frames = 3 } };
    set_xen_guest_handle(s.op.frame_list, s.list);
    entry(&x.a, 5)->frame = 4711;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_setup_table, s), 0);
    CU_ASSERT_EQUAL(s.op.status, GNTST_okay);
    memcpy(list, s.list, sizeof(list));
    CU_ASSERT_PTR_EQUAL(frame_ptr(mfn(list[0])), entry(&x.a, 0));
    CU_ASSERT_EQUAL(entry(&x.a, 5)->frame, 4711);               /* growing keeps what is there */
    CU_ASSERT(list[2] != 0 && list[3] == 0);
    s.op.nr_frames = 5;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_setup_table, s), 0);
    CU_ASSERT_EQUAL(s.op.status, GNTST_general_error);          /* H56 */
    s.op.nr_frames = UINT32_MAX;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_setup_table, s), 0);
    CU_ASSERT_EQUAL(s.op.status, GNTST_general_error);
    s.op = (struct gnttab_setup_table){ .dom = DOMID_SELF, .nr_frames = 2 };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_setup_table, s), 0);
    CU_ASSERT_EQUAL(s.op.status, GNTST_bad_virt_addr);

    /* A grant frame can be mapped writable by its domain, and can never become a table. */
    CU_ASSERT(page_ref_get(mfn(list[0]), &x.a));
    CU_ASSERT_NOT_EQUAL(page_type_get(mfn(list[0]), &x.a, PGT_L1), 0);
    page_ref_put(mfn(list[0]));

    struct gnttab_set_version ver = { .version = 2 };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_set_version, ver), -ENOSYS);                   /* H55 */
    ver.version = 3;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_set_version, ver), -EINVAL);
    ver.version = 1;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_set_version, ver), 0);
    struct gnttab_get_version gv = { .dom = DOMID_SELF };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_get_version, gv), 0);
    CU_ASSERT_EQUAL(gv.version, 1);
    struct gnttab_get_status_frames sf = { .dom = DOMID_SELF };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_get_status_frames, sf), 0);
    CU_ASSERT_EQUAL(sf.status, GNTST_general_error);
    struct gnttab_cache_flush cf = { 0 };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_cache_flush, cf), -EOPNOTSUPP);
    struct gnttab_transfer tr = { 0 };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_transfer, tr), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(call(&x.va, GNTTABOP_map_grant_ref, &tr, 1, 1UL << 31), -EINVAL);
    CU_ASSERT_EQUAL(CALL(&x.va, 13, tr), -ENOSYS);
    teardown();
}

static void test_swap(void)
{
    setup();
    grant(&x.a, 8, 2, x.fa[20], 0);
    grant(&x.a, 9, 0, x.fa[21], GTF_readonly);
    struct gnttab_swap_grant_ref s = { 8, 9, 99 };
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_swap_grant_ref, s), 0);
    CU_ASSERT_EQUAL(s.status, GNTST_okay);
    CU_ASSERT(entry(&x.a, 9)->domid == 2 && entry(&x.a, 8)->flags == (GTF_permit_access | GTF_readonly));
    s.ref_b = 512;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_swap_grant_ref, s), 0);
    CU_ASSERT_EQUAL(s.status, GNTST_bad_gntref);                /* H50 */
    struct gnttab_map_grant_ref op = map(&x.vb, 9, GNTMAP_device_map, 0);
    CU_ASSERT_EQUAL(op.status, GNTST_okay);
    s.ref_b = 9;
    CU_ASSERT_EQUAL(CALL(&x.va, GNTTABOP_swap_grant_ref, s), 0);
    CU_ASSERT_EQUAL(s.status, GNTST_eagain);                    /* in use */
    teardown();
}

static void test_faulting_arguments(void)
{
    static const unsigned cmds[] = { 0, 1, 2, 5, 6, 8, 9, 10, 11 };
    struct hcall h = { 0 };

    setup();
    fake_guest_reset();
    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++) {
        h = (struct hcall){ .arg = { cmds[i], 0xffff800000000000, 1 } };
        CU_ASSERT_EQUAL(do_grant_table_op(&x.vb, &h), -EFAULT);
    }
    teardown();
}

/* H46: the granter flips every field of the entry from another CPU while b maps, copies and unmaps. */
static _Atomic bool flip_stop;

static void *flipper(void *arg)
{
    unsigned seed = 3;

    (void)arg;
    fake_cpu = 1;
    while (!atomic_load(&flip_stop)) {
        struct grant_entry_v1 *e = entry(&x.a, 8);
        switch (rand_r(&seed) % 5) {
        case 0:
            __atomic_store_n(&e->flags, (uint16_t)rand_r(&seed), __ATOMIC_RELAXED);
            break;
        case 1:
            __atomic_store_n(&e->domid, (domid_t)(rand_r(&seed) % 4), __ATOMIC_RELAXED);
            break;
        case 2:
            __atomic_store_n(&e->frame, (uint32_t)rand_r(&seed) % FX_FRAMES, __ATOMIC_RELAXED);
            break;
        case 3:
            __atomic_store_n(&e->frame, (uint32_t)rand_r(&seed) << 12, __ATOMIC_RELAXED);
            break;
        default:
            __atomic_store_n(&e->frame, (uint32_t)x.fa[20 + rand_r(&seed) % 4].n, __ATOMIC_RELAXED);
            __atomic_store_n(&e->domid, 2, __ATOMIC_RELAXED);
            __atomic_store_n(&e->flags, GTF_permit_access, __ATOMIC_RELAXED);
            break;
        }
    }
    return NULL;
}

static void test_hostile_flips(void)
{
    unsigned seed = 5, mapped = 0;
    pthread_t t;

    setup();
    atomic_store(&flip_stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, flipper, NULL), 0);
    for (unsigned n = 0; n < 4000; n++) {
        struct gnttab_map_grant_ref op =
            map(&x.vb, 8, GNTMAP_host_map | (rand_r(&seed) % 2 ? GNTMAP_readonly : 0u), FREE_VA(0));
        CU_ASSERT(op.status <= 0);
        if (op.status == GNTST_okay) {
            mapped++;
            CU_ASSERT_EQUAL(unmap(&x.vb, op.handle, FREE_VA(0), 0), GNTST_okay);
        }
        CU_ASSERT(copy(&x.vb, (struct gnttab_copy){ REF(1, 8, 0), OWN(x.fb[60], 0), 64, GNTCOPY_source_gref, 99 }) <= 0);
    }
    atomic_store(&flip_stop, true);
    pthread_join(t, NULL);
    CU_ASSERT(mapped > 0);
    teardown();
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_map_write_unmap), UNIT(test_readonly_and_avail_bits), UNIT(test_map_refusals),
        UNIT(test_map_of_a_page_table), UNIT(test_contains_pte), UNIT(test_unmap_orders),
        UNIT(test_unmap_of_a_replaced_entry), UNIT(test_handles_belong_to_their_domain),
        UNIT(test_pin_and_handle_limits), UNIT(test_flush_before_unpin), UNIT(test_granter_dies_first), UNIT(test_copy),
        UNIT(test_copy_batch_of_mixed_operands), UNIT(test_copy_preempted), UNIT(test_map_and_unmap_preempted), UNIT(test_setup_query_version),
        UNIT(test_swap), UNIT(test_faulting_arguments), UNIT(test_hostile_flips), { 0 },
    };
    return unit_main("grant", cases);
}
