/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid_policy.h - what CPUID says to a PV guest (abi-map 3.10, 3.11)
 *
 * Host values are read once at boot (cpu/cpuid_host.c, metal). From them: pv_max, pv_default, and a policy per domain
 * that the toolstack may narrow before the first unpause.
 */
#ifndef PARAVANE_CPUID_POLICY_H
#define PARAVANE_CPUID_POLICY_H

#include <xen/arch-x86/xen.h>

#include "domain/domain.h"

struct cpuid_regs { uint32_t a, b, c, d; };
struct cpuid_leaf_entry { uint32_t leaf, subleaf; struct cpuid_regs r; };

/* Boot: raw leaves of this machine (host order, ascending). The array stays. */
void cpuid_policy_init(const struct cpuid_leaf_entry *raw, unsigned count);
/* After it: ERMS and its kin are shown only when the toolstack asks for them. */
void cpuid_policy_hide_fast_strings(void);
/* Metal: read this CPU's leaves and do the above. After CR4.OSXSAVE is as it will stay; before the first domain. */
void cpuid_host_init(void);
int cpuid_policy_create(struct domain *d);
void cpuid_policy_destroy(struct domain *d);
/* CPUID as @v sees it. @forced: by the emulation prefix (OSXSAVE quirk). */
void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, bool forced, struct cpuid_regs *out);
/* CR4 bits the guest may set, XCR0 bits it may set. */
uint64_t guest_cr4_allowed(struct vcpu *v);
uint64_t guest_xcr0_allowed(struct vcpu *v);

/* Serialised forms for domctl/sysctl. index: XEN_SYSCTL_cpu_policy_*. Return the number of leaves, or -errno. */
int cpuid_policy_export_system(unsigned index, xen_cpuid_leaf_t *out, unsigned max);
int cpuid_policy_export(struct domain *d, xen_cpuid_leaf_t *out, unsigned max);
/* Decide all, then replace. -ERANGE with *err_* filled for a leaf we do not know or may not grant. */
int cpuid_policy_import(struct domain *d, const xen_cpuid_leaf_t *in, unsigned n, uint32_t *err_leaf, uint32_t *err_subleaf);
/* Feature words as the ABI's cpufeatureset.h orders them. Returns the number written. */
unsigned cpuid_featureset(unsigned index, uint32_t *words, unsigned max);

#endif
