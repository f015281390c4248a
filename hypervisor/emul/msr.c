/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msr.c - model-specific registers of a PV guest (abi-map 3.8)
 *
 *   I1  an allow-list: no guest access ever becomes a RDMSR or WRMSR with the guest's number (XSA-333, XSA-253).
 *   I2  bases are canonical before they are stored (XSA-193).
 *
 * Refuses (#GP) everything else; but a guest that has no #GP handler yet reads 0 (ABI: early boot of Linux).
 */
#include "emul/emul.h"

#include "cpu/cpuid_policy.h"
#include "entry/guest_address.h"
#include "machine.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "time/time.h"

#define MSR_TSC 0x10
#define MSR_APIC_BASE 0x1b
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_UCODE_REV 0x8b
#define MSR_PLATFORM_INFO 0xce
#define MSR_MISC_FEATURES 0x140
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_PERF_STATUS 0x198
#define MSR_PERF_CTL 0x199
#define MSR_THERM_STATUS 0x19c
#define MSR_MISC_ENABLE 0x1a0
#define MSR_PAT 0x277
#define MSR_PERF_CAPABILITIES 0x345
#define MSR_MC0_CTL 0x400
#define MC_BANKS 2                      /* ABI: what Xen shows a guest; a bank is CTL, STATUS, ADDR, MISC */
#define MSR_XEN_HYPERCALL_PAGE 0x40000000
#define MSR_EFER 0xc0000080
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define MSR_AMD_SYSCFG 0xc0010010
#define MSR_AMD_HWCR 0xc0010015
#define MSR_AMD_TOP_MEM 0xc001001a
#define MSR_AMD_TOP_MEM2 0xc001001d
#define MSR_AMD_NB_CFG 0xc001001f
#define MSR_AMD_DE_CFG 0xc0011029

#define EFER_GUEST 0xd01UL              /* NX LMA LME SCE */
#define APIC_BASE_GUEST 0xfee00800UL
#define APIC_BASE_BSP 0x100UL
#define PAT_GUEST 0x050100070406UL      /* ABI: the PAT layout PTE cache bits refer to; the real one is the same */
#define DE_CFG_LFENCE (1UL << 1)

#define VECTOR_GP 13

static enum guest_seg_base active_gs(const struct vcpu *v)
{
    return v->cpu.kernel_mode ? SEG_BASE_GS_KERNEL : SEG_BASE_GS_USER;
}

/* The other one: what SWAPGS would bring. */
static enum guest_seg_base shadow_gs(const struct vcpu *v)
{
    return v->cpu.kernel_mode ? SEG_BASE_GS_USER : SEG_BASE_GS_KERNEL;
}

static bool is_amd(struct vcpu *v)
{
    struct cpuid_regs r;
    guest_cpuid(v, 0, 0, false, &r);
    return r.b == 0x68747541 || r.b == 0x6f677948;      /* "Auth", "Hygo" */
}

static bool has_rdtscp(struct vcpu *v)
{
    struct cpuid_regs r;
    guest_cpuid(v, 0x80000001, 0, false, &r);
    if (r.d & (1u << 27))
        return true;
    guest_cpuid(v, 7, 0, false, &r);
    return r.c & (1u << 22);
}

/*
 * Registers that read as 0 and swallow writes. Among them the machine check banks: who boots here is shown none, but a guest that
 * booted on Xen goes on using its two, and Linux panics when one of their registers is refused.
 */
static bool is_inert(struct vcpu *v, uint32_t msr)
{
    if (msr - MSR_MC0_CTL < 4 * MC_BANKS)
        return true;
    switch (msr) {
    case MSR_MISC_ENABLE:
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_UCODE_REV:
        return true;
    case MSR_PERF_STATUS:
    case MSR_PERF_CTL:
    case MSR_THERM_STATUS:
    case MSR_PERF_CAPABILITIES:
        return !is_amd(v);
    case MSR_AMD_SYSCFG:
    case MSR_AMD_HWCR:
    case MSR_AMD_TOP_MEM:
    case MSR_AMD_TOP_MEM2:
    case MSR_AMD_NB_CFG:
        return is_amd(v);
    default:
        return false;
    }
}

bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    switch (msr) {
    case MSR_KERNEL_GS_BASE:            /* once per context switch of Linux: first */
        *value = guest_seg_base_get(v, shadow_gs(v));
        return true;
    case MSR_GS_BASE:
        *value = guest_seg_base_get(v, active_gs(v));
        return true;
    case MSR_FS_BASE:
        *value = guest_seg_base_get(v, SEG_BASE_FS);
        return true;
    case MSR_EFER:
        *value = EFER_GUEST;
        return true;
    case MSR_APIC_BASE:
        *value = APIC_BASE_GUEST | (v->id == 0 ? APIC_BASE_BSP : 0);
        return true;
    case MSR_PAT:
        *value = PAT_GUEST;
        return true;
    case MSR_TSC:
        *value = guest_rdtsc(v);
        return true;
    case MSR_TSC_AUX:
        *value = v->cpu.tsc_aux;
        return has_rdtscp(v);
    case MSR_FEATURE_CONTROL:
        *value = 1;                     /* locked, nothing enabled */
        return !is_amd(v);
    case MSR_PLATFORM_INFO:             /* no CPUID faulting offered */
    case MSR_MISC_FEATURES:
        return !is_amd(v);
    case MSR_AMD_DE_CFG:
        *value = DE_CFG_LFENCE;
        return is_amd(v);
    default:
        return is_inert(v, msr) || v->cpu.traps[VECTOR_GP].address == 0;
    }
}

/* ABI: guest frame number with 0 (the only page) in the low bits. */
static bool install_hypercall_page(struct vcpu *v, uint64_t value)
{
    const mfn_t m = mfn(value >> PAGE_SHIFT);

    if (value & ~PAGE_MASK || page_get_and_type(m, v->domain, PGT_WRITABLE))
        return false;
    hypercall_page_fill(frame_ptr(m));
    /* A writable reference has no children: dropping it cannot be preempted. */
    page_type_put_leaf(m, v->domain);
    page_ref_put(m);
    return true;
}

static bool write_base(struct vcpu *v, enum guest_seg_base which, uint64_t value)
{
    if (!guest_canonical(value))
        return false;                                                           /* I2 */
    guest_seg_base_set(v, which, value);
    return true;
}

bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_KERNEL_GS_BASE:
        return write_base(v, shadow_gs(v), value);
    case MSR_GS_BASE:
        return write_base(v, active_gs(v), value);
    case MSR_FS_BASE:
        return write_base(v, SEG_BASE_FS, value);
    case MSR_EFER:
        return ((value ^ EFER_GUEST) & ~(1UL << 10)) == 0;      /* LMA is read-only, its value ignored */
    case MSR_PAT:
        return value == PAT_GUEST;
    case MSR_TSC:
    case MSR_APIC_BASE:
        return true;
    case MSR_TSC_AUX:
        if (value >> 32 || !has_rdtscp(v))
            return false;
        v->cpu.tsc_aux = value;
        guest_hw_reload(v);
        return true;
    case MSR_MISC_FEATURES:
        return value == 0 && !is_amd(v);
    case MSR_AMD_DE_CFG:
        return is_amd(v);
    case MSR_XEN_HYPERCALL_PAGE:
        return install_hypercall_page(v, value);
    default:
        return is_inert(v, msr);
    }
}
