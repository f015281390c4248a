/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H1..H12, H14: entries and updates that would break the one rule of PV memory (no writable mapping of a
 * table, no frame that is not the guest's) are refused and leave the table as it was.
 */
#include "hostile.h"

static struct tree t;

static void writable_tables(void)
{
    uint64_t *gdt = page_alloc(), *tables[] = { t.l1, t.l2, t.l3, t.l4 };
    unsigned long frame = mm_mfn(gdt);

    item("H1");
    for (unsigned i = 0; i < 4; i++)
        refuse_entry("RW mapping of a table", t.l1, 20, PTE(mm_mfn(tables[i]), PTE_KERNEL), 0);
    refuse_entry("RW mapping of the live L4", t.l1, 20, PTE(mm_l4_mfn(), PTE_KERNEL), 0);
    RC(mm_protect(gdt), 0);
    RC(hc_set_gdt(&frame, 512), 0);
    refuse_entry("RW mapping of a descriptor page", t.l1, 20, PTE(mm_mfn(gdt), PTE_KERNEL), 0);
    RC(hc_set_gdt(NULL, 0), 0);
    RC(mm_write_entry(slot_maddr(t.l1, 20), PTE(mm_mfn(t.l2), PTE_RO)), 0);

    item("H6");
    refuse_entry("flip RW", t.l1, 20, PTE(mm_mfn(t.l2), PTE_RO | PTE_RW), 0);
    refuse_entry("change the frame to a foreign one", t.l1, 20, PTE(FRAME_BEYOND, PTE_RO), 0);
    refuse_entry("flip RW and US", t.l1, 20, PTE(mm_mfn(t.l2), (PTE_RO | PTE_RW) & ~PTE_US), 0);
    refuse_entry("flip RW and NX", t.l1, 20, PTE(mm_mfn(t.l2), PTE_RO | PTE_RW | PTE_NX), 0);
    if (!is_initial_domain()) {
        refuse_entry("flip PCD", t.l1, 20, PTE(mm_mfn(t.l2), PTE_RO | PTE_PCD), -XEN_EINVAL);
        refuse_entry("flip PWT", t.l1, 20, PTE(mm_mfn(t.l2), PTE_RO | PTE_PWT), -XEN_EINVAL);
        refuse_entry("flip PAT", t.l1, 20, PTE(mm_mfn(t.l2), PTE_RO | PTE_PSE), -XEN_EINVAL);
    }
    RC(mm_write_entry(slot_maddr(t.l1, 20), PTE(mm_mfn(t.l2), PTE_RO | PTE_NX)), 0);
    RC(mm_write_entry(slot_maddr(t.l1, 20), 0), 0);
    RC(mm_unprotect(gdt), 0);
    page_free(gdt);
}

/* An L1 entry for a frame above the machine's last: Xen asks "may this domain touch that device?" first. */
static long no_such_frame(void)
{
    return EITHER(-XEN_EINVAL, -XEN_EPERM);
}

static void bad_bits(void)
{
    item("H2");
    refuse_entry("L2 with PSE", t.l2, 20, PTE(mm_mfn(t.leaf) & ~511UL, PTE_TABLE | PTE_PSE), -XEN_EINVAL);
    refuse_entry("L3 with PSE", t.l3, 20, PTE(0, PTE_TABLE | PTE_PSE), -XEN_EINVAL);
    refuse_entry("L4 with PSE", t.l4, 20, PTE(mm_mfn(t.l3), PTE_TABLE | PTE_PSE), -XEN_EINVAL);
    refuse_entry("L2 with PCD", t.l2, 20, PTE(mm_mfn(t.l1), PTE_TABLE | PTE_PCD), -XEN_EINVAL);

    item("H3");
    uint64_t *tables[] = { t.l1, t.l2, t.l3, t.l4 }, child[] = { mm_mfn(t.leaf), mm_mfn(t.l1), mm_mfn(t.l2),
                                                                  mm_mfn(t.l3) };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned bit = 46; bit < 52; bit++)
            refuse_entry("reserved bit", tables[i], 20, PTE(child[i], PTE_TABLE & ~PTE_RW) | 1UL << bit,
                         i == 0 ? no_such_frame() : -XEN_EINVAL);

    item("H10");
    for (unsigned i = 0; i < 4; i++) {
        refuse_entry("frame beyond the machine", tables[i], 20, PTE(FRAME_BEYOND, PTE_TABLE),
                     i == 0 ? no_such_frame() : -XEN_EINVAL);
        refuse_entry("largest frame", tables[i], 20, PTE(0xffffffffffUL, PTE_TABLE), -XEN_EINVAL);
    }
    RC(mm_write_entry((FRAME_BEYOND << PAGE_SHIFT), 0), -XEN_EINVAL);
    RC(mm_write_entry(~7UL, 0), -XEN_EINVAL);
}

