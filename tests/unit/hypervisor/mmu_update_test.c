/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmu_update_test.c - page-table hypercalls, as a hostile guest would use them (H1..H24 of the checklist)
 */
#include "../unit.h"
#include "mm/descriptor.h"
#include "mm_fixture.h"

static struct fx x;

/* Guest a with a pinned tree of 16 data frames at va 0, loaded as its kernel tables. */
/* Mapped from va 0 up; the tables behind them. */
#define NR_PAGES 16

static void begin(void)
{
    fx_init(&x);
    fx_build(x.fa, NR_PAGES);
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_NEW_BASEPTR, x.fa[0].n, 0, DOMID_SELF), 0);
    x.a.mm.dirty_cpus.bits = 1;
}

static uint64_t l1(unsigned i) { return fx_table(x.fa[3])[i]; }

static void test_map_unmap_counts(void)
{
    begin();
    const uint64_t refs = fx_refs(x.fa[40]);

    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(x.fa[40], RW)), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fa[40]), refs + 1);
    CU_ASSERT_EQUAL(fx_types(x.fa[40]), 1);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(x.fa[40], RO)), 0);       /* RW dropped: fast */
    CU_ASSERT_EQUAL(fx_types(x.fa[40]), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fa[40]), refs + 1);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(x.fa[40], RW)), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(x.fa[41], RW | PTE_NX)), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fa[40]), refs);
    CU_ASSERT_EQUAL(fx_types(x.fa[40]), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, 0x77770), 0);
    CU_ASSERT_EQUAL(l1(100), 0x77770);
    CU_ASSERT_EQUAL(fx_refs(x.fa[41]), refs);
    fx_end(&x);
}

static void test_refused_entries_change_nothing(void)
{
    begin();
    const struct { uint64_t val; int level; } bad[] = {
        { PT(x.fa[0], RW), 1 }, { PT(x.fa[3], RW), 1 },                         /* H1 */
        { PT(x.fb[0], RO), 1 }, { PT(x.fb[0], RW), 1 },                         /* H4 */
        { PT(mfn(FX_FRAMES), RO), 1 }, { PT(mfn(0xffffffffff), RO), 1 },        /* H4, H10, H3 */
        { PT(mfn(5), RO), 1 },                                                  /* free or the hypervisor's */
        { PT(x.fa[40], RO | PTE_PCD), 1 }, { PT(x.fa[40], RO | PTE_PWT), 1 },   /* H7 */
        { PT(x.fa[40], RO | PTE_PS), 1 },                                       /* PAT */
        { PT(x.fa[3], TBL | PTE_PS), 2 }, { PT(x.fa[2], TBL | PTE_PS), 3 },     /* H2 */
        { PT(x.fa[1], TBL | PTE_PS), 4 }, { PT(x.fa[3], TBL | PTE_G), 2 }, { PT(x.fa[3], TBL | PTE_PCD), 2 },
        { PT(x.fa[2], TBL), 2 }, { PT(x.fa[2], RO), 2 },                        /* H5 */
        { PT(x.fa[1], TBL), 3 }, { PT(x.fa[0], TBL), 4 }, { PT(x.fa[0], RO), 4 },
        { PT(x.fb[3], TBL), 2 }, { PT(mfn(0xffffffffff), TBL), 2 },
        { PT(x.fa[8], TBL), 2 },                                                /* mapped RW */
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        const mfn_t table = x.fa[4 - bad[i].level];

        CU_ASSERT(fx_update(&x.va, table, 200, bad[i].val) < 0);
        CU_ASSERT_EQUAL(fx_table(table)[200], 0);
    }
    page_type_audit(true);
    /* H8 */
    for (unsigned i = 256; i < 272; i++) {
        CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[0], i, 0), -EINVAL);
        CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[0], i, PT(x.fa[1], TBL)), -EINVAL);
        CU_ASSERT_EQUAL(fx_table(x.fa[0])[i], hv_l4_entries[i - 256]);
    }
    fx_end(&x);
}

