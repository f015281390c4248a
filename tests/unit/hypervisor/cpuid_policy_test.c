/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid_policy_test.c - what PV guests see of a made-up machine, and what a toolstack can and cannot change */
#include <string.h>

#include "../unit.h"
#include "cpu/cpuid_policy_priv.h"
#include "hv_errno.h"
#include "machine_fake.h"

#include <xen/arch-x86/cpufeatureset.h>
#include <xen/sysctl.h>

#define NOSUB XEN_CPUID_NO_SUBLEAF
#define F(name) XEN_X86_FEATURE_##name

static struct domain d;
static struct vcpu v;

/* A machine with everything set that has a bit: only the policy decides. */
static const struct cpuid_leaf_entry machine[] = {
    { 0, NOSUB, { 0x20, 0x756e6547, 0x6c65746e, 0x49656e69 } },
    { 1, NOSUB, { 0x000506e3, 0x07100800, ~0u, ~0u } },
    { 4, 0, { 0xfc004121, 0x01c0003f, 0x3f, 0 } },
    { 5, NOSUB, { 1, 2, 3, 4 } },
    { 6, NOSUB, { 1, 2, 3, 4 } },
    { 7, 0, { 2, ~0u, ~0u, ~0u } }, { 7, 1, { ~0u, ~0u, ~0u, ~0u } },
    { 0xa, NOSUB, { 1, 2, 3, 4 } },
    { 0xb, 0, { 1, 2, 0x100, 3 } },
    { 0xd, 0, { 0x2ff, 1000, 2696, 0 } }, { 0xd, 1, { 0xf, 0, 0, 0 } },
    { 0xd, 2, { 256, 576, 0, 0 } }, { 0xd, 3, { 64, 960, 0, 0 } }, { 0xd, 4, { 64, 1024, 0, 0 } },
    { 0xd, 5, { 64, 1088, 2, 0 } }, { 0xd, 6, { 512, 1152, 0, 0 } }, { 0xd, 7, { 1024, 1664, 0, 0 } },
    { 0xd, 9, { 8, 2688, 0, 0 } },
    { 0x80000000, NOSUB, { 0x80000040, 0, 0, 0 } },
    { 0x80000001, NOSUB, { 0, 0, ~0u, ~0u } },
    { 0x80000007, NOSUB, { 0, 0, 0, ~0u } },
    { 0x80000008, NOSUB, { 0x3027, ~0u, 7, 8 } },
    { 0x8000000a, NOSUB, { 1, 2, 3, 4 } },
};

static void setup(void)
{
    fake_machine_init(64);
    cpuid_policy_init(machine, ARRAY_SIZE(machine));
    fake_domain_init(&d, 1);
    fake_vcpu_init(&v, &d, 0);
    v.cpu.xcr0 = 1;
    CU_ASSERT_EQUAL_FATAL(cpuid_policy_create(&d), 0);
}

static bool shown(unsigned feature) { return cpuid_policy_has(d.policy, feature); }

static void fast_strings_are_a_choice(void)
{
    static const uint16_t promises[] = { F(ERMS), F(FSRM), F(FZRM), F(FSRS), F(FSRCS) };

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(promises); i++)
        CU_ASSERT_TRUE(shown(promises[i]));
    cpuid_policy_destroy(&d);
    cpuid_policy_hide_fast_strings();
    CU_ASSERT_EQUAL_FATAL(cpuid_policy_create(&d), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(promises); i++) {
        CU_ASSERT_FALSE(shown(promises[i]));
        /* A toolstack may still give it: a guest that moved here from a faster machine keeps what it has. */
        CU_ASSERT_TRUE(cpuid_policy_has(cpuid_policy_system(XEN_SYSCTL_cpu_policy_pv_max), promises[i]));
    }
    CU_ASSERT_TRUE(shown(F(FSGSBASE)));
    cpuid_policy_destroy(&d);
}

