/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claim: page tables can be built, pinned, changed by every honest route, switched to and taken down. */
#include "harness.h"

static uint64_t read_entry(uint64_t va)
{
    const volatile uint64_t *e = mm_entry(mm_l4_mfn(), va, 1);

    return e != NULL ? *e : 0;
}

static uint64_t exec_error;

/* A failed fetch at the target of a call: note it and return to the caller. */
static bool return_from_fetch(struct trap_frame *f)
{
    if (f->vector != 14 || f->rip != shared_info->vcpu_info[0].arch.cr2)
        return false;
    exec_error = f->error;
    f->rip = *(uint64_t *)f->rsp;
    f->rsp += 8;
    return true;
}

static void build(void)
{
    uint64_t va = mm_reserve_va(1), *page = page_alloc();

    item("map");
    page[0] = 42;
    RC(mm_map(va, mm_mfn(page), PTE_KERNEL), 0);
    CHECK(*(volatile uint64_t *)va == 42, "reads %lu", *(volatile uint64_t *)va);
    CHECK(PTE_MFN(read_entry(va)) == mm_mfn(page), "entry %lx", read_entry(va));

    item("map-without-us");
    RC(mm_map(va, mm_mfn(page), PTE_P | PTE_RW | PTE_A), 0);
    CHECK(*(volatile uint64_t *)va == 42, "a supervisor entry does not work for the guest kernel");

    item("mmu-update-batch");
    struct mmu_update batch[8];
    uint64_t base = mm_reserve_va(8);
    unsigned done = 99;
    RC(mm_map(base, 0, 0), 0);
    for (unsigned i = 0; i < 8; i++) {
        batch[i].ptr = mm_entry_maddr(mm_l4_mfn(), base + i * PAGE_SIZE, 1) | MMU_NORMAL_PT_UPDATE;
        batch[i].val = PTE(mm_mfn(page), PTE_RO);
    }
    RC(hc_mmu_update(batch, 8, &done, DOMID_SELF), 0);
    CHECK(done == 8, "done %u", done);
    for (unsigned i = 0; i < 8; i++)
        CHECK(*(volatile uint64_t *)(base + i * PAGE_SIZE) == 42, "page %u", i);

    item("preserve-ad");
    RC(hc_update_va_mapping(va, PTE(mm_mfn(page), PTE_KERNEL & ~(PTE_A | PTE_D)), UVMF_INVLPG), 0);
    *(volatile uint64_t *)va = 43;
    struct mmu_update keep = { .ptr = mm_entry_maddr(mm_l4_mfn(), va, 1) | MMU_PT_UPDATE_PRESERVE_AD,
                               .val = PTE(mm_mfn(page), PTE_P | PTE_US) };
    RC(hc_mmu_update(&keep, 1, NULL, DOMID_SELF), 0);
    CHECK((read_entry(va) & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "entry %lx", read_entry(va));
    CHECK(!(read_entry(va) & PTE_RW), "entry %lx", read_entry(va));

    item("update-va-mapping");
    RC(hc_update_va_mapping(va, PTE(mm_mfn(page), PTE_KERNEL), UVMF_INVLPG), 0);
    *(volatile uint64_t *)va = 44;
    CHECK(page[0] == 44, "reads %lu", page[0]);
    RC(hc_update_va_mapping(va, 0, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    uint64_t value;
    CHECK(probe_read(va, &value) == 14, "still readable");
    RC(hc_update_va_mapping(va, 0xdeadbeef00UL << 12, UVMF_INVLPG), 0);
    CHECK(read_entry(va) == 0xdeadbeef00UL << 12, "a not-present entry reads back as %lx", read_entry(va));

    item("no-execute");
    unsigned char *code = (unsigned char *)page;
    code[0] = 0xc3;
    RC(hc_update_va_mapping(va, PTE(mm_mfn(page), PTE_KERNEL), UVMF_INVLPG), 0);
    ((void (*)(void))va)();
    RC(hc_update_va_mapping(va, PTE(mm_mfn(page), PTE_KERNEL | PTE_NX), UVMF_INVLPG), 0);
    exec_error = 0;
    trap_set_hook(return_from_fetch);
    ((void (*)(void))va)();
    trap_set_hook(NULL);
    CHECK(exec_error == (1 | 16), "fetch from a no-execute page: error code %lx", exec_error);
    RC(mm_unmap(va), 0);
    for (unsigned i = 0; i < 8; i++)
        RC(mm_unmap(base + i * PAGE_SIZE), 0);
    page_free(page);
}

static void pin_tree(void)
{
    uint64_t *l1 = page_alloc(), *l2 = page_alloc(), *l3 = page_alloc(), *l4 = page_alloc(), *leaf = page_alloc();
    uint64_t *tables[] = { l1, l2, l3, l4 };

    item("pin-tree");
    l1[5] = PTE(mm_mfn(leaf), PTE_KERNEL);
    l2[6] = PTE(mm_mfn(l1), PTE_TABLE);
    l3[7] = PTE(mm_mfn(l2), PTE_TABLE);
    l4[8] = PTE(mm_mfn(l3), PTE_TABLE);
    for (unsigned i = 0; i < 4; i++)
        RC(mm_protect(tables[i]), 0);
    RC(mm_pin(MMUEXT_PIN_L4_TABLE, mm_mfn(l4)), 0);

    item("pin-child");
    RC(mm_pin(MMUEXT_PIN_L1_TABLE, mm_mfn(l1)), 0);
    RC(mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(l1)), 0);

    item("table-is-read-only");
    NEGATIVE(mm_unprotect(l1));
    NEGATIVE(mm_unprotect(l4));

    item("change-pinned");
    uint64_t entry = mm_mfn(l1) << PAGE_SHIFT | 5 * 8;
    RC(mm_write_entry(entry, 0), 0);
    CHECK(l1[5] == 0, "reads %lx", l1[5]);
    RC(mm_write_entry(entry, PTE(mm_mfn(leaf), PTE_RO)), 0);

    item("unpin");
    RC(mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(l4)), 0);
    for (unsigned i = 0; i < 4; i++)
        RC(mm_unprotect(tables[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        page_free(tables[i]);
    page_free(leaf);
}

static void switch_tables(void)
{
    uint64_t old = mm_l4_mfn(), new = mm_new_l4(true);

    item("new-baseptr");
    CHECK(new != 0, "no new L4");
    if (new == 0)
        return;
    RC(mm_pin(MMUEXT_NEW_BASEPTR, new), 0);
    uint64_t cr3;
    asm volatile("mov %%cr3, %0" : "=r"(cr3));
    CHECK(cr3 >> PAGE_SHIFT == new, "cr3 reads %lx, want %lx", cr3, new << PAGE_SHIFT);
    RC(mm_pin(MMUEXT_NEW_BASEPTR, old), 0);
    RC(mm_pin(MMUEXT_UNPIN_TABLE, new), 0);
}

static void writable_tables(void)
{
    uint64_t va = mm_reserve_va(1), *page = page_alloc(), old;

    item("emulated-writes");
    RC(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    RC(mm_map(va, 0, 0), 0);
    volatile uint64_t *entry = (volatile uint64_t *)(uintptr_t)mm_entry(mm_l4_mfn(), va, 1);
    *entry = PTE(mm_mfn(page), PTE_KERNEL);
    *(volatile uint64_t *)va = 7;
    CHECK(page[0] == 7, "mov: reads %lu", page[0]);
    asm volatile("lock andb $0xfd, %0" : "+m"(*(volatile uint8_t *)entry));
    hc_update_va_mapping(va, *entry, UVMF_INVLPG);
    CHECK(!(*entry & PTE_RW) && (*entry & PTE_P), "lock andb: entry %lx", *entry);
    asm volatile("lock orb $0x02, %0" : "+m"(*(volatile uint8_t *)entry));
    CHECK((*entry & PTE_RW) != 0, "lock orb: entry %lx", *entry);
    asm volatile("lock btrq $6, %0" : "+m"(*entry) : : "cc");
    CHECK(!(*entry & PTE_D), "lock btr: entry %lx", *entry);
    asm volatile("lock btsq $5, %0" : "+m"(*entry) : : "cc");
    CHECK((*entry & PTE_A) != 0, "lock bts: entry %lx", *entry);
    uint64_t before = *entry;
    old = before;
    bool swapped = __atomic_compare_exchange_n((uint64_t *)(uintptr_t)entry, &old, before & ~PTE_RW, false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    CHECK(swapped && !(*entry & PTE_RW), "cmpxchg: entry %lx", *entry);
    before = *entry;
    old = __atomic_exchange_n((uint64_t *)(uintptr_t)entry, 0, __ATOMIC_SEQ_CST);
    CHECK((old & ~(PTE_A | PTE_D)) == (before & ~(PTE_A | PTE_D)), "xchg returned %lx, entry was %lx", old, before);
    CHECK(*entry == 0, "xchg: entry %lx", *entry);
    mm_unmap(va);
    page_free(page);
}

static void memory(void)
{
    uint64_t frame, pfn, *page = page_alloc();
    struct xen_memory_reservation res = { .nr_extents = 1, .domid = DOMID_SELF };

    item("give-back-and-get");
    pfn = mm_pfn(page);
    frame = mm_mfn(page);
    set_xen_guest_handle(res.extent_start, &frame);
    RC(hc_update_va_mapping((uintptr_t)page, 0, UVMF_INVLPG), 0);
    RC(hc_memory_op(XENMEM_decrease_reservation, &res), 1);
    frame = pfn;
    RC(hc_memory_op(XENMEM_populate_physmap, &res), 1);
    mm_set_mfn(pfn, frame);
    CHECK(M2P[frame] == pfn, "m2p says %lx, want %lx", M2P[frame], pfn);
    RC(hc_update_va_mapping((uintptr_t)page, PTE(frame, PTE_KERNEL), UVMF_INVLPG), 0);
    for (unsigned i = 0; i < 512; i++)
        CHECK(page[i] == 0, "a fresh frame holds %lx", page[i]);
    page_free(page);
}

void guest_test(void)
{
    build();
    pin_tree();
    switch_tables();
    writable_tables();
    memory();
}
