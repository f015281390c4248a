/* SPDX-License-Identifier: GPL-2.0-or-later */
/* priv_op_test.c - privileged instructions, ports, MSRs and debug registers of a PV guest (H74 H83 H85 H88 H90 H91 H93) */
#include <string.h>

#include "../unit.h"
#include "cpu/cpuid_policy.h"
#include "domain/io_caps.h"
#include "emul/emul.h"
#include "hv_errno.h"
#include "machine_fake.h"
#include "time/time.h"

#define NOSUB XEN_CPUID_NO_SUBLEAF
#define CR4_OSXSAVE (1UL << 18)
#define HIDDEN_RANGE 0xffff810000000000UL

static struct domain d;
static struct vcpu v;
static struct cpu_user_regs r;
static uint8_t code[64];

static const struct cpuid_leaf_entry machine[] = {
    { 0, NOSUB, { 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 } }, { 1, NOSUB, { 0, 0, ~0u, ~0u } },
    { 7, 0, { 0, ~0u, 0, 0 } }, { 0xd, 0, { 7, 576, 832, 0 } }, { 0xd, 1, { 7, 0, 0, 0 } }, { 0xd, 2, { 256, 576, 0, 0 } },
    { 0x80000000, NOSUB, { 0x80000008, 0, 0, 0 } }, { 0x80000001, NOSUB, { 0, 0, 0, ~0u } },
};

static void setup(bool privileged)
{
    fake_machine_init(64);
    cpuid_policy_init(machine, ARRAY_SIZE(machine));
    tsc_scale_from_hz(1000000000, &tsc_clock.mul, &tsc_clock.shift);
    tsc_clock.khz = 1000000;
    fake_domain_init(&d, privileged ? 0 : 1);
    fake_vcpu_init(&v, &d, 0);
    fake_set_current(&v);
    fake_guest_share(code, sizeof(code));
    CU_ASSERT_EQUAL_FATAL(cpuid_policy_create(&d), 0);
    CU_ASSERT_EQUAL_FATAL(io_caps_create(&d), 0);
    v.cpu.xcr0 = 1;
    v.cpu.traps[13].address = 0x1000;
    v.cpu.iopl = 1;
    r = (struct cpu_user_regs){ .cs = FLAT_KERNEL_CS, .rflags = 0x202 };
}

static void done(void)
{
    cpuid_policy_destroy(&d);
    io_caps_destroy(&d);
}

/* Run @n bytes as a #GP(@error); true: handled. rip ends behind them only if the instruction was executed. */
static bool gp(const char *bytes, unsigned n, uint32_t error)
{
    memset(code, 0xcc, sizeof(code));
    memcpy(code, bytes, n);
    r.rip = (uintptr_t)code;
    fake_log.traps = 0;
    return emul_general_protection(&v, &r, error);
}
#define GP(bytes) gp(bytes, sizeof(bytes) - 1, 0)
#define RETIRED(bytes) (GP(bytes) && r.rip == (uintptr_t)code + sizeof(bytes) - 1 && fake_log.traps == 0)

static void software_interrupts(void)
{
    setup(false);
    for (unsigned mode = 0; mode < 2; mode++) {
        v.cpu.kernel_mode = mode;
        r.cs = FLAT_KERNEL_CS;
        for (unsigned n = 0; n < 256; n++)
            for (unsigned dpl = 0; dpl < 4; dpl++)
                for (unsigned set = 0; set < 2; set++) {
                    const char insn[] = { (char)0xcd, (char)n };
                    v.cpu.traps[n] = (struct guest_trap){ .address = set ? 0x2000 : 0, .dpl = (uint8_t)dpl };
                    const bool deliver = set && (n == 0x80 || dpl >= (mode ? 1u : 3u));
                    /* whatever error code the CPU reports */
                    CU_ASSERT(gp(insn, 2, n == 7 ? 0 : n * 8 + 2));
                    CU_ASSERT_EQUAL(fake_log.traps, 1);
                    CU_ASSERT_EQUAL(fake_log.trap_vector, deliver ? n : 13);
                    CU_ASSERT_EQUAL(fake_log.trap_error, deliver ? 0 : n * 8 + 2);
                    CU_ASSERT_EQUAL(r.rip, (uintptr_t)code + (deliver ? 2 : 0));
                    v.cpu.traps[n].address = 0;
                }
    }
    done();
}