static void hidden_and_shown(void)
{
    static const uint16_t hidden[] = {
        F(VME), F(PSE), F(MTRR), F(PGE), F(PSE36), F(DS), F(TM1), F(PBE), F(DTES64), F(MONITOR), F(VMX), F(SMX), F(EIST),
        F(PDCM), F(PCID), F(X2APIC), F(TSC_DEADLINE), F(TSC_ADJUST), F(SGX), F(SMEP), F(SMAP), F(INVPCID), F(PQM), F(MPX),
        F(PROC_TRACE), F(UMIP), F(PKU), F(OSPKE), F(CET_SS), F(CET_IBT), F(ENQCMD), F(ARCH_CAPS), F(CORE_CAPS), F(HLE), F(RTM),
        F(L1D_FLUSH), F(SRBDS_CTRL), F(AVX512_FP16), F(PAGE1GB), F(SVM), F(EXTAPIC), F(OSVW), F(IBS), F(SKINIT), F(WDT),
        F(LWP), F(NODEID_MSR), F(TOPOEXT), F(MONITORX), F(XSAVES), F(ITSC), F(WBNOINVD), F(IBRS), F(AMD_STIBP), F(IBRSB),
        F(SSBD), F(HTT), F(MOVDIRI),
    };
    static const uint16_t visible[] = {
        F(FPU), F(APIC), F(SEP), F(FXSR), F(SSE2), F(CX16), F(XSAVE), F(AVX), F(HYPERVISOR), F(NX), F(SYSCALL), F(LM),
        F(RDTSCP), F(LAHF_LM), F(FSGSBASE), F(XSAVEOPT), F(XSAVEC), F(XGETBV1), F(AVX2), F(AVX512F), F(ERMS),
    };

    setup();
    for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++) {
        if (shown(hidden[i]))
            printf("shown: %u*32+%u\n", hidden[i] / 32, hidden[i] % 32);
        CU_ASSERT(!shown(hidden[i]));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(visible); i++)
        CU_ASSERT(shown(visible[i]));
    cpuid_policy_destroy(&d);
}

static struct cpuid_regs ask(uint32_t leaf, uint32_t subleaf, bool forced)
{
    struct cpuid_regs r;
    guest_cpuid(&v, leaf, subleaf, forced, &r);
    return r;
}

static bool is_zero(struct cpuid_regs r) { return !(r.a | r.b | r.c | r.d); }

static void leaves(void)
{
    setup();
    CU_ASSERT_EQUAL(ask(0, 0, true).a, 0xd);
    CU_ASSERT_EQUAL(ask(0x80000000, 0, true).a, 0x80000021);
    CU_ASSERT(is_zero(ask(5, 0, true)) && is_zero(ask(6, 0, true)) && is_zero(ask(0xa, 0, true)));
    CU_ASSERT(is_zero(ask(0xb, 0, true)) && is_zero(ask(0x8000000a, 0, true)));
    CU_ASSERT(is_zero(ask(0xe, 0, true)) && is_zero(ask(0x80000022, 0, true)) && is_zero(ask(0x7fffffff, 0, true)));
    CU_ASSERT(is_zero(ask(7, 3, true)) && is_zero(ask(0xd, 63, true)) && is_zero(ask(4, 77, true)));
    CU_ASSERT_EQUAL(ask(4, 0, true).a, 0x121);
    CU_ASSERT_EQUAL(ask(1, 0, true).b >> 24, 0);
    /* OSXSAVE: forced shows XSAVE, native the guest's CR4 */
    CU_ASSERT(ask(1, 0, true).c >> 27 & 1);
    CU_ASSERT(!(ask(1, 0, false).c >> 27 & 1));
    v.cpu.cr4 |= 1UL << 18;
    CU_ASSERT(ask(1, 0, false).c >> 27 & 1);
    /* hypervisor leaves */
    const struct cpuid_regs h = ask(0x40000000, 0, true);
    CU_ASSERT(h.a == 0x40000005 && h.b == 0x566e6558 && h.c == 0x65584d4d && h.d == 0x4d4d566e);
    CU_ASSERT_EQUAL(ask(0x40000001, 0, true).a, 0x00040011);
    const struct cpuid_regs p = ask(0x40000002, 0, true);
    CU_ASSERT(p.a == 1 && p.b == 0x40000000 && p.c == 1);
    CU_ASSERT_EQUAL(ask(0x40000005, 0, true).b, 18);            /* 64 frames */
    CU_ASSERT(is_zero(ask(0x40000006, 0, true)) && is_zero(ask(0x40000100, 0, true)));
    cpuid_policy_destroy(&d);
}

static void xsave(void)
{
    setup();
    CU_ASSERT_EQUAL(guest_xcr0_allowed(&v), 0xe7);              /* not MPX (bits 3, 4), not PKRU */
    struct cpuid_regs r = ask(0xd, 0, true);
    CU_ASSERT(r.a == 0xe7 && r.b == 576 && r.c == 2688 && r.d == 0);
    v.cpu.xcr0 = 7;
    CU_ASSERT_EQUAL(ask(0xd, 0, true).b, 832);
    CU_ASSERT_EQUAL(ask(0xd, 1, true).b, 832);
    v.cpu.xcr0 = 0xe7;
    CU_ASSERT_EQUAL(ask(0xd, 1, true).b, 832 + 64 + 512 + 1024);       /* compacted, component 5 aligned */
    CU_ASSERT_EQUAL(ask(0xd, 1, true).a, 7);                    /* no XSAVES */
    CU_ASSERT(is_zero(ask(0xd, 3, true)) && is_zero(ask(0xd, 9, true)) && ask(0xd, 2, true).a == 256);
    CU_ASSERT_EQUAL(guest_cr4_allowed(&v), 1UL << 2 | 1UL << 3 | 1UL << 16 | 1UL << 18);
    cpuid_policy_destroy(&d);
}