static void foreign_frames(void)
{
    uint64_t xen = hypervisor_frame();

    item("H4");
    if (xen != 0 || !is_initial_domain())
        refuse_entry("frame of the hypervisor, RW", t.l1, 20, PTE(xen, PTE_KERNEL), 0);
    if (victim_domid() != DOMID_INVALID) {
        refuse_entry("frame of another domain", t.l1, 20, PTE(victim_frame(), PTE_KERNEL), 0);
        refuse_entry("frame of another domain, RO", t.l1, 20, PTE(victim_frame(), PTE_RO), 0);
        struct mmu_update req = { .ptr = slot_maddr(t.l1, 20), .val = PTE(victim_frame(), PTE_RO) };
        RC(hc_mmu_update(&req, 1, NULL, victim_domid()), -XEN_EPERM);
        refuse_entry("L2 naming another domain's frame", t.l2, 20, PTE(victim_frame(), PTE_TABLE), 0);
        NEGATIVE(hc_update_va_mapping((uintptr_t)t.leaf, PTE(victim_frame(), PTE_KERNEL), 0));
    }
    if (!is_initial_domain()) {
        ONE_OF(mm_write_entry(slot_maddr(t.l1, 20), PTE(0xfee00, PTE_KERNEL)), -XEN_EPERM, -XEN_EINVAL);
        ONE_OF(mm_write_entry(slot_maddr(t.l1, 20), PTE(0xfec00, PTE_KERNEL)), -XEN_EPERM, -XEN_EINVAL);
        ONE_OF(mm_write_entry(slot_maddr(t.l1, 20), PTE(0xb8, PTE_KERNEL)), -XEN_EPERM, -XEN_EINVAL);
    }
    CHECK(t.l1[20] == 0, "an entry stayed: %lx", t.l1[20]);
}