static void control_registers(void)
{
    setup(false);
    v.cpu.kernel_root = mfn(0x123);
    v.info->arch.cr2 = 0xdead;
    CU_ASSERT(RETIRED("\x0f\x20\xc0") && r.rax == 0x80050033);
    CU_ASSERT(RETIRED("\x0f\x20\xd0") && r.rax == 0xdead);
    CU_ASSERT(RETIRED("\x0f\x20\xd8") && r.rax == 0x123000);
    CU_ASSERT(RETIRED("\x0f\x20\xe0") && r.rax == 0x620);
    CU_ASSERT(!GP("\x44\x0f\x20\xc0"));                         /* CR8 */
    r.rax = 0x8005003b;                                         /* TS alone may change */
    CU_ASSERT(RETIRED("\x0f\x22\xc0") && v.cpu.cr0_ts == 8);
    CU_ASSERT(RETIRED("\x0f\x06") && v.cpu.cr0_ts == 0);
    r.rax = 0x00050033;
    CU_ASSERT(!GP("\x0f\x22\xc0"));
    r.rax = ~0UL;                                               /* H88: only the guest's own bits stick */
    CU_ASSERT(RETIRED("\x0f\x22\xe0") && v.cpu.cr4 == (1UL << 2 | 1UL << 3 | 1UL << 16 | CR4_OSXSAVE));
    CU_ASSERT(RETIRED("\x0f\x20\xe0") && r.rax == (v.cpu.cr4 | 0x620));
    r.rax = 0xffffffff000;
    CU_ASSERT(!GP("\x0f\x22\xd8") && mfn_eq(v.cpu.kernel_root, mfn(0x123)));
    v.cpu.kernel_mode = false;
    CU_ASSERT(!GP("\x0f\x20\xc0") && !GP("\x0f\x22\xc0") && !GP("\x0f\x06") && !GP("\x0f\x09"));
    done();
}

static void xcr0(void)
{
    static const struct { uint64_t value; bool ok; } masks[] = {
        { 1, true }, { 3, true }, { 7, true }, { 0, false }, { 2, false }, { 5, false }, { 0xb, false }, { 0x1f, false },
        { 0xe7, false }, { 0x203, false }, { 1UL << 63 | 1, false }, { 3UL | 1UL << 32, false },
    };

    setup(false);
    r.rcx = 0;
    r.rax = 3;
    r.rdx = 0;
    CU_ASSERT(!GP("\x0f\x01\xd1"));                             /* CR4.OSXSAVE is off */
    v.cpu.cr4 = CR4_OSXSAVE;
    for (unsigned i = 0; i < ARRAY_SIZE(masks); i++) {
        v.cpu.xcr0 = 1;
        r.rax = (uint32_t)masks[i].value;
        r.rdx = masks[i].value >> 32;
        CU_ASSERT_EQUAL(GP("\x0f\x01\xd1"), masks[i].ok);
        CU_ASSERT_EQUAL(v.cpu.xcr0, masks[i].ok ? masks[i].value : 1);
    }
    r.rax = 3;
    r.rdx = 0;
    r.rcx = 1;
    CU_ASSERT(!GP("\x0f\x01\xd1"));
    done();
}

/* RDMSR, WRMSR and MOV DR from the guest's kernel; what TSD, RDTSCP and faulting CPUID leave to user mode too. */
static void instructions(void)
{
    setup(false);
    r.rcx = 0xc0000102;
    r.rax = 0xffffffff12345000;                                 /* the upper half of EAX and EDX does not count */
    r.rdx = 0xabcd00000007;
    CU_ASSERT(RETIRED("\x0f\x30"));
    r.rax = r.rdx = ~0UL;
    CU_ASSERT(RETIRED("\x0f\x32") && r.rax == 0x12345000 && r.rdx == 7);
    r.rdx = 0x8000;                                             /* not canonical */
    CU_ASSERT(!GP("\x0f\x30"));
    r.rcx = 0xc0000082;
    CU_ASSERT(!GP("\x0f\x30") && !GP("\x0f\x32"));

    r.rbx = 0x4000;
    CU_ASSERT(RETIRED("\x0f\x23\xd3") && v.cpu.debugreg[2] == 0x4000);         /* mov rbx, dr2 */
    CU_ASSERT(RETIRED("\x41\x0f\x21\xd0") && r.r8 == 0x4000);                /* mov dr2, r8 */
    r.rbx = HIDDEN_RANGE;
    CU_ASSERT(!GP("\x0f\x23\xd3") && v.cpu.debugreg[2] == 0x4000);
    v.cpu.cr4 |= 8;
    CU_ASSERT(!GP("\x0f\x21\xe0"));                            /* dr4, with DE */
    r.rax = 0x1234;
    CU_ASSERT(RETIRED("\x0f\x22\xd0") && v.info->arch.cr2 == 0x1234);

    v.cpu.tsc_aux = 5;
    CU_ASSERT(RETIRED("\x0f\x31"));
    CU_ASSERT(RETIRED("\x0f\x01\xf9") && r.rcx == 5);
    v.cpu.kernel_mode = false;
    CU_ASSERT(RETIRED("\x0f\x31"));
    v.cpu.cr4 |= 4;                                             /* TSD */
    CU_ASSERT(!GP("\x0f\x31") && !GP("\x0f\x01\xf9"));
    r.rax = 0x40000000;
    CU_ASSERT(RETIRED("\x0f\xa2") && r.rbx == 0x566e6558);
    CU_ASSERT(!GP("\x0f\x32") && !GP("\x0f\x21\xd0"));
    done();
}