static void test_fast_paths_are_allow_lists(void)
{
    begin();
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(x.fa[3], RO)), 0);
    const uint64_t good = l1(100);

    /* H6 */
    CU_ASSERT(fx_update(&x.va, x.fa[3], 100, PT(x.fa[3], RW)) < 0);
    CU_ASSERT(fx_update(&x.va, x.fa[3], 100, PT(x.fa[3], RO | PTE_PCD)) < 0);
    CU_ASSERT(fx_update(&x.va, x.fa[3], 100, PT(x.fa[3], RO | PTE_PS)) < 0);
    CU_ASSERT(fx_update(&x.va, x.fa[3], 100, PT(x.fb[3], RO)) < 0);
    CU_ASSERT_EQUAL(l1(100), good);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(x.fa[3], PTE_P | PTE_PKEY | PTE_NX | (5UL << 52))), 0);
    CU_ASSERT_EQUAL(l1(100), PT(x.fa[3], PTE_P | PTE_US | PTE_NX | (5UL << 52)));
    /* Higher entries: RW alone, PS alone (XSA-148, 182). */
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[2], 0, PT(x.fa[3], TBL | PTE_D)), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[2], 0, PT(x.fa[3], RO)), 0);
    CU_ASSERT(fx_update(&x.va, x.fa[2], 0, PT(x.fa[3], TBL | PTE_PS)) < 0);
    page_type_audit(true);
    fx_end(&x);
}

static void test_preserve_ad(void)
{
    begin();
    mmu_update_t req = { (x.fa[3].n << PAGE_SHIFT) + 8 * 3 + MMU_PT_UPDATE_PRESERVE_AD, PT(x.fa[11], PTE_P | PTE_RW) };

    fx_table(x.fa[3])[3] |= PTE_A | PTE_D;
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(l1(3), PT(x.fa[11], PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D));
    req.ptr = (req.ptr & ~7UL) | MMU_NORMAL_PT_UPDATE;
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(l1(3), PT(x.fa[11], PTE_P | PTE_RW | PTE_US));
    fx_end(&x);
}

static void test_batch_stops_and_counts(void)
{
    begin();
    mmu_update_t req[70];
    unsigned done = 99;

    for (unsigned i = 0; i < 70; i++)
        req[i] = (mmu_update_t){ (x.fa[3].n << PAGE_SHIFT) + 8 * (100 + i), PT(x.fa[40 + i], RW) };
    req[66].val = PT(x.fb[0], RW);
    for (unsigned k = 0; k < 4; k++) {
        fake_preempt_at(k, 1);
        done = 99;
        CU_ASSERT_EQUAL(fx_mmu(&x.va, req, 70, &done, DOMID_SELF), -EINVAL);
        CU_ASSERT_EQUAL(done, 66);
    }
    fake_preempt_at(0, 0);
    req[66].val = 0;
    CU_ASSERT_EQUAL(fx_mmu(&x.va, req, 70, &done, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(done, 70);
    /* H9, and a pointer to nowhere. */
    req[0].ptr |= 4;
    CU_ASSERT_EQUAL(fx_mmu(&x.va, req, 1, &done, DOMID_SELF), -ENOSYS);
    CU_ASSERT_EQUAL(done, 0);
    struct hcall h = { .arg = { 0x1000, 1, 0, DOMID_SELF } };
    fx_set(x.fa[3], 1, 0);
    page_type_drop_leaf(x.fa[9]);
    page_ref_put(x.fa[9]);
    CU_ASSERT_EQUAL(do_mmu_update(&x.va, &h), -EFAULT);
    fx_end(&x);
}

static void test_forged_continuation(void)
{
    begin();
    mmu_update_t req = { (x.fa[3].n << PAGE_SHIFT) + 8 * 100, PT(x.fa[40], RW) };
    const uint64_t pdone[] = { 0, 0xffff800000000000, 0x1234567890abcdef, 0xffff870000000000, 0xfffffffffffffffe };

    for (unsigned i = 0; i < ARRAY_SIZE(pdone); i++) {                          /* H13 */
        struct hcall h = { .arg = { (uintptr_t)&req, 1U | 1U << 31, pdone[i], DOMID_SELF } };

        fake_guest_reset();
        fake_guest_share(&req, sizeof(req));
        CU_ASSERT_EQUAL(do_mmu_update(&x.va, &h), pdone[i] ? -EFAULT : 0);
    }
    fx_end(&x);
}

static void test_whose_domain(void)
{
    begin();
    mmu_update_t req = { (x.fa[3].n << PAGE_SHIFT) + 8 * 100, PT(x.fa[40], RO) };

    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, 1), -ESRCH);                   /* H11 */
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, 9), -ESRCH);
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_COW), -ESRCH);
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, 2), -EPERM);
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_XEN), -EPERM);
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF | (3U << 16)), -EPERM);
    CU_ASSERT(fx_mmu(&x.va, &req, 1, NULL, DOMID_IO) < 0);                      /* RAM is not I/O */
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF | (2U << 16)), 0);  /* one's own tables by number */
    /* H12 */
    req = (mmu_update_t){ (x.fb[0].n << PAGE_SHIFT) + MMU_MACHPHYS_UPDATE, 77 };
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF), -EINVAL);
    CU_ASSERT_EQUAL(m2p_get(x.fb[0]), 0);
    req.ptr = (x.fa[0].n << PAGE_SHIFT) + MMU_MACHPHYS_UPDATE;
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(m2p_get(x.fa[0]), 77);
    fx_end(&x);
}

