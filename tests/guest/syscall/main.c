/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claim: the guest kernel can enter its user mode and comes back by system call, exception and software
 * interrupt, each with the frame the interface promises; user mode cannot see the kernel's half (H101).
 */
#include "user.h"

static const unsigned char code_syscall[] = { 0x0f, 0x05, 0x0f, 0x05 };
static const unsigned char code_ud2[] = { 0x0f, 0x0b };
static const unsigned char code_int3[] = { 0xcc };
static const unsigned char code_int81[] = { 0xcd, 0x81 };
static const unsigned char code_read_rdi[] = { 0x48, 0x8b, 0x07, 0x0f, 0x05 };  /* mov (%rdi), %rax; syscall */

static void round_trip(void)
{
    struct trap_frame f = user_frame();

    item("H101");
    user_load(code_syscall, sizeof(code_syscall));
    f.rax = __HYPERVISOR_xen_version;  /* a hypercall number: must reach our own handler */
    f.rbx = 0x1111;
    f.r9 = 0x9999;
    f.r15 = 0xffffeeee;
    user_run(&f);
    CHECK(f.vector == TRAP_SYSCALL, "came back by %lx", f.vector);
    CHECK(f.rip == USER_CODE + 2 && f.rsp == USER_STACK_TOP, "rip %lx rsp %lx", f.rip, f.rsp);
    CHECK((uint16_t)f.cs == FLAT_USER_CS && f.ss == FLAT_USER_SS, "cs %lx ss %lx", f.cs, f.ss);
    CHECK(f.rax == __HYPERVISOR_xen_version && f.rbx == 0x1111 && f.r9 == 0x9999 && f.r15 == 0xffffeeee,
          "registers changed on the way");
    CHECK(f.rcx == f.rip, "rcx %lx is not the return address", f.rcx);
    CHECK((f.rflags & 0x3200) == 0x200, "rflags %lx", f.rflags);

    item("resume");
    user_run(&f);
    CHECK(f.vector == TRAP_SYSCALL && f.rip == USER_CODE + 4, "vector %lx rip %lx", f.vector, f.rip);

    item("many-round-trips");
    uint64_t start = time_now();
    for (unsigned i = 0; i < 20000; i++) {
        f.rip = USER_CODE;
        user_run(&f);
        if (f.vector != TRAP_SYSCALL || f.rip != USER_CODE + 2) {
            item_fail("round %u: vector %lx rip %lx", i, f.vector, f.rip);
            break;
        }
    }
    printf("20000 round trips: %lu ns each\n", (time_now() - start) / 20000);
}

static void traps_from_user(void)
{
    struct trap_frame f = user_frame();

    item("exception");
    user_load(code_ud2, sizeof(code_ud2));
    user_run(&f);
    CHECK(f.vector == 6 && f.rip == USER_CODE, "vector %lx rip %lx", f.vector, f.rip);
    CHECK((f.cs & 3) == 3, "cs %lx", f.cs);

    item("breakpoint");
    f = user_frame();
    user_load(code_int3, sizeof(code_int3));
    user_run(&f);
    CHECK(f.vector == 3 && f.rip == USER_CODE + 1, "vector %lx rip %lx", f.vector, f.rip);

    item("int-dpl0");
    f = user_frame();
    user_load(code_int81, sizeof(code_int81));
    user_run(&f);
    CHECK(f.vector == 13 && f.rip == USER_CODE, "vector %lx error %lx rip %lx", f.vector, f.error, f.rip);
    CHECK(f.error == 0x81 * 8 + 2 || f.error == 0x81 * 16 + 2, "error code %lx", f.error);  /* H83: QEMU < 8 */

    item("page-fault");
    f = user_frame();
    user_load(code_read_rdi, sizeof(code_read_rdi));
    f.rdi = 0x12345000;
    user_run(&f);
    CHECK(f.vector == 14 && f.error == 4, "vector %lx error %lx", f.vector, f.error);
    CHECK(shared_info->vcpu_info[0].arch.cr2 == 0x12345000, "cr2 %lx", shared_info->vcpu_info[0].arch.cr2);

    item("user-cannot-see-kernel");
    uint64_t kernel[] = { VIRT_BASE, (uintptr_t)&f, (uintptr_t)shared_info, 0xffff820000000000UL };
    for (unsigned i = 0; i < ARRAY_SIZE(kernel); i++) {
        f = user_frame();
        f.rdi = kernel[i];
        user_run(&f);
        CHECK(f.vector == 14, "user mode read %lx: vector %lx", kernel[i], f.vector);
    }
}

static void same_table(void)
{
    struct trap_frame f = user_frame();

    item("user-table-is-kernel-table");
    RC(mm_map(USER_CODE, mm_mfn_va(mm_l4_mfn()) ? PTE_MFN(*mm_entry(user_l4(), USER_CODE, 1)) : 0, PTE_KERNEL), 0);
    RC(mm_pin(MMUEXT_NEW_USER_BASEPTR, mm_l4_mfn()), 0);
    user_load(code_syscall, sizeof(code_syscall));
    user_run(&f);
    CHECK(f.vector == TRAP_SYSCALL, "vector %lx", f.vector);
    RC(mm_pin(MMUEXT_NEW_USER_BASEPTR, user_l4()), 0);
}

void guest_test(void)
{
    item("user-address-space");
    if (!user_init())
        return;
    round_trip();
    traps_from_user();
    same_table();
}