static void not_emulated(void)
{
    setup(false);
    CU_ASSERT(!GP("\xf4"));                                     /* hlt */
    CU_ASSERT(!GP("\x0f\x01\x10") && !GP("\x0f\x01\x18") && !GP("\x0f\x00\xd0"));       /* lgdt lidt lldt */
    CU_ASSERT(!GP("\x0f\x01\x38") && !GP("\x0f\x01\xf0"));      /* invlpg lmsw */
    CU_ASSERT(!GP("\xf0\x0f\x30"));                             /* lock wrmsr */
    CU_ASSERT(!gp("\x0f\x30", 2, 8));                           /* an error code: not for the instruction's sake */
    CU_ASSERT(RETIRED("\xfa") && RETIRED("\xfb") && RETIRED("\x0f\x09"));
    CU_ASSERT_EQUAL(fake_log.cache_flushes, 0);
    v.cpu.kernel_mode = false;
    CU_ASSERT(!GP("\xfa") && !GP("\xfb"));
    v.cpu.iopl = 3;
    CU_ASSERT(RETIRED("\xfa"));
    done();
}

static void single_step(void)
{
    setup(false);
    r.rflags |= 0x100 | 1UL << 16;
    CU_ASSERT(GP("\xfa"));
    CU_ASSERT(fake_log.traps == 1 && fake_log.trap_vector == 1 && v.cpu.debugreg[6] & 0x4000);
    CU_ASSERT(!(r.rflags & 1UL << 16));
    done();
}

static void forced_cpuid(void)
{
    setup(false);
    memcpy(code, "\x0f\x0bxen\x0f\xa2", 7);
    r.rip = (uintptr_t)code;
    r.rax = 0x40000000;
    CU_ASSERT(emul_invalid_opcode(&v, &r));
    CU_ASSERT(r.rbx == 0x566e6558 && r.rip == (uintptr_t)code + 7);
    code[2] = 'X';
    r.rip = (uintptr_t)code;
    CU_ASSERT(!emul_invalid_opcode(&v, &r));
    r.rip = (uintptr_t)code + sizeof(code) - 3;                 /* cut off */
    CU_ASSERT(!emul_invalid_opcode(&v, &r));
    r.rip = 0x8000000000000000;
    CU_ASSERT(!emul_general_protection(&v, &r, 0));             /* no endless retry at an unreadable address */
    done();
}

/* ---- MSRs ---- */

static void bases(void)
{
    uint64_t x;

    setup(false);
    CU_ASSERT(guest_wrmsr(&v, 0xc0000101, 0xffffffff82000000) && guest_rdmsr(&v, 0xc0000101, &x) && x == 0xffffffff82000000);
    CU_ASSERT(guest_wrmsr(&v, 0xc0000102, 0x7000) && guest_rdmsr(&v, 0xc0000102, &x) && x == 0x7000);
    CU_ASSERT(guest_rdmsr(&v, 0xc0000101, &x) && x == 0xffffffff82000000);
    for (uint32_t m = 0xc0000100; m <= 0xc0000102; m++)
        CU_ASSERT(!guest_wrmsr(&v, m, 0x800000000000) && !guest_wrmsr(&v, m, 0xffff700000000000));
    done();
}