static int import1(uint32_t leaf, uint32_t sub, uint32_t a, uint32_t b, uint32_t c, uint32_t dx)
{
    const xen_cpuid_leaf_t in = { leaf, sub, a, b, c, dx };
    uint32_t el = 0, es = 0;
    const int rc = cpuid_policy_import(&d, &in, 1, &el, &es);

    if (rc == -ERANGE)
        CU_ASSERT(el == leaf && es == sub);
    return rc;
}

static void toolstack_changes(void)
{
    static xen_cpuid_leaf_t out[256], again[256];

    setup();
    /* round trip: what was exported imports unchanged */
    const int n = cpuid_policy_export(&d, out, ARRAY_SIZE(out));
    uint32_t el, es;
    CU_ASSERT_FATAL(n > 20 && n < (int)ARRAY_SIZE(out));
    CU_ASSERT_EQUAL(cpuid_policy_export(&d, out, (unsigned)n - 1), -ENOBUFS);
    CU_ASSERT_EQUAL(cpuid_policy_import(&d, out, (unsigned)n, &el, &es), 0);
    CU_ASSERT_EQUAL(cpuid_policy_export(&d, again, ARRAY_SIZE(again)), n);
    CU_ASSERT_EQUAL(memcmp(out, again, (size_t)n * sizeof(*out)), 0);
    /* asking for everything gives pv_max and no more */
    CU_ASSERT_EQUAL(import1(1, NOSUB, 0x506e3, 0, ~0u, ~0u), 0);
    CU_ASSERT(!shown(F(VMX)) && !shown(F(PSE)) && !shown(F(X2APIC)) && shown(F(HTT)));
    CU_ASSERT_EQUAL(import1(7, 0, ~0u, ~0u, ~0u, ~0u), 0);
    CU_ASSERT(shown(F(RTM)) && !shown(F(SMEP)) && !shown(F(PKU)));
    CU_ASSERT_EQUAL(d.policy->feat[0].a, 2);
    /* without AVX nothing that needs it, and no state for it */
    CU_ASSERT_EQUAL(import1(1, NOSUB, 0x506e3, 0, ~(1u << 28), ~0u), 0);
    CU_ASSERT(!shown(F(AVX)) && !shown(F(AVX2)) && !shown(F(AVX512F)) && !shown(F(FMA)));
    CU_ASSERT_EQUAL(guest_xcr0_allowed(&v), 3);
    /* leaves nobody has */
    CU_ASSERT_EQUAL(import1(0xe, NOSUB, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(0x12, 0, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(1, 0, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(7, NOSUB, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(0xd, 63, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(0x40000001, NOSUB, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(0x80000022, NOSUB, 0, 0, 0, 0), -ERANGE);
    CU_ASSERT_EQUAL(import1(0x40000000, NOSUB, 0x50000000, 0, 0, 0), -ERANGE);
    /* a failing list changes nothing */
    const xen_cpuid_leaf_t bad[2] = { { 1, NOSUB, 0, 0, 0, 0 }, { 99, NOSUB, 0, 0, 0, 0 } };
    const struct cpu_policy before = *d.policy;
    CU_ASSERT_EQUAL(cpuid_policy_import(&d, bad, 2, &el, &es), -ERANGE);
    CU_ASSERT(el == 99 && memcmp(&before, d.policy, sizeof(before)) == 0);
    cpuid_policy_destroy(&d);
}

static void system_policies(void)
{
    uint32_t words[20] = { 0 };
    static xen_cpuid_leaf_t out[256];

    setup();
    CU_ASSERT(cpuid_policy_export_system(XEN_SYSCTL_cpu_policy_raw, out, 256) > 0);
    CU_ASSERT_EQUAL(cpuid_policy_export_system(XEN_SYSCTL_cpu_policy_hvm_max, out, 256), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(cpuid_policy_export_system(6, out, 256), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(cpuid_featureset(XEN_SYSCTL_cpu_featureset_pv, words, 20), 16);
    CU_ASSERT_EQUAL(words[0], d.policy->basic[1].d);
    CU_ASSERT_EQUAL(words[5], d.policy->feat[0].b);
    words[3] = 0x1234;
    CU_ASSERT_EQUAL(cpuid_featureset(XEN_SYSCTL_cpu_featureset_host, words, 3), 3);
    CU_ASSERT_EQUAL(words[3], 0x1234);
    CU_ASSERT_EQUAL(cpuid_featureset(XEN_SYSCTL_cpu_featureset_hvm, words, 20), 0);
    cpuid_policy_destroy(&d);
}

static const struct unit_case cases[] = {
    UNIT(hidden_and_shown), UNIT(fast_strings_are_a_choice), UNIT(leaves), UNIT(xsave), UNIT(toolstack_changes),
    UNIT(system_policies), { 0 }
};
int main(void) { return unit_main("cpuid_policy", cases); }