static void test_dom0_maps_foreign_and_m2p(void)
{
    begin();
    mfn_t f[16];

    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(frame_alloc_domain(&x.dom0, 0, 0, &f[i]), 0);
    fx_build(f, 4);
    CU_ASSERT_EQUAL(fx_pin(&x.v0, 4, f[0]), 0);
    mmu_update_t req = { (f[3].n << PAGE_SHIFT) + 8 * 100, PT(x.fa[40], RW) };
    const uint64_t refs = fx_refs(x.fa[40]);

    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, DOMID_SELF), -EINVAL);
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, 2), -EINVAL);
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, 1), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fa[40]), refs + 1);
    /* Tables of the other domain: read-only yes (libxc's p2m walk), writable no. */
    req.val = PT(x.fa[0], RO);
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, 1), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fa[40]), refs);
    req.val = PT(x.fa[0], RW);
    CU_ASSERT(fx_mmu(&x.v0, &req, 1, NULL, 1) < 0);
    /* In foreign context only L1 entries. */
    req = (mmu_update_t){ (f[2].n << PAGE_SHIFT) + 8 * 100, PT(f[3], TBL) };
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, 1), -EINVAL);
    /* M2P: read-only, as DOMID_XEN; other frames of ours not at all. */
    const mfn_t m2p_frame = frame_alloc_hv(0, 0), secret = frame_alloc_hv(0, 0);
    fake_m2p_mfn = m2p_frame;
    req = (mmu_update_t){ (f[3].n << PAGE_SHIFT) + 8 * 101, PT(m2p_frame, RW) };
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, DOMID_XEN), -EPERM);
    req.val = PT(secret, RO);
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, DOMID_XEN), -EPERM);
    req.val = PT(m2p_frame, RO);
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, DOMID_XEN), 0);
    CU_ASSERT_EQUAL(fx_refs(m2p_frame), 2);
    req.val = PT(m2p_frame, RW);
    CU_ASSERT(fx_mmu(&x.v0, &req, 1, NULL, DOMID_SELF) < 0);
    req.val = 0;
    CU_ASSERT_EQUAL(fx_mmu(&x.v0, &req, 1, NULL, DOMID_SELF), 0);
    frame_free_hv(m2p_frame, 0);
    frame_free_hv(secret, 0);
    fx_end(&x);
}