/* H90: every index answers or is refused; what is readable holds nothing of the machine's. */
static void all_msrs(void)
{
    static const uint32_t ranges[][2] = { { 0, 0x2000 }, { 0x40000000, 0x40000300 }, { 0xc0000000, 0xc0000400 },
                                          { 0xc0010000, 0xc0012000 } };
    unsigned readable = 0;
    uint64_t x;

    setup(false);
    for (unsigned k = 0; k < ARRAY_SIZE(ranges); k++)
        for (uint32_t m = ranges[k][0]; m < ranges[k][1]; m++) {
            readable += guest_rdmsr(&v, m, &x);
            if (m < 0xc0000100 || m > 0xc0000102)
                (void)guest_wrmsr(&v, m, ~0UL);
        }
    CU_ASSERT(readable > 8 && readable < 48);
    for (uint32_t m = 0x400; m < 0x408; m++)                    /* Linux from Xen resumes: status read and cleared, ctl set */
        CU_ASSERT(guest_wrmsr(&v, m, ~0UL) && guest_rdmsr(&v, m, &x) && x == 0);
    CU_ASSERT(!guest_rdmsr(&v, 0x3ff, &x) && !guest_rdmsr(&v, 0x408, &x));
    CU_ASSERT(!guest_rdmsr(&v, 0xc0000082, &x) && !guest_wrmsr(&v, 0xc0000082, 0));     /* LSTAR */
    CU_ASSERT(!guest_wrmsr(&v, 0xc0000080, 0) && !guest_rdmsr(&v, 0x174, &x));          /* EFER, SYSENTER_CS */
    CU_ASSERT(guest_rdmsr(&v, 0x277, &x) && x == 0x050100070406);
    v.cpu.traps[13].address = 0;                                /* early boot: reads of anything give 0 */
    CU_ASSERT(guest_rdmsr(&v, 0x174, &x) && x == 0 && !guest_wrmsr(&v, 0x174, 0));
    done();
}

/* ---- debug registers ---- */

static void debug_registers(void)
{
    uint64_t x;

    setup(false);
    for (unsigned n = 0; n < 4; n++) {
        CU_ASSERT_EQUAL(guest_set_debugreg(&v, n, HIDDEN_RANGE), -EPERM);
        CU_ASSERT_EQUAL(guest_set_debugreg(&v, n, 0x800000000000), -EPERM);
        CU_ASSERT_EQUAL(guest_set_debugreg(&v, n, 0x1000 + n), 0);
        CU_ASSERT(guest_get_debugreg(&v, n, &x) == 0 && x == 0x1000 + n);
    }
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 6, 1UL << 32), -EINVAL);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 7, 1UL << 32), -EINVAL);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 6, 0), 0);
    CU_ASSERT_EQUAL(v.cpu.debugreg[6], 0xffff0ff0);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 7, 0xffffd8ff & ~0x22220000u), 0);
    CU_ASSERT_EQUAL(v.cpu.debugreg[7] & 0xdc00, 0x400);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 7, 1u << 13), -EPERM);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 7, 2u << 16 | 1), -EPERM);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 5, 0x401), 0);
    v.cpu.cr4 |= 8;
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 4, 0), -ENODEV);
    CU_ASSERT_EQUAL(guest_get_debugreg(&v, 5, &x), -ENODEV);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 8, 0), -ENODEV);
    CU_ASSERT_EQUAL(guest_set_debugreg(&v, 7, 2u << 16 | 1u << 20 | 0xf), 0);           /* I/O on 0, write on 1 */
    CU_ASSERT_EQUAL(guest_dr7_hardware(&v) & 0xff, 0xc);
    done();
}

/* ---- ports ---- */

static void ports_of_domu(void)
{
    setup(false);
    memset(fake_ports, 0x11, sizeof(fake_ports));
    for (unsigned p = 0; p < 0x10000; p++) {                    /* H93 */
        r.rdx = p;
        r.rax = 0x5a5a5a5a;
        CU_ASSERT(GP("\xee"));
        r.rax = 0;
        CU_ASSERT(GP("\xec"));
        const bool emulated = p == 0x42 || p == 0x61 || p == 0x70;
        if (!emulated)
            CU_ASSERT_EQUAL(r.rax, 0xff);
        CU_ASSERT_EQUAL(fake_ports[p], 0x11111111);
    }
    v.cpu.kernel_mode = false;
    CU_ASSERT(!GP("\xec"));
    v.cpu.kernel_mode = true;
    v.cpu.iopl = 0;
    CU_ASSERT(!GP("\xec"));
    done();
}

