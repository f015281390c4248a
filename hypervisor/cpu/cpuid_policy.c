/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid_policy.c - which features a PV guest is shown (abi-map 3.11)
 *
 *   raw         what the instruction said on this machine
 *   host        the same, within the leaves we keep
 *   pv_max      host features that PV guests can use; a toolstack may give any subset
 *   pv_default  what a guest gets unless the toolstack says otherwise
 *
 *   I1  a domain's policy is always a subset of pv_max, with dependent features removed and derived leaves
 *       (limits, XSAVE sizes) computed, never taken from the toolstack.
 *   I2  a policy does not change once its domain has run (the caller of import checks).
 *
 * Hidden from PV for good: what needs CR4 bits or ring 0 that the guest does not have (PSE PGE SMEP SMAP PCID UMIP
 * PKU VME), hardware virtualisation, the local APIC's extensions, MTRR, performance monitoring, XSAVES.
 */
#include <string.h>

#include "cpu/cpuid_policy_priv.h"

#include <xen/arch-x86/cpufeatureset.h>
#include <xen/sysctl.h>

#include "heap.h"
#include "hv_errno.h"

#define F(name) XEN_X86_FEATURE_##name
#define AMD_COMMON_1D 0x0183f3ffu       /* bits of 1.edx that AMD repeats in 0x80000001.edx */

static struct cpu_policy raw_policy, host_policy, pv_max_policy, pv_default_policy;

/* Instructions and facts that work in ring 3 without our help, or that we emulate. */
static const uint16_t pv_features[] = {
    F(FPU), F(DE), F(TSC), F(MSR), F(PAE), F(MCE), F(CX8), F(APIC), F(SEP), F(MCA), F(CMOV), F(PAT), F(CLFLUSH), F(ACPI),
    F(MMX), F(FXSR), F(SSE), F(SSE2), F(SS),
    F(SSE3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16), F(SSE4_1), F(SSE4_2), F(MOVBE), F(POPCNT), F(AESNI), F(XSAVE),
    F(AVX), F(F16C), F(RDRAND),
    F(SYSCALL), F(NX), F(MMXEXT), F(FFXSR), F(RDTSCP), F(LM), F(3DNOWEXT), F(3DNOW),
    F(LAHF_LM), F(ABM), F(SSE4A), F(MISALIGNSSE), F(3DNOWPREFETCH), F(XOP), F(FMA4), F(TBM), F(DBEXT),
    F(XSAVEOPT), F(XSAVEC), F(XGETBV1),
    F(FSGSBASE), F(BMI1), F(AVX2), F(FDP_EXCP_ONLY), F(BMI2), F(ERMS), F(NO_FPU_SEL), F(RDSEED), F(ADX), F(CLFLUSHOPT),
    F(CLWB), F(SHA), F(AVX512F), F(AVX512DQ), F(AVX512_IFMA), F(AVX512CD), F(AVX512BW), F(AVX512VL),
    F(PREFETCHWT1), F(AVX512_VBMI), F(AVX512_VBMI2), F(GFNI), F(VAES), F(VPCLMULQDQ), F(AVX512_VNNI), F(AVX512_BITALG),
    F(AVX512_VPOPCNTDQ), F(RDPID), F(CLDEMOTE),
    F(CLZERO), F(RSTR_FP_ERR_PTRS), F(SSB_NO), F(BTC_NO), F(FSRM), F(MD_CLEAR), F(SERIALIZE),
    F(AVX_VNNI), F(AVX512_BF16), F(FZRM), F(FSRS), F(FSRCS), F(LFENCE_DISPATCH), F(NSCB), F(SRSO_NO), F(MCDT_NO),
};

/* Allowed, but only when the toolstack asks. */
static const uint16_t pv_optional[] = {
    F(HTT), F(CMP_LEGACY), F(ITSC), F(HLE), F(RTM), F(MOVDIRI), F(MOVDIR64B), F(TSXLDTRK), F(AVX512_VP2INTERSECT),
};

