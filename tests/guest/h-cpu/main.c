/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H70..H74, H83..H85, H88..H91, H93, H94: trap tables, descriptors, segment bases, debug and control registers,
 * MSRs and ports: what a guest may set is set, everything else is refused or raises a fault in the guest only.
 */
#include "hostile.h"
#include "user.h"

#define RAISE(instruction, ...) \
    do { \
        trap_reset(); \
        asm volatile(instruction "\n2:" FIXUP(1b, 2b) : : __VA_ARGS__); \
    } while (0)

static void trap_tables(void)
{
    struct trap_info table[2] = { { .vector = 0x90, .cs = FLAT_KERNEL_CS, .address = BAD_NONCANONICAL }, { 0 } };
    struct callback_register reg = { .type = CALLBACKTYPE_event, .address = BAD_NONCANONICAL };

    item("H70");
    RC(hc_set_trap_table(table), -XEN_EINVAL);
    table[0].address = 0xdead000000000000UL;
    RC(hc_set_trap_table(table), -XEN_EINVAL);
    static const unsigned types[] = { CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall };
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        reg.type = (uint16_t)types[i];
        RC(hc_callback_op(CALLBACKOP_register, &reg), -XEN_EINVAL);
    }
    reg.type = 99;
    reg.address = VIRT_BASE;
    RC(hc_callback_op(CALLBACKOP_register, &reg), -XEN_ENOSYS);
    RC(hc_callback_op(7, &reg), -XEN_ENOSYS);
    long rc = hypercall(__HYPERVISOR_set_callbacks, BAD_NONCANONICAL, BAD_NONCANONICAL, BAD_NONCANONICAL, 0, 0);
    CHECK(rc == 0 || rc == -XEN_EINVAL, "set_callbacks: %ld", rc);
    trap_init_cpu(this_cpu());              /* whatever was stored, put the honest ones back */
}

static void descriptors(void)
{
    uint64_t *gdt = page_alloc();
    unsigned long frames[16] = { mm_mfn(gdt) };
    uint64_t maddr = mm_mfn(gdt) << PAGE_SHIFT;

    item("H71");
    RC(hc_set_gdt(frames, 7169), -XEN_EINVAL);
    RC(hc_set_gdt(frames, 0xffffffff), -XEN_EINVAL);
    RC(hc_set_gdt(frames, 512), -XEN_EINVAL);               /* still mapped writable */
    RC(mm_protect(gdt), 0);
    frames[0] = FRAME_BEYOND;
    RC(hc_set_gdt(frames, 512), -XEN_EINVAL);
    frames[0] = hypervisor_frame();
    RC(hc_set_gdt(frames, 512), -XEN_EINVAL);
    frames[0] = mm_l4_mfn();
    RC(hc_set_gdt(frames, 512), -XEN_EINVAL);
    if (victim_domid() != DOMID_INVALID) {
        frames[0] = victim_frame();
        RC(hc_set_gdt(frames, 512), -XEN_EINVAL);
    }
    RC(mm_unprotect(gdt), 0);
    gdt[3] = 0x0000890000000067UL;                          /* a TSS */
    RC(mm_protect(gdt), 0);
    frames[0] = mm_mfn(gdt);
    RC(hc_set_gdt(frames, 512), -XEN_EINVAL);
    RC(mm_unprotect(gdt), 0);
    gdt[3] = 0;
    RC(mm_protect(gdt), 0);
    RC(hc_set_gdt(frames, 512), 0);

    item("H72");
    static const uint64_t bad[] = {
        0x0000890000000067UL,           /* TSS */
        0x0000820000000067UL,           /* LDT */
        0x00008e0000080000UL,           /* interrupt gate */
        0x00008f0000080000UL,           /* trap gate */
        0x0000850000080000UL,           /* task gate */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        RC(hypercall(__HYPERVISOR_update_descriptor, maddr + 40, bad[i], 0, 0, 0), -XEN_EINVAL);
        CHECK(gdt[5] == 0, "descriptor %lx was stored", gdt[5]);
    }
    NEGATIVE(hypercall(__HYPERVISOR_update_descriptor, maddr + 4, 0x00cff2000000ffffUL, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_update_descriptor, FRAME_BEYOND << PAGE_SHIFT, 0, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_update_descriptor, hypervisor_frame() << PAGE_SHIFT, 0, 0, 0, 0));
    NEGATIVE(hypercall(__HYPERVISOR_update_descriptor, mm_l4_mfn() << PAGE_SHIFT, 0x00cff2000000ffffUL, 0, 0, 0));
    long rc = hypercall(__HYPERVISOR_update_descriptor, maddr + 48, 0x00af9a000000ffffUL, 0, 0, 0);  /* DPL 0 code */
    CHECK(rc == -XEN_EINVAL || (rc == 0 && ((gdt[6] >> 45) & 3) == 3), "ring 0 code: %ld, stored %lx", rc, gdt[6]);
    /* Through whatever selector we load next, we stay in ring 3. */
    uint16_t cs;
    asm volatile("mov %%cs, %0" : "=r"(cs));
    CHECK((cs & 3) == 3, "cs %x", cs);
    RC(hypercall(__HYPERVISOR_update_descriptor, maddr + 48, 0x00cff2000000ffffUL, 0, 0, 0), 0);
    RAISE("1: mov %w0, %%es", "r"(6 * 8 | 3));
    CHECK(trap_seen() == TRAP_NONE, "an honest data segment: vector %x", trap_seen());
    RAISE("1: mov %w0, %%es", "r"(0));
    RC(hc_set_gdt(NULL, 0), 0);
    RC(mm_unprotect(gdt), 0);
    page_free(gdt);
}