static void test_device_memory(void)
{
    fx_init(&x);
    fx_end(&x);
    fake_machine_init_range(FX_FRAMES, 1, FX_FRAMES - 64);
    const mfn_t dev = mfn(FX_FRAMES - 10), beyond = mfn(FX_FRAMES + 500);

    fx_domain(&x.a, 1, x.fa, FX_OWN);
    fake_vcpu_init(&x.va, &x.a, 0);
    fx_build(x.fa, NR_PAGES);
    CU_ASSERT_EQUAL(fx_pin(&x.va, 4, x.fa[0]), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(dev, RW)), -EPERM);       /* H4 */
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(beyond, RW)), -EPERM);
    CU_ASSERT_EQUAL(io_caps_mem_set(&x.a, dev.n, dev.n, true), 0);
    CU_ASSERT_EQUAL(io_caps_mem_set(&x.a, beyond.n, beyond.n, true), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, PT(dev, RW | PTE_PCD)), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 101, PT(beyond, RW)), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 101, PT(beyond, RO)), 0);
    CU_ASSERT_EQUAL(fx_refs(dev), 0);
    mmu_update_t req = { (x.fa[3].n << PAGE_SHIFT) + 8 * 102, PT(dev, RW) };
    CU_ASSERT_EQUAL(fx_mmu(&x.va, &req, 1, NULL, DOMID_IO), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 100, 0), 0);
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[2], 9, PT(dev, TBL)), -EINVAL);
    page_type_audit(true);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[0]), 0);
    page_type_audit(true);
    io_caps_destroy(&x.a);
}

static long uva(uint64_t va, uint64_t val, uint64_t flags)
{
    struct hcall h = { .arg = { va, val, flags } };

    return do_update_va_mapping(&x.va, &h);
}

static void test_update_va_mapping(void)
{
    begin();
    CU_ASSERT_EQUAL(uva(100 * PAGE_SIZE, PT(x.fa[40], RW), UVMF_INVLPG), 0);
    CU_ASSERT_EQUAL(l1(100), PT(x.fa[40], RW));
    CU_ASSERT_EQUAL(fake_log.page_flushes, 1);
    CU_ASSERT_EQUAL(fake_log.page_flush_va, 100 * PAGE_SIZE);
    fake_log.flushes = 0;
    x.a.mm.dirty_cpus.bits = 5;
    fake_log.flushed.bits = 0;
    CU_ASSERT_EQUAL(uva(100 * PAGE_SIZE, 0, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    CU_ASSERT_EQUAL(fake_log.flushes, 1);
    CU_ASSERT_EQUAL(fake_log.flushed.bits, 5);
    /* H14; and where no table is. */
    const uint64_t bad[] = { 0x800000000000, 0xffff800000000000, 0xffff87fffffff000, 0x7fffffffffff000, 1UL << 40 };
    fake_log.flushes = fake_log.page_flushes = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        for (uint64_t f = 0; f < 8; f++)
            CU_ASSERT_EQUAL(uva(bad[i], 0, f), -EINVAL);
    }
    CU_ASSERT(uva(0, PT(x.fb[0], RW), UVMF_INVLPG) < 0);
    CU_ASSERT_EQUAL(fake_log.flushes + fake_log.page_flushes, 0);
    fx_end(&x);
}

/* mov %rcx, (%rbx) by the guest's kernel, at a table that it sees read-only. */
static bool store(uint64_t va, uint64_t value)
{
    static uint8_t code[16] = { 0x48, 0x89, 0x0b };
    struct cpu_user_regs *r = vcpu_regs(&x.va);

    fake_guest_reset();
    fake_guest_share(code, sizeof(code));
    *r = (struct cpu_user_regs){ .rip = (uintptr_t)code, .rbx = va, .rcx = value, .cs = FLAT_KERNEL_CS, .rflags = 0x202 };
    const bool done = pt_emulate_write(&x.va, gva(va));
    CU_ASSERT_EQUAL(r->rip, (uintptr_t)code + (done ? 3 : 0));
    return done;
}

/* H25 */
static void test_emulated_store(void)
{
    begin();
    const uint64_t seen = (NR_PAGES + 3) * PAGE_SIZE;
    CU_ASSERT_TRUE(store(seen + 100 * 8, PT(x.fa[40], RW)));
    CU_ASSERT_EQUAL(l1(100), PT(x.fa[40], RW));
    CU_ASSERT_EQUAL(fx_type(x.fa[40]), PGT_WRITABLE);
    CU_ASSERT_FALSE(store(seen + 100 * 8, PT(x.fb[0], RW)));            /* another's frame */
    CU_ASSERT_FALSE(store(seen + 100 * 8, PT(x.fa[3], RW)));            /* a table */
    CU_ASSERT_FALSE(store(seen + 100 * 8 + 4, 0));                      /* across two entries */
    CU_ASSERT_EQUAL(l1(100), PT(x.fa[40], RW));
    CU_ASSERT_FALSE(store((NR_PAGES + 2) * PAGE_SIZE + 8, 0));          /* only first levels are emulated */
    CU_ASSERT_FALSE(store(0, 0));                                       /* a writable page: not for this reason */
    CU_ASSERT_FALSE(store(300 * PAGE_SIZE, 0));                         /* nothing there */
    CU_ASSERT_TRUE(store(seen + 100 * 8, 0));
    CU_ASSERT_EQUAL(l1(100), 0);
    CU_ASSERT_EQUAL(fx_types(x.fa[40]), 0);
    fx_end(&x);
}

static void test_higher_updates_flush(void)
{
    begin();
    x.a.mm.dirty_cpus.bits = 6;
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[2], 5, PT(x.fa[50], TBL)), 0);
    fake_log.flushes = 0;
    fake_log.flushed.bits = 0;
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[2], 5, 0), 0);
    CU_ASSERT_EQUAL(fake_log.flushes, 1);
    CU_ASSERT_EQUAL(fake_log.flushed.bits, 7);
    CU_ASSERT_EQUAL(fx_types(x.fa[50]), 0);
    fx_end(&x);
}