/* Promises of speed, not of function: cpuid_host.c looks whether this machine keeps them. */
static const uint16_t fast_strings[] = { F(ERMS), F(FSRM), F(FZRM), F(FSRS), F(FSRCS) };

/* A feature goes when what it stands on goes. In order: a chain needs one pass. */
static const struct { uint16_t feature, needs; } dependencies[] = {
    { F(FXSR), F(FPU) }, { F(MMX), F(FPU) }, { F(SSE), F(FXSR) }, { F(SSE2), F(SSE) }, { F(SSE3), F(SSE2) },
    { F(PCLMULQDQ), F(SSE2) }, { F(AESNI), F(SSE2) }, { F(SHA), F(SSE2) }, { F(GFNI), F(SSE2) }, { F(LM), F(PAE) },
    { F(SSSE3), F(SSE3) }, { F(SSE4A), F(SSE3) }, { F(SSE4_1), F(SSSE3) }, { F(SSE4_2), F(SSE4_1) },
    { F(MISALIGNSSE), F(SSE) }, { F(MMXEXT), F(MMX) }, { F(3DNOW), F(MMX) }, { F(3DNOWEXT), F(3DNOW) },
    { F(XSAVEOPT), F(XSAVE) }, { F(XSAVEC), F(XSAVE) }, { F(XGETBV1), F(XSAVE) }, { F(AVX), F(XSAVE) },
    { F(AVX), F(SSE2) }, { F(FMA), F(AVX) }, { F(FMA4), F(AVX) }, { F(F16C), F(AVX) }, { F(XOP), F(AVX) },
    { F(AVX2), F(AVX) }, { F(VAES), F(AVX) }, { F(VPCLMULQDQ), F(AVX) }, { F(AVX_VNNI), F(AVX2) },
    { F(AVX512F), F(AVX2) }, { F(AVX512DQ), F(AVX512F) }, { F(AVX512_IFMA), F(AVX512F) }, { F(AVX512CD), F(AVX512F) },
    { F(AVX512BW), F(AVX512F) }, { F(AVX512VL), F(AVX512F) }, { F(AVX512_VBMI), F(AVX512BW) },
    { F(AVX512_VBMI2), F(AVX512BW) }, { F(AVX512_VNNI), F(AVX512F) }, { F(AVX512_BITALG), F(AVX512BW) },
    { F(AVX512_VPOPCNTDQ), F(AVX512F) }, { F(AVX512_BF16), F(AVX512BW) }, { F(AVX512_VP2INTERSECT), F(AVX512F) },
    { F(NX), F(PAE) }, { F(HLE), F(RTM) }, { F(TSXLDTRK), F(RTM) },
};

uint32_t *cpuid_policy_word(struct cpu_policy *p, unsigned i)
{
    switch (i) {
    case 0: return &p->basic[1].d;
    case 1: return &p->basic[1].c;
    case 2: return &p->extd[1].d;
    case 3: return &p->extd[1].c;
    case 4: return &p->xstate[1].a;
    case 5: return &p->feat[0].b;
    case 6: return &p->feat[0].c;
    case 7: return &p->extd[7].d;
    case 8: return &p->extd[8].b;
    case 9: return &p->feat[0].d;
    case 10: return &p->feat[1].a;
    case 11: return &p->extd[0x21].a;
    case 12: return &p->feat[1].b;
    case 13: return &p->feat[2].d;
    case 14: return &p->feat[1].c;
    default: return &p->feat[1].d;
    }
}

struct cpuid_regs *cpuid_policy_slot(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0x4: return subleaf < NR_CACHE ? &p->cache[subleaf] : NULL;
    case 0x7: return subleaf < NR_FEAT ? &p->feat[subleaf] : NULL;
    case 0xb: return subleaf < NR_TOPO ? &p->topo[subleaf] : NULL;
    case 0xd: return subleaf < NR_XSTATE ? &p->xstate[subleaf] : NULL;
    }
    if (subleaf != XEN_CPUID_NO_SUBLEAF)
        return NULL;
    if (leaf < NR_BASIC)
        return &p->basic[leaf];
    return leaf - LEAF_EXTD < NR_EXTD ? &p->extd[leaf - LEAF_EXTD] : NULL;
}