static void bases(void)
{
    item("H73");
    for (unsigned which = 0; which < 3; which++) {
        RC(hc_set_segment_base(which, BAD_NONCANONICAL), -XEN_EINVAL);
        RC(hc_set_segment_base(which, 0x1234000000000000UL), -XEN_EINVAL);
    }
    RC(hc_set_segment_base(4, 0), -XEN_EINVAL);
    RC(hc_set_segment_base(0xffffffff, 0), -XEN_EINVAL);
    /* A bad selector is replaced by the null one, and our own gs base stays. */
    RC(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0xfff8), 0);
    RC(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    CHECK(this_cpu() == &cpus[0], "gs is lost");

    item("H74");
    static const uint32_t msrs[] = { 0xc0000100, 0xc0000101, 0xc0000102 };
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        RAISE("1: wrmsr", "c"(msrs[i]), "a"(0), "d"(0x00008000));
        CHECK(trap_seen() == 13, "wrmsr %x non-canonical: vector %x", msrs[i], trap_seen());
    }
    CHECK(this_cpu() == &cpus[0], "gs is lost");
}

static void debug_registers(void)
{
    const unsigned nr = __HYPERVISOR_set_debugreg;

    item("H85");
    for (unsigned i = 0; i < 4; i++) {
        RC(hypercall(nr, i, BAD_HYPERVISOR, 0, 0, 0), -XEN_EPERM);
        RC(hypercall(nr, i, BAD_DIRECTMAP, 0, 0, 0), -XEN_EPERM);
        NEGATIVE(hypercall(nr, i, BAD_NONCANONICAL, 0, 0, 0));
        RC(hypercall(nr, i, 0x1000, 0, 0, 0), 0);
        RC(hypercall(__HYPERVISOR_get_debugreg, i, 0, 0, 0, 0), 0x1000);
        RC(hypercall(nr, i, 0, 0, 0, 0), 0);
    }
    RC(hypercall(nr, 6, 1UL << 32, 0, 0, 0), -XEN_EINVAL);
    RC(hypercall(nr, 7, 1UL << 32, 0, 0, 0), -XEN_EINVAL);
    RC(hypercall(nr, 7, 1UL << 13, 0, 0, 0), -XEN_EPERM);                   /* GD */
    RC(hypercall(nr, 7, 2UL << 16 | 2, 0, 0, 0), -XEN_EPERM);               /* I/O breakpoint without DE */
    for (unsigned i = 8; i < 20; i++)
        RC(hypercall(nr, i, 0, 0, 0, 0), -XEN_ENODEV);
    RC(hypercall(nr, 0xffffffff, 0, 0, 0, 0), -XEN_ENODEV);
    NEGATIVE(hypercall(__HYPERVISOR_get_debugreg, 9, 0, 0, 0, 0));
    RC(hypercall(nr, 7, 0, 0, 0, 0), 0);
    long dr6 = hypercall(__HYPERVISOR_get_debugreg, 6, 0, 0, 0, 0);
    long dr7 = hypercall(__HYPERVISOR_get_debugreg, 7, 0, 0, 0, 0);
    CHECK((dr6 & 0xffff0ff0) == 0xffff0ff0 || dr6 == 0, "dr6 %lx", dr6);
    CHECK((dr7 & ~0x400L) == 0, "dr7 %lx", dr7);
}