static void recursion(void)
{
    struct tree other;

    item("H5");
    if (!tree_make(&other))
        return;
    /* Linear tables read-only are allowed by Xen where it is built with them; we refuse them all. */
    refuse_entry("L4 naming itself, RW", t.l4, 20, PTE(mm_mfn(t.l4), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L4 naming another L4, RW", t.l4, 20, PTE(mm_mfn(other.l4), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L3 naming itself", t.l3, 20, PTE(mm_mfn(t.l3), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L2 naming itself", t.l2, 20, PTE(mm_mfn(t.l2), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L2 naming another L2", t.l2, 20, PTE(mm_mfn(other.l2), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L2 naming an L4", t.l2, 20, PTE(mm_mfn(other.l4), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L4 naming an L1", t.l4, 20, PTE(mm_mfn(other.l1), PTE_TABLE), -XEN_EINVAL);
    refuse_entry("L3 naming a writable page", t.l3, 20, PTE(mm_mfn(t.leaf), PTE_TABLE), -XEN_EINVAL);
    if (!on_xen()) {
        refuse_entry("L4 naming itself, RO", t.l4, 20, PTE(mm_mfn(t.l4), PTE_TABLE & ~PTE_RW), -XEN_EINVAL);
        refuse_entry("L2 naming itself, RO", t.l2, 20, PTE(mm_mfn(t.l2), PTE_TABLE & ~PTE_RW), -XEN_EINVAL);
    }
    tree_free(&other);
}

static void cache_and_slots(void)
{
    item("H7");
    if (is_initial_domain())
        item_skip("a domain with hardware rights may choose cache types on Xen");
    else
        for (unsigned bit = 0; bit < 3; bit++) {
            const uint64_t types[] = { PTE_PWT, PTE_PCD, PTE_PSE };
            refuse_entry("cache type on RAM", t.l1, 20, PTE(mm_mfn(t.leaf), PTE_KERNEL | types[bit]), -XEN_EINVAL);
        }

    item("H8");
    for (unsigned slot = 256; slot < 272; slot++) {
        refuse_entry("slot of the hypervisor", t.l4, slot, PTE(mm_mfn(t.l3), PTE_TABLE), -XEN_EINVAL);
        refuse_entry("clearing a slot of the hypervisor", t.l4, slot, 0, -XEN_EINVAL);
    }
}

static void commands_and_domains(void)
{
    struct mmu_update req = { .ptr = slot_maddr(t.l1, 21) };
    unsigned done = 7;

    item("H9");
    for (unsigned cmd = 4; cmd < 8; cmd++) {
        req.ptr = slot_maddr(t.l1, 21) | cmd;
        long rc = hc_mmu_update(&req, 1, NULL, DOMID_SELF);
        CHECK(rc == -XEN_ENOSYS || rc == -XEN_EINVAL, "command %u: %ld", cmd, rc);
    }
    req.ptr = slot_maddr(t.l1, 21);

    item("H11");
    RC(hc_mmu_update(&req, 1, NULL, own_domid()), -XEN_ESRCH);
    RC(hc_mmu_update(&req, 1, NULL, 0x7000), -XEN_ESRCH);
    RC(hc_mmu_update(&req, 1, NULL, DOMID_INVALID), -XEN_ESRCH);
    if (victim_domid() != DOMID_INVALID) {
        RC(hc_mmu_update(&req, 1, NULL, victim_domid()), -XEN_EPERM);
        RC(hc_mmu_update(&req, 1, NULL, (unsigned)DOMID_SELF | (victim_domid() + 1U) << 16), -XEN_EPERM);
    }

    item("H12");
    req.ptr = (hypervisor_frame() << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE;
    req.val = 0x1234;
    NEGATIVE(hc_mmu_update(&req, 1, NULL, DOMID_SELF));
    req.ptr = (FRAME_BEYOND << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE;
    RC(hc_mmu_update(&req, 1, NULL, DOMID_SELF), -XEN_EINVAL);
    if (victim_domid() != DOMID_INVALID) {
        uint64_t before = M2P[victim_frame()];
        req.ptr = (victim_frame() << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE;
        RC(hc_mmu_update(&req, 1, NULL, DOMID_SELF), -XEN_EINVAL);
        RC(hc_mmu_update(&req, 1, NULL, victim_domid()), -XEN_EPERM);
        CHECK(M2P[victim_frame()] == before, "the M2P changed to %lx", M2P[victim_frame()]);
    }

    item("stop-at-error");
    struct mmu_update batch[3] = {
        { .ptr = slot_maddr(t.l1, 21), .val = PTE(mm_mfn(t.leaf), PTE_RO) },
        { .ptr = slot_maddr(t.l1, 22), .val = PTE(FRAME_BEYOND, PTE_RO) },
        { .ptr = slot_maddr(t.l1, 23), .val = PTE(mm_mfn(t.leaf), PTE_RO) },
    };
    RC(hc_mmu_update(batch, 3, &done, DOMID_SELF), no_such_frame());
    CHECK(done == 1, "done %u, want 1", done);
    CHECK(t.l1[21] != 0 && t.l1[22] == 0 && t.l1[23] == 0, "entries %lx %lx %lx", t.l1[21], t.l1[22], t.l1[23]);
    RC(mm_write_entry(slot_maddr(t.l1, 21), 0), 0);

    item("unaligned");
    req.ptr = slot_maddr(t.l1, 21) + 4;
    req.val = 0;
    NEGATIVE(hc_mmu_update(&req, 1, NULL, DOMID_SELF));
}

static void bad_addresses(void)
{
    static const uint64_t vas[] = { BAD_NONCANONICAL, BAD_M2P, BAD_HYPERVISOR, BAD_DIRECTMAP, 0xffff87ffffffffffUL,
                                    0x8000000000000000UL, 0x0000123400000000UL };
    static const uint64_t flushes[] = { 0, UVMF_TLB_FLUSH, UVMF_INVLPG, UVMF_TLB_FLUSH | UVMF_ALL,
                                        UVMF_INVLPG | UVMF_ALL };

    item("H14");
    for (unsigned i = 0; i < ARRAY_SIZE(vas); i++)
        for (unsigned f = 0; f < ARRAY_SIZE(flushes); f++) {
            long rc = hc_update_va_mapping(vas[i], PTE(mm_mfn(t.leaf), PTE_RO), flushes[f]);
            CHECK(rc == -XEN_EINVAL, "va %lx flags %lx: %ld", vas[i], flushes[f], rc);
        }
    NEGATIVE(hypercall(__HYPERVISOR_update_va_mapping_otherdomain, VIRT_BASE, 0, 0, 0x7000, 0));
}

void guest_test(void)
{
    item("setup");
    if (!tree_make(&t))
        return;
    writable_tables();
    bad_bits();
    foreign_frames();
    recursion();
    cache_and_slots();
    commands_and_domains();
    bad_addresses();
    item("teardown");
    tree_free(&t);
}