static bool is_amd(const struct cpu_policy *p)
{
    return p->basic[0].b == 0x68747541 || p->basic[0].b == 0x6f677948;  /* "Auth", "Hygo" */
}

static void drop_dependent(struct cpu_policy *p)
{
    for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++)
        if (!cpuid_policy_has(p, dependencies[i].needs))
            *cpuid_policy_word(p, dependencies[i].feature / 32) &= ~(1u << (dependencies[i].feature % 32));
}

/* ---- XSAVE ---- */

uint64_t cpuid_policy_xcr0(const struct cpu_policy *p)
{
    const uint64_t machine = (uint64_t)raw_policy.xstate[0].d << 32 | raw_policy.xstate[0].a;
    uint64_t x = 0;

    if (cpuid_policy_has(p, F(XSAVE)))
        x |= 3;
    if (cpuid_policy_has(p, F(AVX)))
        x |= 1UL << 2;
    if (cpuid_policy_has(p, F(AVX512F)))
        x |= 7UL << 5;
    return x & machine;
}

uint32_t cpuid_xstate_size(uint64_t xcr0, bool compacted)
{
    uint32_t size = 512 + 64;           /* SDM 1 13.4: legacy region and header */

    for (unsigned i = 2; i < NR_XSTATE; i++) {
        const struct cpuid_regs *c = &raw_policy.xstate[i];
        if (!(xcr0 >> i & 1))
            continue;
        if (!compacted)
            size = MAX(size, c->a + c->b);
        else
            size = (c->c & 2 ? ROUND_UP(size, 64u) : size) + c->a;
    }
    return size;
}

static void derive_xstate(struct cpu_policy *p)
{
    const uint64_t x = cpuid_policy_xcr0(p);
    const uint32_t features = p->xstate[1].a;

    memset(p->xstate, 0, sizeof(p->xstate));
    if (!x)
        return;
    p->xstate[0] = (struct cpuid_regs){ (uint32_t)x, cpuid_xstate_size(x, false), cpuid_xstate_size(x, false),
                                        (uint32_t)(x >> 32) };
    p->xstate[1].a = features;
    p->xstate[1].b = features & 2 ? cpuid_xstate_size(x, true) : 0;
    for (unsigned i = 2; i < NR_XSTATE; i++)
        if (x >> i & 1)
            p->xstate[i] = (struct cpuid_regs){ raw_policy.xstate[i].a, raw_policy.xstate[i].b, raw_policy.xstate[i].c & 2, 0 };
}

/* ---- clamping ---- */

/* Leaves that tell of the machine's topology, power and monitoring: not the guest's. */
static void clear_private(struct cpu_policy *p)
{
    static const uint8_t basic[] = { 0x3, 0x5, 0x6, 0x8, 0x9, 0xa, 0xc };
    static const uint8_t extd[] = { 0x9, 0xa, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20 };

    for (unsigned i = 0; i < sizeof(basic); i++)
        memset(&p->basic[basic[i]], 0, sizeof(p->basic[0]));
    for (unsigned i = 0; i < sizeof(extd); i++)
        memset(&p->extd[extd[i]], 0, sizeof(p->extd[0]));
    for (unsigned i = 0xb; i < 0x19; i++)
        memset(&p->extd[i], 0, sizeof(p->extd[0]));
    memset(p->topo, 0, sizeof(p->topo));
    for (unsigned i = 0; i < NR_CACHE; i++)
        p->cache[i].a &= 0x3fff;                        /* no core or thread counts */
    p->basic[1].b = (p->basic[1].b & 0xffff) | 1u << 16;        /* one logical CPU, APIC id 0 */
    p->extd[7] = (struct cpuid_regs){ .d = p->extd[7].d };
    p->extd[8].c = p->extd[8].d = 0;
    p->extd[0x21] = (struct cpuid_regs){ .a = p->extd[0x21].a };
}