static void control_registers(void)
{
    uint64_t cr0, cr4, now;

    item("H88");
    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    CHECK((cr0 & 0x80000001) == 0x80000001, "cr0 reads %lx", cr0);
    RAISE("1: mov %0, %%cr0", "r"(cr0 & ~0x80000000UL));
    CHECK(trap_seen() == 13 || trap_seen() == TRAP_NONE, "clearing PG: vector %x", trap_seen());
    RAISE("1: mov %0, %%cr0", "r"(cr0 & ~0x10000UL));
    static const unsigned never[] = { 13, 14, 17, 20, 21, 22 };      /* VMXE SMXE PCIDE SMEP SMAP PKE */
    for (unsigned i = 0; i < ARRAY_SIZE(never); i++) {
        RAISE("1: mov %0, %%cr4", "r"(cr4 | 1UL << never[i]));
        asm volatile("mov %%cr4, %0" : "=r"(now));
        CHECK(!(now & (1UL << never[i])) || (cr4 & (1UL << never[i])), "cr4 bit %u can be set: %lx", never[i], now);
    }
    RAISE("1: mov %0, %%cr4", "r"(~0UL));
    RAISE("1: mov %0, %%cr4", "r"(cr4));
    asm volatile("mov %%cr4, %0" : "=r"(now));
    CHECK(now == cr4, "cr4 %lx, was %lx", now, cr4);
    RAISE("1: mov %0, %%cr3", "r"(FRAME_BEYOND << PAGE_SHIFT));
    CHECK(trap_seen() == 13, "a bad cr3: vector %x", trap_seen());
    RAISE("1: mov %0, %%cr8", "r"(0UL));
    CHECK(trap_seen() == 13 || trap_seen() == 6, "cr8: vector %x", trap_seen());
    asm volatile("mov %%cr0, %0" : "=r"(now));
    CHECK((now & ~8UL) == (cr0 & ~8UL), "cr0 %lx, was %lx", now, cr0);

    item("H89");
    uint32_t a, b, c, d;
    asm volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    if (!(b & 1)) {
        item_skip("no FSGSBASE on this machine");
    } else {
        asm volatile("mov %0, %%cr4" : : "r"(cr4 & ~(1UL << 16)));
        asm volatile("mov %%cr4, %0" : "=r"(now));
        CHECK(!(now & (1UL << 16)), "cr4.FSGSBASE does not go away");
        RAISE("1: rdfsbase %%rax", "i"(0) : "rax");
        CHECK(trap_seen() == 6, "rdfsbase without cr4.FSGSBASE: vector %x", trap_seen());
        asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1UL << 16));
        RAISE("1: rdfsbase %%rax", "i"(0) : "rax");
        CHECK(trap_seen() == TRAP_NONE, "rdfsbase with cr4.FSGSBASE: vector %x", trap_seen());
        asm volatile("mov %0, %%cr4" : : "r"(cr4));
    }

    item("H91");
    asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1UL << 18));
    static const uint64_t masks[] = { 0, 2, 4, 6, 1UL << 62, 0x1fUL << 5, ~0UL };
    for (unsigned i = 0; i < ARRAY_SIZE(masks); i++) {
        RAISE("1: xsetbv", "c"(0), "a"((uint32_t)masks[i]), "d"((uint32_t)(masks[i] >> 32)));
        CHECK(trap_seen() == 13 || trap_seen() == 6, "xsetbv %lx: vector %x", masks[i], trap_seen());
    }
    RAISE("1: xsetbv", "c"(1), "a"(1), "d"(0));
    CHECK(trap_seen() == 13 || trap_seen() == 6, "xsetbv of XCR1: vector %x", trap_seen());
    asm volatile("mov %0, %%cr4" : : "r"(cr4));
}

