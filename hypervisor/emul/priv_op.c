/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * priv_op.c - privileged instructions of a guest whose kernel runs in ring 3
 *
 * Each arrives as #GP(0) at the guest's instruction. The bytes are read once into a buffer of ours; what they are
 * decided to be is what is executed, whatever another vCPU writes there meanwhile.
 *
 *   I1  guest user mode gets what real user mode would: #GP, but for port I/O by IOPL or bitmap, INT n, and RDTSC
 *       and CPUID where those trap only because of us.
 *   I2  control registers keep only bits that are the guest's to choose; the real ones are computed from them by
 *       guest_hw_reload().
 *
 * Refuses (#GP to the guest): HLT, LGDT, LIDT, LLDT, LTR, LMSW, INVLPG, MOV CR8, and everything not decoded.
 */
#include "emul/emul_priv.h"

#include "cpu/cpuid_policy.h"
#include "domain/io_caps.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/pt_update.h"
#include "time/time.h"

#define VECTOR_DB 1
#define VECTOR_GP 13
#define VECTOR_SYSCALL32 0x80
#define DR6_BS (1UL << 14)
#define DESC_L (1UL << 53)

#define CR0_GUEST_VIEW 0x80050033UL     /* PG AM WP NE ET MP PE */
#define CR0_TS 8UL
#define CR4_TSD (1UL << 2)
#define CR4_VIEW ((1UL << 5) | (1UL << 9) | (1UL << 10))        /* PAE OSFXSR OSXMMEXCPT: ours, shown */
#define CR4_OSXSAVE (1UL << 18)

#define XCR0_X87 (1UL << 0)
#define XCR0_SSE (1UL << 1)
#define XCR0_AVX (1UL << 2)
#define XCR0_BND (3UL << 3)
#define XCR0_AVX512 (7UL << 5)

void emul_retire(struct vcpu *v, struct cpu_user_regs *regs, unsigned length)
{
    regs->rip += length;
    regs->rflags &= ~X86_EFLAGS_RF;
    if (unlikely(regs->rflags & X86_EFLAGS_TF)) {
        v->cpu.debugreg[6] |= DR6_BS;
        guest_inject_trap(v, VECTOR_DB, 0);
    }
}

bool emul_long_mode(struct vcpu *v, const struct cpu_user_regs *regs)
{
    uint64_t desc;

    if (v->cpu.kernel_mode || regs->cs == FLAT_USER_CS64)
        return true;
    if ((regs->cs | 3) == FLAT_USER_CS32)
        return false;
    return vcpu_read_descriptor(v, regs->cs, &desc) && (desc & DESC_L);
}

/* ---- INT n ---- */

/*
 * The hypervisor's gates are closed to ring 3, so INT n arrives as #GP. Recognised by its bytes: the error code is
 * not reliable everywhere (QEMU reports it wrongly for some vectors). ABI: from the kernel DPL 1 suffices, from user
 * mode 3; INT 80h is delivered whatever its DPL, as Xen's own gate does.
 */
static bool software_interrupt(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i)
{
    const uint8_t vector = (uint8_t)i->imm;
    const struct guest_trap *t = &v->cpu.traps[vector];
    const unsigned needed = v->cpu.kernel_mode ? 1 : 3;

    if (t->address == 0 || (t->dpl < needed && vector != VECTOR_SYSCALL32)) {
        guest_inject_trap(v, VECTOR_GP, (uint32_t)vector << 3 | 2);
        return true;
    }
    regs->rip += i->length;
    regs->rflags &= ~X86_EFLAGS_RF;
    guest_inject_software_interrupt(v, vector);
    return true;
}

/* ---- control registers ---- */

static uint64_t cr4_view(const struct vcpu *v)
{
    return CR4_VIEW | v->cpu.cr4;
}

static bool read_cr(struct vcpu *v, unsigned nr, uint64_t *out)
{
    switch (nr) {
    case 0: *out = CR0_GUEST_VIEW | v->cpu.cr0_ts; return true;
    case 2: *out = READ_ONCE(v->info->arch.cr2); return true;
    case 3: *out = mfn_to_maddr(v->cpu.kernel_root).n; return true;
    case 4: *out = cr4_view(v); return true;
    default: return false;
    }
}

static enum emul_result write_cr(struct vcpu *v, unsigned nr, uint64_t value)
{
    switch (nr) {
    case 0:
        if ((value ^ CR0_GUEST_VIEW) & ~CR0_TS)
            return EMUL_REFUSED;
        v->cpu.cr0_ts = value & CR0_TS;
        guest_hw_reload(v);
        return EMUL_DONE;
    case 2:
        WRITE_ONCE(v->info->arch.cr2, value);
        return EMUL_DONE;
    case 3: {
        const int rc = pt_set_kernel_root(v, mfn(value >> PAGE_SHIFT));
        return rc == 0 ? EMUL_DONE : rc == -ERESTART ? EMUL_AGAIN : EMUL_REFUSED;
    }
    case 4:                                                                     /* I2 */
        v->cpu.cr4 = value & guest_cr4_allowed(v);
        guest_hw_reload(v);
        return EMUL_DONE;
    default:
        return EMUL_REFUSED;
    }
}

/* SDM 1 13.3: x87 always; AVX needs SSE; the MPX pair together; AVX-512 all three and AVX. */
static bool xcr0_valid(uint64_t x, uint64_t allowed)
{
    if (!(x & XCR0_X87) || (x & ~allowed))
        return false;
    if ((x & XCR0_AVX) && !(x & XCR0_SSE))
        return false;
    if ((x & XCR0_BND) && (x & XCR0_BND) != XCR0_BND)
        return false;
    return !(x & XCR0_AVX512) || ((x & XCR0_AVX512) == XCR0_AVX512 && (x & XCR0_AVX));
}

static enum emul_result xsetbv(struct vcpu *v, const struct cpu_user_regs *regs)
{
    const uint64_t value = (uint64_t)regs->edx << 32 | regs->eax;

    if (!(v->cpu.cr4 & CR4_OSXSAVE) || regs->ecx != 0 || !xcr0_valid(value, guest_xcr0_allowed(v)))
        return EMUL_REFUSED;
    v->cpu.xcr0 = value;
    guest_hw_reload(v);
    return EMUL_DONE;
}

/* ---- the rest ---- */

static enum emul_result rdtsc(struct vcpu *v, struct cpu_user_regs *regs, bool with_aux)
{
    if ((v->cpu.cr4 & CR4_TSD) && !v->cpu.kernel_mode)
        return EMUL_REFUSED;
    const uint64_t t = guest_rdtsc(v);
    regs->rax = (uint32_t)t;
    regs->rdx = t >> 32;
    if (with_aux)
        regs->rcx = (uint32_t)v->cpu.tsc_aux;
    return EMUL_DONE;
}

static void cpuid(struct vcpu *v, struct cpu_user_regs *regs, bool forced)
{
    struct cpuid_regs out;

    guest_cpuid(v, regs->eax, regs->ecx, forced, &out);
    regs->rax = out.a;
    regs->rbx = out.b;
    regs->rcx = out.c;
    regs->rdx = out.d;
}

static enum emul_result mov_cr_dr(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i)
{
    uint64_t *r = insn_reg(regs, i->rm), value;

    switch (i->opcode) {
    case 0x20:
        if (!read_cr(v, i->reg, &value))
            return EMUL_REFUSED;
        *r = value;
        return EMUL_DONE;
    case 0x21:
        if (guest_get_debugreg(v, i->reg, &value))
            return EMUL_REFUSED;
        *r = value;
        return EMUL_DONE;
    case 0x22:
        return write_cr(v, i->reg, *r);
    default:
        return guest_set_debugreg(v, i->reg, *r) ? EMUL_REFUSED : EMUL_DONE;
    }
}

static enum emul_result msr_access(struct vcpu *v, struct cpu_user_regs *regs, bool write)
{
    uint64_t value = (uint64_t)regs->edx << 32 | regs->eax;

    if (write)
        return guest_wrmsr(v, regs->ecx, value) ? EMUL_DONE : EMUL_REFUSED;
    if (!guest_rdmsr(v, regs->ecx, &value))
        return EMUL_REFUSED;
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
    return EMUL_DONE;
}

/* Only from guest kernel mode. */
static enum emul_result kernel_only(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i)
{
    switch (i->opcode) {
    case 0x01:
        return (uint8_t)i->imm == 0xd1 ? xsetbv(v, regs) : EMUL_REFUSED;
    case 0x06:
        v->cpu.cr0_ts = 0;
        guest_hw_reload(v);
        return EMUL_DONE;
    case 0x08:
    case 0x09:
        if (io_caps_any(v->domain))
            machine_flush_cache(machine_online_cpus());
        return EMUL_DONE;
    case 0x20: case 0x21: case 0x22: case 0x23:
        return mov_cr_dr(v, regs, i);
    case 0x30:
    case 0x32:
        return msr_access(v, regs, i->opcode == 0x30);
    default:
        return EMUL_REFUSED;
    }
}

enum emul_result emul_privileged(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *i)
{
    if (!i->two_byte) {
        /* ABI: CLI and STI have no effect, and never touch the event mask; a guest without IOPL gets #GP. */
        const bool cli_sti = i->opcode == 0xfa || i->opcode == 0xfb;
        return cli_sti && v->cpu.iopl >= (v->cpu.kernel_mode ? 1 : 3) ? EMUL_DONE : EMUL_REFUSED;
    }
    switch (i->opcode) {                                                        /* I1 */
    case 0x01:
        if ((uint8_t)i->imm == 0xf9)
            return rdtsc(v, regs, true);
        break;
    case 0x31:
        return rdtsc(v, regs, false);
    case 0xa2:
        cpuid(v, regs, false);
        return EMUL_DONE;
    }
    return v->cpu.kernel_mode ? kernel_only(v, regs, i) : EMUL_REFUSED;
}

static bool is_port_io(const struct insn *i)
{
    return !i->two_byte && ((i->opcode >= 0x6c && i->opcode <= 0x6f) || (i->opcode >= 0xe4 && i->opcode <= 0xef));
}

bool emul_general_protection(struct vcpu *v, struct cpu_user_regs *regs, uint32_t error)
{
    const struct insn *i;
    unsigned n;

    switch (emul_decode(v, regs, emul_long_mode(v, regs), &i, &n)) {
    case DECODE_SHORT:
        /* The rest was readable a moment ago, if it can be at all: let the CPU fetch it again and fault properly. */
        return n != 0 && guest_range_ok(gva(regs->rip + n), 1);
    case DECODE_UNKNOWN:
        return false;
    case DECODE_OK:
        break;
    }
    if (!i->two_byte && i->opcode == 0xcd)
        return software_interrupt(v, regs, i);
    if (error != 0 || i->lock)
        return false;

    switch (is_port_io(i) ? emul_port_io(v, regs, i) : emul_privileged(v, regs, i)) {
    case EMUL_DONE:
        emul_retire(v, regs, i->length);
        return true;
    case EMUL_AGAIN:
        return true;
    case EMUL_REFUSED:
        break;
    }
    return false;
}

/* ABI: xen.h XEN_EMULATE_PREFIX: ud2; "xen"; then CPUID. From user mode too. */
bool emul_invalid_opcode(struct vcpu *v, struct cpu_user_regs *regs)
{
    static const uint8_t forced_cpuid[7] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
    uint8_t bytes[INSN_MAX];

    if (emul_fetch(v, regs, bytes) < sizeof(forced_cpuid))
        return false;
    for (unsigned k = 0; k < sizeof(forced_cpuid); k++)
        if (bytes[k] != forced_cpuid[k])
            return false;
    if (!v->cpu.kernel_mode && (v->cpu.misc_features & 1)) {
        guest_inject_trap(v, VECTOR_GP, 0);
        return true;
    }
    cpuid(v, regs, true);
    emul_retire(v, regs, sizeof(forced_cpuid));
    return true;
}