static void test_roots(void)
{
    begin();
    CU_ASSERT_EQUAL(fx_types(x.fa[0]), 2);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_NEW_USER_BASEPTR, x.fa[0].n, 0, DOMID_SELF), 0);   /* equal roots */
    CU_ASSERT_EQUAL(fx_types(x.fa[0]), 3);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_NEW_USER_BASEPTR, 0, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fx_types(x.fa[0]), 2);
    CU_ASSERT_EQUAL(x.va.cpu.user_cr3, 0);
    CU_ASSERT(fx_ext(&x.va, MMUEXT_NEW_BASEPTR, x.fa[1].n, 0, DOMID_SELF) < 0);             /* H18 */
    CU_ASSERT(fx_ext(&x.va, MMUEXT_NEW_BASEPTR, x.fb[1].n, 0, DOMID_SELF) < 0);
    CU_ASSERT(fx_ext(&x.va, MMUEXT_NEW_BASEPTR, 0, 0, DOMID_SELF) < 0);
    CU_ASSERT_EQUAL(x.va.cpu.kernel_cr3, x.fa[0].n << PAGE_SHIFT);
    CU_ASSERT_EQUAL(fx_unpin(&x.va, x.fa[0]), 0);                                           /* lives on: loaded */
    CU_ASSERT_EQUAL(fx_types(x.fa[0]), 1);
    fx_end(&x);
}

static void test_mmuext_codes(void)
{
    begin();
    uint64_t mask = 3;

    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_MARK_SUPER, 0, 0, DOMID_SELF), -EOPNOTSUPP);       /* H24 */
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_FLUSH_CACHE, 0, 0, DOMID_SELF), -EACCES);
    CU_ASSERT_EQUAL(fx_ext(&x.va, 14, 0, 0, DOMID_SELF), -ENOSYS);
    CU_ASSERT_EQUAL(fx_ext(&x.va, 21, 0, 0, DOMID_SELF), -ENOSYS);
    CU_ASSERT_EQUAL(fx_ext(&x.va, ~0U, 0, 0, DOMID_SELF), -ENOSYS);
    CU_ASSERT_EQUAL(fx_ext(&x.v0, MMUEXT_NEW_BASEPTR, x.fa[0].n, 0, 1), -EPERM);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_TLB_FLUSH_MULTI, 0, 0xffff800000000000, DOMID_SELF), -EINVAL); /* H22 */
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_INVLPG_MULTI, 0x1000, 0x800000000000, DOMID_SELF), -EINVAL);
    fake_log.page_flushes = 0;
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_INVLPG_ALL, 0x800000000000, 0, DOMID_SELF), 0);    /* H23 */
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_INVLPG_LOCAL, 0xffff810000000000, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fake_log.page_flushes, 0);
    /* vCPU masks become CPUs. */
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_MULTI };
    struct hcall h = { .arg = { (uintptr_t)&op, 1, 0, DOMID_SELF } };
    op.arg2.vcpumask.p = &mask;
    x.va1.sched.cpu = 2;
    x.a.mm.dirty_cpus.bits = 5;
    fake_guest_share(&op, sizeof(op));
    fake_guest_share(&mask, sizeof(mask));
    fake_log.flushed.bits = 0;
    CU_ASSERT_EQUAL(do_mmuext_op(&x.va, &h), 0);
    CU_ASSERT_EQUAL(fake_log.flushed.bits, 5);
    fx_end(&x);
}