static void msrs(void)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = { { 0, 0x1ff }, { 0x200, 0x300 }, { 0x400, 0x480 }, { 0x480, 0x4a0 }, { 0x800, 0x840 },
                   { 0xd90, 0xda8 }, { 0xc80, 0xc98 }, { 0x40000100, 0x40000110 }, { 0x4b564d00, 0x4b564d08 },
                   { 0xc0000080, 0xc0000090 }, { 0xc0000100, 0xc0000108 }, { 0xc0010000, 0xc0010120 },
                   { 0xc0011000, 0xc0011040 } };
    unsigned reads = 0, values = 0;

    item("H90");
    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
        for (uint32_t m = ranges[i].from; m < ranges[i].to; m++) {
            uint32_t lo = 0, hi = 0;

            trap_reset();
            asm volatile("1: rdmsr\n 2:" FIXUP(1b, 2b) : "+a"(lo), "+d"(hi) : "c"(m));
            reads++;
            values += trap_seen() == TRAP_NONE;
            CHECK(trap_seen() == 13 || trap_seen() == TRAP_NONE, "rdmsr %x: vector %x", m, trap_seen());
            if (trap_seen() == TRAP_NONE && m >= 0xc0000080 && m <= 0xc0000084 && m != 0xc0000080)
                CHECK(lo == 0 && hi == 0, "rdmsr %x shows the hypervisor's %x%08x", m, hi, lo);
            if (m == 0xc0000100 || m == 0xc0000101 || m == 0xc0000102)
                continue;
            trap_reset();
            asm volatile("1: wrmsr\n 2:" FIXUP(1b, 2b) : : "a"(0xffffffffU), "d"(0xffffffffU), "c"(m) : "memory");
            CHECK(trap_seen() == 13 || trap_seen() == TRAP_NONE, "wrmsr %x: vector %x", m, trap_seen());
        }
    printf("%u MSRs read, %u have a value\n", reads, values);
    trap_reset();
    /* The syscall MSRs are the hypervisor's: after all those writes a hypercall still works. */
    CHECK(hc_xen_version(XENVER_version, NULL) > 0, "hypercalls are broken");
    CHECK(this_cpu() == &cpus[0], "gs is lost");
}

static void ports(void)
{
    struct physdev_set_iopl iopl = { .iopl = 4 };
    unsigned faults = 0;

    item("H93");
    RC(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL);
    if (is_initial_domain()) {
        item_skip("the initial domain owns the machine's ports");
        return;
    }
    iopl.iopl = 1;
    RC(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned port = 0; port < 65536; port += pass == 0 ? 7 : 1) {
            uint32_t v = 0x12345678;

            if (pass == 1 && !(port < 0x100 || (port >= 0x3b0 && port < 0x400) || (port >= 0xcf8 && port < 0xd00)))
                continue;
            trap_reset();
            asm volatile("1: inb %w1, %b0\n 2:" FIXUP(1b, 2b) : "+a"(v) : "d"(port));
            if (trap_seen() == 13)
                faults++;
            else if (trap_seen() != TRAP_NONE)
                item_fail("in from %x: vector %x", port, trap_seen());
            else if ((v & 0xff) != 0xff && port != 0x61 && !(port >= 0x40 && port < 0x44) && port != 0x71 &&
                     port != 0x70 && port != 0x21 && port != 0xa1 && !(port >= 0xcf8 && port < 0xd00))
                item_fail("port %x reads %x", port, v & 0xff);
            trap_reset();
            asm volatile("1: outb %b0, %w1\n 2:" FIXUP(1b, 2b) : : "a"(0x00), "d"(port));
            CHECK(trap_seen() == 13 || trap_seen() == TRAP_NONE, "out to %x: vector %x", port, trap_seen());
        }
    }
    printf("%u faults\n", faults);
    iopl.iopl = 0;
    RC(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    uint8_t buffer[8] = { 0 };
    trap_reset();
    asm volatile("1: insb\n 2:" FIXUP(1b, 2b) : : "D"(buffer), "d"(0x64) : "memory");
    CHECK(trap_seen() == 13 || trap_seen() == TRAP_NONE, "insb: vector %x", trap_seen());
    trap_reset();
    asm volatile("1: outsl\n 2:" FIXUP(1b, 2b) : : "S"(BAD_HYPERVISOR), "d"(0x64) : "memory");
    CHECK(trap_seen() == 13 || trap_seen() == 14, "outs from the hypervisor's memory: vector %x", trap_seen());
}

