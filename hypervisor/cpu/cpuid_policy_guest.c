/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid_policy_guest.c - the CPUID instruction as a guest sees it, and what follows from its policy
 *
 * Everything comes from the domain's policy but the hypervisor's own leaves (abi-map 3.10) and two values that
 * follow the vCPU's state: OSXSAVE and the size of its XSAVE area.
 */
#include "cpu/cpuid_policy_priv.h"

#include <xen/arch-x86/cpufeatureset.h>
#include <xen/arch-x86/cpuid.h>

#include "mm/frame.h"
#include "time/time.h"

#define VERSION_4_17 0x00040011u
#define CR4_TSD (1UL << 2)
#define CR4_DE (1UL << 3)
#define CR4_FSGSBASE (1UL << 16)
#define CR4_OSXSAVE (1UL << 18)
#define OSXSAVE (1u << (XEN_X86_FEATURE_OSXSAVE % 32))

static void time_leaf(struct vcpu *v, uint32_t subleaf, struct cpuid_regs *r)
{
    const struct domain *d = v->domain;
    uint64_t elapsed;
    uint32_t mode, khz, incarnation;

    domain_get_tsc_info(v->domain, &mode, &elapsed, &khz, &incarnation);
    switch (subleaf) {
    case 0:
        r->a = (d->time.vtsc ? 1u : 0) | (tsc_clock.stable ? 2u : 0) |
               (cpuid_policy_has(d->policy, XEN_X86_FEATURE_RDTSCP) ? 4u : 0);
        r->b = mode;
        r->c = khz;
        r->d = incarnation;
        break;
    case 1:
        r->a = (uint32_t)d->time.vtsc_offset;
        r->b = (uint32_t)((uint64_t)d->time.vtsc_offset >> 32);
        r->c = d->time.vtsc ? d->time.vtsc_mul : tsc_clock.mul;
        r->d = (uint8_t)(d->time.vtsc ? d->time.vtsc_shift : tsc_clock.shift);
        break;
    case 2:
        r->a = tsc_clock.khz;
        break;
    }
}

static void hypervisor_leaf(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
    const uint32_t limit = v->domain->policy->hv_limit;

    if (limit && leaf > limit)
        return;
    switch (leaf - LEAF_HV) {
    case 0:
        *r = (struct cpuid_regs){ limit ? limit : XEN_CPUID_FIRST_LEAF + 5, XEN_CPUID_SIGNATURE_EBX,
                                  XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX };
        break;
    case 1:
        r->a = VERSION_4_17;
        break;
    case 2:
        *r = (struct cpuid_regs){ 1, 0x40000000, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD, 0 };
        break;
    case 3:
        time_leaf(v, subleaf, r);
        break;
    case 5:
        r->b = max_mfn > 1 ? 64 - (unsigned)__builtin_clzl(max_mfn - 1) + PAGE_SHIFT : PAGE_SHIFT;
        break;
    }
}

static bool has_subleaves(uint32_t leaf)
{
    return leaf == 0x4 || leaf == 0x7 || leaf == 0xb || leaf == 0xd;
}

/* Beyond what the policy says exists: zeroes. */
static bool in_limits(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    if (leaf >= LEAF_EXTD)
        return leaf <= p->extd[0].a;
    return leaf <= p->basic[0].a && (leaf != 7 || subleaf <= p->feat[0].a);
}

void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, bool forced, struct cpuid_regs *out)
{
    struct cpu_policy *p = v->domain->policy;

    *out = (struct cpuid_regs){ 0 };
    if (leaf - LEAF_HV < 0x100) {
        hypervisor_leaf(v, leaf, subleaf, out);
        return;
    }
    if (!in_limits(p, leaf, subleaf))
        return;
    const struct cpuid_regs *slot = cpuid_policy_slot(p, leaf, has_subleaves(leaf) ? subleaf : XEN_CPUID_NO_SUBLEAF);
    if (!slot)
        return;
    *out = *slot;

    if (leaf == 1) {
        /* ABI: PV kernels take a missing OSXSAVE in the forced leaf to mean "no XSAVE at all". */
        const bool on = forced ? cpuid_policy_has(p, XEN_X86_FEATURE_XSAVE) : (v->cpu.cr4 & CR4_OSXSAVE) != 0;
        out->c = (out->c & ~OSXSAVE) | (on ? OSXSAVE : 0);
    }
    if (leaf == 0xd && cpuid_policy_has(p, XEN_X86_FEATURE_XSAVE)) {
        if (subleaf == 0)
            out->b = cpuid_xstate_size(v->cpu.xcr0, false);
        if (subleaf == 1 && cpuid_policy_has(p, XEN_X86_FEATURE_XSAVEC))
            out->b = cpuid_xstate_size(v->cpu.xcr0, true);
    }
}

uint64_t guest_cr4_allowed(struct vcpu *v)
{
    const struct cpu_policy *p = v->domain->policy;
    uint64_t cr4 = CR4_TSD;

    if (cpuid_policy_has(p, XEN_X86_FEATURE_DE))
        cr4 |= CR4_DE;
    if (cpuid_policy_has(p, XEN_X86_FEATURE_FSGSBASE))
        cr4 |= CR4_FSGSBASE;
    if (cpuid_policy_has(p, XEN_X86_FEATURE_XSAVE))
        cr4 |= CR4_OSXSAVE;
    return cr4;
}

uint64_t guest_xcr0_allowed(struct vcpu *v)
{
    return cpuid_policy_xcr0(v->domain->policy);
}