static void test_clear_and_copy(void)
{
    begin();
    memset(frame_ptr(x.fa[40]), 0x5a, PAGE_SIZE);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_COPY_PAGE, x.fa[41].n, x.fa[40].n, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fx_table(x.fa[41])[100], 0x5a5a5a5a5a5a5a5aUL);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_CLEAR_PAGE, x.fa[41].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fx_table(x.fa[41])[100], 0);
    for (unsigned i = 0; i < 4; i++) {                                                      /* H21 */
        CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_CLEAR_PAGE, x.fa[i].n, 0, DOMID_SELF), -EINVAL);
        CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_COPY_PAGE, x.fa[i].n, x.fa[40].n, DOMID_SELF), -EINVAL);
    }
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_CLEAR_PAGE, x.fb[0].n, 0, DOMID_SELF), -EINVAL);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_COPY_PAGE, x.fa[41].n, x.fb[0].n, DOMID_SELF), -EINVAL);
    fx_end(&x);
}

static void test_grant_entries(void)
{
    begin();
    const uint64_t va = 100 * PAGE_SIZE, slot = (x.fa[3].n << PAGE_SHIFT) + 8 * 101;
    const uint64_t rw = PT(x.fb[7], RW), ro = PT(x.fb[7], RO);

    CU_ASSERT_EQUAL(page_get_and_type(x.fb[7], &x.b, PGT_WRITABLE), 0);                     /* the handle's */
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, va, false, rw), 0);
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, slot, true, ro), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fb[7]), 4);
    CU_ASSERT_EQUAL(fx_types(x.fb[7]), 2);
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, slot + 4, true, ro), -EINVAL);                      /* H43 */
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, (x.fa[2].n << PAGE_SHIFT), true, ro), -EINVAL);
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, (x.fa[40].n << PAGE_SHIFT), true, ro), -EINVAL);
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, (x.fb[40].n << PAGE_SHIFT), true, ro), -EINVAL);
    CU_ASSERT_EQUAL(pt_grant_map(&x.va, 0xffff800000000000, false, ro), -EINVAL);           /* H44 */
    /* H48 */
    CU_ASSERT_EQUAL(pt_grant_unmap(&x.va, slot, true, rw), -EINVAL);
    CU_ASSERT_EQUAL(pt_grant_unmap(&x.va, va, false, ro), -EINVAL);
    CU_ASSERT_EQUAL(pt_grant_unmap(&x.va, va, false, PT(x.fb[8], RW)), -EINVAL);
    CU_ASSERT_EQUAL(pt_grant_unmap(&x.va, va, false, rw), 0);
    CU_ASSERT_EQUAL(pt_grant_unmap(&x.va, va, false, rw), -EINVAL);
    /* Overwritten behind the grant's back: only the entry's own references go. */
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 101, 0), 0);
    CU_ASSERT_EQUAL(fx_refs(x.fb[7]), 2);
    CU_ASSERT_EQUAL(fx_types(x.fb[7]), 1);
    CU_ASSERT_EQUAL(page_put_and_type(x.fb[7], &x.b), 0);
    fx_end(&x);
}

