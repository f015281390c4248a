/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid_policy_priv.h - shape of a policy; between the cpuid_policy*.c files */
#ifndef PARAVANE_CPUID_POLICY_PRIV_H
#define PARAVANE_CPUID_POLICY_PRIV_H

#include "cpu/cpuid_policy.h"

/* ABI: the leaves the toolstack's serialised form knows. */
#define NR_BASIC 14u
#define NR_CACHE 6u         /* leaf 4 */
#define NR_FEAT 3u          /* leaf 7 */
#define NR_TOPO 2u          /* leaf 0xb */
#define NR_XSTATE 63u       /* leaf 0xd */
#define NR_EXTD 0x22u       /* 0x80000000.. */
#define NR_WORDS 16u        /* feature words, cpufeatureset.h */

#define LEAF_HV 0x40000000u
#define LEAF_HV2 0x40000100u
#define LEAF_EXTD 0x80000000u

struct cpu_policy {
    struct cpuid_regs basic[NR_BASIC];      /* 4, 7, 0xb, 0xd unused: they have subleaves */
    struct cpuid_regs cache[NR_CACHE], feat[NR_FEAT], topo[NR_TOPO], xstate[NR_XSTATE], extd[NR_EXTD];
    uint32_t hv_limit, hv2_limit;           /* as the toolstack set them; 0: default */
};

/* raw, host, pv_max, pv_default; NULL for what we do not have (HVM). */
const struct cpu_policy *cpuid_policy_system(unsigned index);
/* Where (leaf, subleaf) lives in @p, or NULL: not a leaf we keep. */
struct cpuid_regs *cpuid_policy_slot(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf);
/* Feature word @i of cpufeatureset.h. */
uint32_t *cpuid_policy_word(struct cpu_policy *p, unsigned i);
static inline bool cpuid_policy_has(const struct cpu_policy *p, unsigned feature)
{
    return *cpuid_policy_word((struct cpu_policy *)(uintptr_t)p, feature / 32) >> (feature % 32) & 1;
}
/* Keep of @p only what @max allows, and derive the rest (limits, xstate sizes, dependent features). */
void cpuid_policy_clamp(struct cpu_policy *p, const struct cpu_policy *max);

/* XCR0 bits of a policy's features. */
uint64_t cpuid_policy_xcr0(const struct cpu_policy *p);
/* Bytes of a standard or compacted XSAVE area for @xcr0, by the component table of the machine. */
uint32_t cpuid_xstate_size(uint64_t xcr0, bool compacted);

#endif
