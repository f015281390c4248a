/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claim: exceptions raised in the guest kernel arrive at their handler with the right vector, error code,
 * address and frame, and the interrupted code goes on as if nothing had happened.
 */
#include "harness.h"

static struct trap_frame seen;

static bool record(struct trap_frame *f)
{
    seen = *f;
    return false;
}

#define RAISE(instruction) \
    do { \
        trap_reset(); \
        asm volatile(instruction "\n2:" FIXUP(1b, 2b) : : : "rax", "rcx", "rdx", "memory"); \
    } while (0)

static void expect(unsigned vector, uint64_t error)
{
    CHECK(trap_seen() == vector, "vector %x, want %u", trap_seen(), vector);
    CHECK(this_cpu()->trap.error == error, "error code %lx, want %lx", this_cpu()->trap.error, error);
}

static void page_faults(void)
{
    uint64_t value, unmapped = mm_reserve_va(1);
    void *page = page_alloc();

    item("page-fault");
    CHECK(probe_read(unmapped, &value) == 14, "read of nothing: vector %x", trap_seen());
    CHECK(this_cpu()->trap.error == 0, "error code %lx for a kernel read", this_cpu()->trap.error);
    CHECK(this_cpu()->trap.address == unmapped, "cr2 %lx, want %lx", this_cpu()->trap.address, unmapped);
    CHECK(probe_write(unmapped + 8, 1) == 14, "write to nothing");
    CHECK(this_cpu()->trap.error == 2, "error code %lx for a kernel write", this_cpu()->trap.error);
    CHECK(this_cpu()->trap.address == unmapped + 8, "cr2 %lx", this_cpu()->trap.address);
    RC(mm_protect(page), 0);
    CHECK(probe_write((uintptr_t)page, 1) == 14, "write to a read-only page");
    CHECK(this_cpu()->trap.error == 3, "error code %lx", this_cpu()->trap.error);
    CHECK(probe_read((uintptr_t)page, &value) == TRAP_NONE, "read of a read-only page");
    RC(mm_unprotect(page), 0);
    CHECK(probe_write((uintptr_t)page, 1) == TRAP_NONE, "write after it was made writable");
    page_free(page);

    item("page-fault-hypervisor");
    CHECK(probe_read(0xffff820000000000UL, &value) == 14, "hypervisor memory: vector %x", trap_seen());
    CHECK(probe_read(0xffff87fffffff000UL, &value) == 14, "hypervisor memory: vector %x", trap_seen());
    CHECK(probe_write(HYPERVISOR_START, 0) == 14, "the M2P can be written");
    CHECK(probe_read(HYPERVISOR_START, &value) == TRAP_NONE, "the M2P cannot be read");
    CHECK(probe_read(0x0000800000000000UL, &value) == 13, "non-canonical: vector %x", trap_seen());
}

static void exceptions(void)
{
    item("divide-error");
    RAISE("xor %%ecx, %%ecx\n xor %%edx, %%edx\n mov $1, %%eax\n 1: div %%ecx");
    expect(0, 0);

    item("breakpoint");
    RAISE("1: int3");
    expect(3, 0);
    CHECK((uint16_t)seen.cs == 0xe030, "cs of an interrupted guest kernel is %x", (unsigned)(uint16_t)seen.cs);
    CHECK(seen.rflags & 0x200, "IF is clear in the frame although upcalls were not masked");

    item("invalid-opcode");
    RAISE("1: ud2");
    expect(6, 0);

    item("general-protection");
    RAISE("1: hlt");
    expect(13, 0);
    RAISE("1: lgdt (%%rsp)");
    expect(13, 0);
    RAISE("mov $0x1234, %%ecx\n 1: rdmsr");
    CHECK(trap_seen() == 13 || trap_seen() == TRAP_NONE, "unknown MSR: vector %x", trap_seen());

    item("segment-not-present");
    RAISE("mov $0xe0f3, %%eax\n 1: mov %%eax, %%ds");
    CHECK(trap_seen() == 13 || trap_seen() == 11, "bad selector: vector %x", trap_seen());

    item("software-interrupt");
    /* Gate DPL 0. QEMU before 8.0 reports vector * 16 + 2 in long mode, which the hypervisor may pass on. */
    RAISE("1: int $0x77");
    CHECK(trap_seen() == 13, "vector %x", trap_seen());
    CHECK(this_cpu()->trap.error == 0x77 * 8 + 2 || this_cpu()->trap.error == 0x77 * 16 + 2, "error code %lx",
          this_cpu()->trap.error);

    item("upcall-mask");
    bool masked = event_save_mask();
    RAISE("1: int3");
    CHECK(((seen.cs >> 32) & 0xff) == 1, "saved mask in the cs slot: %lx", seen.cs);
    CHECK(!(seen.rflags & 0x200), "IF is set in the frame of masked code");
    CHECK(shared_info->vcpu_info[0].evtchn_upcall_mask == 1, "the mask is lost on the way back");
    event_restore(masked);
    RAISE("1: int3");
    CHECK(((seen.cs >> 32) & 0xff) == 0, "saved mask in the cs slot: %lx", seen.cs);
    CHECK(shared_info->vcpu_info[0].evtchn_upcall_mask == 0, "the mask was set for good");
}

static void flags_survive(void)
{
    uint64_t flags;

    item("registers");
    asm volatile("stc\n 1: ud2\n 2: pushf\n pop %0" FIXUP(1b, 2b) : "=r"(flags) : : "memory");
    CHECK(flags & 1, "carry is lost over a trap");
    CHECK((flags & 0x3000) == 0, "IOPL shows as %lx", (flags >> 12) & 3);
}

void guest_test(void)
{
    trap_set_hook(record);
    page_faults();
    exceptions();
    flags_survive();
}