static void test_descriptors(void)
{
    begin();
    const uint64_t code = 0x00af9b000000ffffUL, tss = 0x0000890000000067UL, gate = 0x00008c0000080000UL;
    uint64_t *gdt = frame_ptr(x.fa[40]), frames[2] = { x.fa[40].n, x.fa[41].n }, out;
    struct hcall h = { .arg = { (uintptr_t)frames, 16 } };

    fake_guest_reset();
    fake_guest_share(frames, sizeof(frames));
    gdt[2] = code;
    gdt[3] = tss;
    CU_ASSERT_EQUAL(do_set_gdt(&x.va, &h), -EINVAL);
    gdt[3] = gate;
    CU_ASSERT_EQUAL(do_set_gdt(&x.va, &h), -EINVAL);
    gdt[3] = 0;
    CU_ASSERT_EQUAL(do_set_gdt(&x.va, &h), 0);
    CU_ASSERT_EQUAL(gdt[2], code | 3UL << 45);                                              /* DPL raised */
    CU_ASSERT(fx_update(&x.va, x.fa[3], 100, PT(x.fa[40], RW)) < 0);                        /* H1 */
    CU_ASSERT(fx_update(&x.va, x.fa[40], 3, tss) < 0);
    h.arg[1] = 7169;
    CU_ASSERT_EQUAL(do_set_gdt(&x.va, &h), -EINVAL);
    /* XSA-298: limits. */
    CU_ASSERT_TRUE(vcpu_read_descriptor(&x.va, 0x10, &out));
    CU_ASSERT_EQUAL(out, code | 3UL << 45);
    CU_ASSERT_FALSE(vcpu_read_descriptor(&x.va, 16 * 8, &out));
    CU_ASSERT_FALSE(vcpu_read_descriptor(&x.va, 4, &out));
    struct hcall u = { .arg = { (x.fa[40].n << PAGE_SHIFT) + 0x18, code } };
    CU_ASSERT_EQUAL(do_update_descriptor(&x.va, &u), 0);
    CU_ASSERT_EQUAL(gdt[3], code | 3UL << 45);
    u.arg[1] = tss;
    CU_ASSERT_EQUAL(do_update_descriptor(&x.va, &u), -EINVAL);
    u = (struct hcall){ .arg = { (x.fa[3].n << PAGE_SHIFT) + 0x18, code } };                /* a table is no GDT */
    CU_ASSERT_EQUAL(do_update_descriptor(&x.va, &u), -EINVAL);
    u = (struct hcall){ .arg = { (x.fb[3].n << PAGE_SHIFT) + 0x18, code } };
    CU_ASSERT_EQUAL(do_update_descriptor(&x.va, &u), -EINVAL);
    u = (struct hcall){ .arg = { (x.fa[40].n << PAGE_SHIFT) + 0x1c, code } };
    CU_ASSERT_EQUAL(do_update_descriptor(&x.va, &u), -EINVAL);
    /* H20 */
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_SET_LDT, 0x1004, 8, DOMID_SELF), -EINVAL);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_SET_LDT, 0x1000, 8193, DOMID_SELF), -EINVAL);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_SET_LDT, 0xffff800000000000, 8, DOMID_SELF), -EINVAL);
    /* An LDT page is taken on demand, and only if nobody can write it. */
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_SET_LDT, 200 * PAGE_SIZE, 8, DOMID_SELF), 0);
    CU_ASSERT_FALSE(vcpu_ldt_fault(&x.va, 0));
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 200, PT(x.fa[42], RW)), 0);
    CU_ASSERT_FALSE(vcpu_ldt_fault(&x.va, 0));
    CU_ASSERT_EQUAL(fx_update(&x.va, x.fa[3], 200, PT(x.fa[42], RO)), 0);
    CU_ASSERT_FALSE(vcpu_ldt_fault(&x.va, 64));
    CU_ASSERT_TRUE(vcpu_ldt_fault(&x.va, 56));
    CU_ASSERT_EQUAL(fx_type(x.fa[42]), PGT_SEG);
    CU_ASSERT_EQUAL(fx_ext(&x.va, MMUEXT_SET_LDT, 0, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fx_types(x.fa[42]), 0);
    fx_end(&x);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_map_unmap_counts), UNIT(test_refused_entries_change_nothing), UNIT(test_fast_paths_are_allow_lists),
        UNIT(test_preserve_ad), UNIT(test_batch_stops_and_counts), UNIT(test_forged_continuation),
        UNIT(test_whose_domain), UNIT(test_dom0_maps_foreign_and_m2p), UNIT(test_device_memory),
        UNIT(test_update_va_mapping), UNIT(test_emulated_store),
        UNIT(test_higher_updates_flush), UNIT(test_roots), UNIT(test_mmuext_codes),
        UNIT(test_clear_and_copy), UNIT(test_grant_entries), UNIT(test_descriptors), { 0 }
    };

    return unit_main("mmu_update", cases);
}
