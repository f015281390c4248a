/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H25: stores into a read-only page table are emulated only when they make one valid 8-byte entry; any other
 * store is a page fault for the guest and leaves the table alone. H40: a hypercall does not write there either.
 */
#include "hostile.h"

static struct tree t;

static void refuse_store(const char *what, volatile uint64_t *slot, uint64_t value)
{
    uint64_t before = *slot;
    unsigned vector = probe_write((uintptr_t)slot, value);

    CHECK(vector == 14, "%s: vector %x", what, vector);
    CHECK(this_cpu()->trap.error == 3, "%s: error code %lx", what, this_cpu()->trap.error);
    CHECK(*slot == before, "%s: the entry changed to %lx", what, *slot);
}

static void bad_values(void)
{
    item("H25");
    refuse_store("frame of the hypervisor", &t.l1[40], PTE(hypervisor_frame(), PTE_KERNEL));
    refuse_store("frame beyond the machine", &t.l1[40], PTE(FRAME_BEYOND, PTE_KERNEL));
    refuse_store("writable table", &t.l1[40], PTE(mm_mfn(t.l3), PTE_KERNEL));
    refuse_store("reserved bit", &t.l1[40], PTE(mm_mfn(t.leaf), PTE_RO) | 1UL << 51);
    if (victim_domid() != DOMID_INVALID)
        refuse_store("another domain's frame", &t.l1[40], PTE(victim_frame(), PTE_RO));
    refuse_store("store into an L2", &t.l2[40], PTE(mm_mfn(t.l1), PTE_TABLE));
    refuse_store("store into an L3", &t.l3[40], 0);
    refuse_store("store into an L4", &t.l4[40], 0);
    refuse_store("store into the hypervisor's slot", &t.l4[256], 0);
    refuse_store("unaligned", (volatile uint64_t *)((uintptr_t)&t.l1[40] + 1), 0x1111);
    refuse_store("across two entries", (volatile uint64_t *)((uintptr_t)&t.l1[40] + 4), 0x1111);
    CHECK(t.l1[40] == 0 && t.l1[41] == 0, "entries %lx %lx", t.l1[40], t.l1[41]);
}

static void odd_instructions(void)
{
    volatile uint64_t *slot = &t.l1[41];

    item("H25-instructions");
    trap_reset();
    asm volatile("1: push (%0)\n 2:" FIXUP(1b, 2b) : : "r"(slot) : "memory");  /* a read: allowed; undo it */
    asm volatile("add $8, %%rsp" ::: "memory");
    CHECK(trap_seen() == TRAP_NONE, "reading a table: vector %x", trap_seen());
    trap_reset();
    asm volatile("1: rep stosq\n 2:" FIXUP(1b, 2b) : : "D"(slot), "a"(0x1000UL), "c"(2UL) : "memory");
    CHECK(trap_seen() == 14 || trap_seen() == TRAP_NONE, "rep stosq: vector %x", trap_seen());
    trap_reset();
    asm volatile("1: lock cmpxchg16b (%0)\n 2:" FIXUP(1b, 2b)
                 : : "r"((uintptr_t)&t.l1[42]), "a"(t.l1[42]), "d"(t.l1[43]), "b"(0x2000UL), "c"(0x2000UL)
                 : "memory", "cc");
    CHECK(trap_seen() == 14, "cmpxchg16b: vector %x", trap_seen());
    trap_reset();
    asm volatile("1: lock xaddq %1, (%0)\n 2:" FIXUP(1b, 2b) : : "r"(&t.l1[44]), "r"(0UL) : "memory", "cc");
    CHECK(trap_seen() == 14 || trap_seen() == TRAP_NONE, "xadd: vector %x", trap_seen());
    mm_write_entry(slot_maddr(t.l1, 41), 0);
    mm_write_entry(slot_maddr(t.l1, 42), 0);
}

static void hypercall_output(void)
{
    struct evtchn_alloc_unbound *in_table = (void *)&t.l1[48];
    char before[16];

    item("H40");
    memcpy(before, &t.l1[48], sizeof(before));
    RC(hc_xen_version(XENVER_extraversion, &t.l1[48]), -XEN_EFAULT);
    RC(hc_xen_version(XENVER_capabilities, t.l4), -XEN_EFAULT);
    RC(hc_memory_op(XENMEM_machphys_mapping, &t.l1[48]), -XEN_EFAULT);
    RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &t.l1[48]), -XEN_EFAULT);
    /* Input is readable there (a port for domain 0 by 0); the output cannot be stored. */
    NEGATIVE(hc_event_channel_op(EVTCHNOP_alloc_unbound, in_table));
    CHECK(memcmp(before, &t.l1[48], sizeof(before)) == 0, "the table was written");
    unsigned done = 0;
    struct mmu_update nothing = { .ptr = slot_maddr(t.l1, 50) };
    long rc = hc_mmu_update(&nothing, 1, (unsigned *)&t.l1[49], DOMID_SELF);
    CHECK(t.l1[49] == 0 && (rc == 0 || rc == -XEN_EFAULT), "done in a table: %ld, entry %lx", rc, t.l1[49]);
    (void)done;
}

static void without_the_assist(void)
{
    item("assist-off");
    RC(hc_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
    if (!on_xen() || !is_initial_domain())       /* Xen emulates for its hardware domain in any case */
        refuse_store("store without the assist", &t.l1[40], 0);
    RC(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    CHECK(probe_write((uintptr_t)&t.l1[40], PTE(mm_mfn(t.leaf), PTE_RO)) == TRAP_NONE, "a good store: vector %x",
          trap_seen());
    CHECK(PTE_MFN(t.l1[40]) == mm_mfn(t.leaf), "entry %lx", t.l1[40]);
}

void guest_test(void)
{
    item("setup");
    RC(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    if (!tree_make(&t))
        return;
    bad_values();
    odd_instructions();
    hypercall_output();
    without_the_assist();
    item("teardown");
    tree_free(&t);
}