/* Software interrupts from user mode: only a gate of DPL 3 lets them through. */
static void software_interrupts(void)
{
    struct trap_info table[2] = { { .cs = FLAT_KERNEL_CS }, { 0 } };
    extern const char trap_stubs[256][16];
    unsigned char code[] = { 0xcd, 0 };

    item("H83");
    if (!user_init())
        return;
    if (on_xen()) {
        item_skip("QEMU before 8.0 gives vector * 16 + 2 as error code, and Xen believes it");
        return;
    }
    for (unsigned v = 0; v < 256; v++) {
        for (unsigned dpl = 0; dpl < 4; dpl += 3) {
            struct trap_frame f = user_frame();

            /* int n pushes no error code, but our stubs of these vectors expect one. */
            if (v == 2 || v == 18 || v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21)
                continue;
            table[0].vector = (uint8_t)v;
            table[0].flags = (uint8_t)dpl;
            table[0].address = (uintptr_t)trap_stubs[v];
            if (v == 0x80 && dpl == 0)
                continue;               /* Xen passes int 0x80 whatever the gate says */
            RC(hc_set_trap_table(table), 0);
            code[1] = (unsigned char)v;
            user_load(code, sizeof(code));
            user_run(&f);
            bool delivered = f.vector == v && f.rip == USER_CODE + 2;
            bool refused = f.vector == 13 && f.rip == USER_CODE;
            /* int 3 and int 4 have gates of DPL 3 in hardware. */
            CHECK(dpl == 3 || v == 3 || v == 4 ? delivered : refused, "int %x, DPL %u: vector %lx at %lx", v, dpl,
                  f.vector, f.rip);
        }
    }
    trap_init_cpu(this_cpu());
}

static void odd_instructions(void)
{
    struct trap_frame f;
    static const struct {
        const char *name;
        unsigned char code[8];
    } list[] = {
        { "sysenter", { 0x0f, 0x34 } }, { "int1", { 0xf1 } }, { "ud2", { 0x0f, 0x0b } },
        { "far call", { 0xff, 0x1f } }, { "hlt", { 0xf4 } }, { "vmcall", { 0x0f, 0x01, 0xc1 } },
        { "vmmcall", { 0x0f, 0x01, 0xd9 } }, { "lldt", { 0x0f, 0x00, 0xd0 } }, { "swapgs", { 0x0f, 0x01, 0xf8 } },
        { "sysret", { 0x48, 0x0f, 0x07 } }, { "rsm", { 0x0f, 0xaa } }, { "invd", { 0x0f, 0x08 } },
        { "wbinvd", { 0x0f, 0x09 } }, { "clts", { 0x0f, 0x06 } }, { "mov cr3", { 0x0f, 0x22, 0xd8 } },
        { "mov dr7", { 0x0f, 0x23, 0xf8 } }, { "cli", { 0xfa } }, { "lgdt", { 0x0f, 0x01, 0x17 } },
    };

    item("H84");
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        f = user_frame();
        f.rdi = USER_STACK_TOP - 64;
        f.rflags |= i == 0 ? 1UL << 14 : 0;             /* NT with sysenter: XSA-339 */
        user_load(list[i].code, sizeof(list[i].code));
        user_run(&f);
        CHECK(f.vector == 13 || f.vector == 6 || f.vector == 1 || f.vector == 3 || f.vector == 14 ||
              f.vector == TRAP_SYSENTER, "%s from user mode: vector %lx", list[i].name, f.vector);
        CHECK((f.cs & 3) == 3, "%s: cs %lx", list[i].name, f.cs);
    }
}

void guest_test(void)
{
    trap_tables();
    descriptors();
    bases();
    debug_registers();
    control_registers();
    msrs();
    ports();
    software_interrupts();
    odd_instructions();
}