static void ports_of_dom0(void)
{
    setup(true);
    fake_ports[0x3f8] = 0x42;
    r.rdx = 0x3f8;
    r.rax = ~0UL;
    CU_ASSERT(RETIRED("\xec") && r.rax == 0xffffffffffffff42);
    r.rax = 0x1234;
    CU_ASSERT(RETIRED("\x66\xef") && fake_ports[0x3f8] == 0x1234);
    CU_ASSERT(RETIRED("\xed") && r.rax == 0x1234);
    r.rdx = 0xffff;                                             /* beyond the last port */
    CU_ASSERT(RETIRED("\xed") && r.rax == 0xffffffff);
    r.rdx = 0xcf8;
    r.rax = 0x80001234;
    CU_ASSERT(RETIRED("\xef"));
    r.rax = 0;
    CU_ASSERT(RETIRED("\xed") && r.rax == 0x80001234 && fake_ports[0xcf8] == ~0u);
    fake_ports[0x71] = 0x26;
    r.rax = 0x0b;
    CU_ASSERT(RETIRED("\xe6\x70") && fake_ports[0x70] == ~0u);
    CU_ASSERT(RETIRED("\xe4\x71") && (r.rax & 0xff) == 0x26 && fake_ports[0x70] == 0x0b);
    done();
}

/* Linux's calibration: gate on, count down in mode 0, wait for the output bit. */
static void pit_calibration(void)
{
    setup(false);
    fake_now = 1000;
    r.rax = 1;
    CU_ASSERT(RETIRED("\xe6\x61"));
    r.rax = 0xb0;
    CU_ASSERT(RETIRED("\xe6\x43"));
    r.rax = 0xff;
    CU_ASSERT(RETIRED("\xe6\x42") && RETIRED("\xe6\x42"));
    CU_ASSERT(RETIRED("\xe4\x61") && !(r.rax & 0x20));
    fake_now += 1000000;                                        /* 1 ms: 1193 ticks */
    r.rax = 0;
    CU_ASSERT(RETIRED("\xe4\x42"));
    const uint64_t low = r.rax & 0xff;
    CU_ASSERT(RETIRED("\xe4\x42"));
    CU_ASSERT_EQUAL((r.rax & 0xff) << 8 | low, 0xffff - 1193);
    fake_now += 60000000;
    CU_ASSERT(RETIRED("\xe4\x61") && (r.rax & 0x20));
    done();
}

static void string_ports(void)
{
    static uint8_t page[512];
    uint8_t *const buffer = page, *const end = page + 256;      /* behind it nothing is mapped */

    setup(true);
    fake_guest_share(buffer, (size_t)(end - buffer));
    fake_ports[0x60] = 0x77;
    r.rdx = 0x60;
    r.rdi = (uintptr_t)buffer;
    r.rcx = 100;
    CU_ASSERT(GP("\xf3\x6c"));
    CU_ASSERT(r.rcx == 36 && r.rip == (uintptr_t)code && buffer[63] == 0x77 && buffer[64] == 0);
    CU_ASSERT(RETIRED("\xf3\x6c") && r.rcx == 0 && buffer[99] == 0x77 && buffer[100] == 0);
    r.rcx = 10;
    r.rdi = (uintptr_t)end - 4;             /* faults after 4 */
    CU_ASSERT(GP("\xf3\x6c"));
    CU_ASSERT(r.rcx == 6 && fake_log.trap_vector == 14 && fake_log.trap_cr2 == (uintptr_t)end);
    CU_ASSERT_EQUAL(r.rip, (uintptr_t)code);
    r.rsi = (uintptr_t)buffer;
    memcpy(buffer, "\x01\x02\x03\x04", 4);
    CU_ASSERT(RETIRED("\x6f") && fake_ports[0x60] == 0x04030201 && r.rsi == (uintptr_t)buffer + 4);
    r.rcx = 0;
    CU_ASSERT(RETIRED("\xf3\x6e") && r.rsi == (uintptr_t)buffer + 4);
    done();
}

static const struct unit_case cases[] = {
    UNIT(software_interrupts), UNIT(control_registers), UNIT(xcr0), UNIT(instructions), UNIT(not_emulated),
    UNIT(single_step), UNIT(forced_cpuid),
    UNIT(bases), UNIT(all_msrs), UNIT(debug_registers), UNIT(ports_of_domu), UNIT(ports_of_dom0), UNIT(pit_calibration),
    UNIT(string_ports), { 0 }
};
int main(void) { return unit_main("priv_op", cases); }
