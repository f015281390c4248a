/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl_cpuid.c - CPU policies of the machine, as libxc compares and copies them
 *
 * A policy travels as arrays of leaves and of MSRs; the two MSRs of the ABI's list exist on no machine that we offer to
 * guests (no CPUID faulting, no ARCH_CAPABILITIES), so that list is empty.
 *
 * ABI: sysctl.h cpu_policy, cpu_featureset; lib/x86 serialised forms; abi-map 2.16 (82, 83), 2.17 (26, 29).
 */

#include "cpu/cpuid_policy.h"
#include "heap.h"
#include "hypercall/toolstack.h"

#define MAX_LEAVES 256u
#define MAX_MSRS 2u             /* ABI: MSR_MAX_SERIALISED_ENTRIES */
#define FEATURE_WORDS 32u

int toolstack_policy_out(struct policy_out *p, struct domain *d, unsigned system_index)
{
    xen_cpuid_leaf_t *leaves = heap_alloc_array(MAX_LEAVES, sizeof(*leaves));
    if (!leaves)
        return -ENOMEM;

    int n = d ? cpuid_policy_export(d, leaves, MAX_LEAVES) : cpuid_policy_export_system(system_index, leaves, MAX_LEAVES);
    if (n >= 0 && p->leaves.p != NULL) {
        if ((uint32_t)n > *p->nr_leaves)
            n = -ENOBUFS;
        else if (guest_copy_out(gva((uint64_t)p->leaves.p), leaves, (size_t)n * sizeof(*leaves)) != 0)
            n = -EFAULT;
    }
    heap_free(leaves);
    if (n < 0)
        return n;
    *p->nr_leaves = p->leaves.p != NULL ? (uint32_t)n : MAX(120u, (uint32_t)n);
    *p->nr_msrs = p->msrs.p != NULL ? 0 : MAX_MSRS;
    return 0;
}

long sysctl_cpu_policy(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_cpu_policy *c = &s->u.cpu_policy;
    struct policy_out out = { .nr_leaves = &c->nr_leaves, .nr_msrs = &c->nr_msrs };

    (void)v;
    if (c->_rsvd != 0)
        return -EINVAL;
    if (c->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -ENOENT;
    out.leaves.p = c->leaves.p;
    out.msrs.p = c->msrs.p;
    const int rc = toolstack_policy_out(&out, NULL, c->index);
    *copy_back = rc == 0;
    return rc;
}

/* The featureset's index has numbers of its own. */
static int policy_of_featureset(uint32_t index)
{
    switch (index) {
    case XEN_SYSCTL_cpu_featureset_raw:
        return XEN_SYSCTL_cpu_policy_raw;
    case XEN_SYSCTL_cpu_featureset_host:
        return XEN_SYSCTL_cpu_policy_host;
    case XEN_SYSCTL_cpu_featureset_pv:
        return XEN_SYSCTL_cpu_policy_pv_default;
    case XEN_SYSCTL_cpu_featureset_pv_max:
        return XEN_SYSCTL_cpu_policy_pv_max;
    case XEN_SYSCTL_cpu_featureset_hvm:
    case XEN_SYSCTL_cpu_featureset_hvm_max:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

long sysctl_cpu_featureset(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_cpu_featureset *f = &s->u.cpu_featureset;
    uint32_t words[FEATURE_WORDS] = { 0 };
    const int index = policy_of_featureset(f->index);

    (void)v;
    if (index < 0)
        return index;
    const unsigned n = cpuid_featureset((unsigned)index, words, FEATURE_WORDS);
    const bool query = f->features.p == NULL;
    const unsigned given = query ? n : MIN(n, f->nr_features);
    if (!query && guest_copy_out(gva((uint64_t)f->features.p), words, given * sizeof(words[0])) != 0)
        return -EFAULT;
    const bool too_small = !query && f->nr_features < n;
    f->nr_features = given;
    *copy_back = true;
    return too_small ? -ENOBUFS : 0;
}

/* No levelling by masking MSRs: guests see policy through emulation only. */
long sysctl_levelling_caps(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    (void)v;
    s->u.cpu_levelling_caps.caps = 0;
    *copy_back = true;
    return 0;
}