void cpuid_policy_clamp(struct cpu_policy *p, const struct cpu_policy *max)
{
    p->basic[0].a = MIN(p->basic[0].a, max->basic[0].a);
    p->extd[0].a = MIN(p->extd[0].a, max->extd[0].a);
    p->feat[0].a = MIN(p->feat[0].a, max->feat[0].a);
    for (unsigned i = 0; i < NR_WORDS; i++)
        *cpuid_policy_word(p, i) &= *cpuid_policy_word((struct cpu_policy *)(uintptr_t)max, i);
    drop_dependent(p);
    derive_xstate(p);
    clear_private(p);
    p->basic[1].c |= 1u << (F(HYPERVISOR) % 32);
    if (is_amd(p))
        p->extd[1].d = (p->extd[1].d & ~AMD_COMMON_1D) | (p->basic[1].d & AMD_COMMON_1D);
}

static void keep_features(struct cpu_policy *p, const uint32_t keep[NR_WORDS])
{
    for (unsigned i = 0; i < NR_WORDS; i++)
        *cpuid_policy_word(p, i) &= keep[i];
}

static void add_bits(uint32_t keep[NR_WORDS], const uint16_t *features, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        keep[features[i] / 32] |= 1u << (features[i] % 32);
}

void cpuid_policy_init(const struct cpuid_leaf_entry *raw, unsigned count)
{
    uint32_t keep[NR_WORDS] = { 0 };

    for (unsigned i = 0; i < count; i++) {
        struct cpuid_regs *slot = cpuid_policy_slot(&raw_policy, raw[i].leaf, raw[i].subleaf);
        if (slot)
            *slot = raw[i].r;
    }
    host_policy = raw_policy;
    host_policy.basic[0].a = MIN(host_policy.basic[0].a, NR_BASIC - 1);
    host_policy.extd[0].a = MIN(host_policy.extd[0].a, LEAF_EXTD + NR_EXTD - 1);
    host_policy.feat[0].a = MIN(host_policy.feat[0].a, NR_FEAT - 1);
    if (is_amd(&host_policy))           /* the repeated bits belong to word 0 */
        host_policy.extd[1].d &= ~AMD_COMMON_1D;

    add_bits(keep, pv_features, ARRAY_SIZE(pv_features));
    pv_default_policy = host_policy;
    keep_features(&pv_default_policy, keep);
    add_bits(keep, pv_optional, ARRAY_SIZE(pv_optional));
    pv_max_policy = host_policy;
    keep_features(&pv_max_policy, keep);
    /* Topology flags describe the guest, not the machine: a toolstack may always give them. */
    pv_max_policy.basic[1].d |= 1u << (F(HTT) % 32);
    pv_max_policy.extd[1].c |= 1u << (F(CMP_LEGACY) % 32);
    cpuid_policy_clamp(&pv_max_policy, &pv_max_policy);
    cpuid_policy_clamp(&pv_default_policy, &pv_max_policy);
}

void cpuid_policy_hide_fast_strings(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fast_strings); i++)
        *cpuid_policy_word(&pv_default_policy, fast_strings[i] / 32) &= ~(1u << (fast_strings[i] % 32));
}

const struct cpu_policy *cpuid_policy_system(unsigned index)
{
    switch (index) {
    case XEN_SYSCTL_cpu_policy_raw: return &raw_policy;
    case XEN_SYSCTL_cpu_policy_host: return &host_policy;
    case XEN_SYSCTL_cpu_policy_pv_max: return &pv_max_policy;
    case XEN_SYSCTL_cpu_policy_pv_default: return &pv_default_policy;
    default: return NULL;
    }
}

int cpuid_policy_create(struct domain *d)
{
    d->policy = heap_alloc(sizeof(*d->policy));
    if (!d->policy)
        return -ENOMEM;
    *d->policy = pv_default_policy;
    return 0;
}

void cpuid_policy_destroy(struct domain *d)
{
    heap_free(d->policy);
    d->policy = NULL;
}
