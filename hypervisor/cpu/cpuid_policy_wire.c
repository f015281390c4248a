/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid_policy_wire.c - policies as the toolstack reads and writes them
 *
 * ABI: xen_cpuid_leaf_t lists of domctl get/set_cpu_policy and sysctl get_cpu_policy; feature words of
 * get_cpu_featureset. Empty leaves between the limits are written too: the reader starts from zeroes.
 *
 *   I1  import decides on a copy; the domain's policy changes only when every leaf was understood.
 */
#include <string.h>

#include "cpu/cpuid_policy_priv.h"

#include <xen/sysctl.h>

#include "heap.h"
#include "hv_errno.h"

struct writer {
    xen_cpuid_leaf_t *out;
    unsigned n, max;
};

/* Counts on when full: the caller learns how much room is needed. */
static void put(struct writer *w, uint32_t leaf, uint32_t subleaf, const struct cpuid_regs *r)
{
    if (w->n < w->max)
        w->out[w->n] = (xen_cpuid_leaf_t){ leaf, subleaf, r->a, r->b, r->c, r->d };
    w->n++;
}

static void put_array(struct writer *w, uint32_t leaf, const struct cpuid_regs *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put(w, leaf, i, &r[i]);
}

static unsigned xstate_count(const struct cpu_policy *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < NR_XSTATE; i++)
        if (p->xstate[i].a | p->xstate[i].b)
            n = i + 1;
    return n;
}

static int export(const struct cpu_policy *p, xen_cpuid_leaf_t *out, unsigned max)
{
    struct writer w = { out, 0, max };

    for (uint32_t leaf = 0; leaf <= p->basic[0].a && leaf < NR_BASIC; leaf++) {
        switch (leaf) {
        case 0x4: put_array(&w, leaf, p->cache, NR_CACHE); break;
        case 0x7: put_array(&w, leaf, p->feat, MIN(p->feat[0].a + 1, NR_FEAT)); break;
        case 0xb: put_array(&w, leaf, p->topo, NR_TOPO); break;
        case 0xd: put_array(&w, leaf, p->xstate, xstate_count(p)); break;
        default: put(&w, leaf, XEN_CPUID_NO_SUBLEAF, &p->basic[leaf]); break;
        }
    }
    put(&w, LEAF_HV, XEN_CPUID_NO_SUBLEAF, &(struct cpuid_regs){ .a = p->hv_limit });
    put(&w, LEAF_HV2, XEN_CPUID_NO_SUBLEAF, &(struct cpuid_regs){ .a = p->hv2_limit });
    for (uint32_t i = 0; i < NR_EXTD && LEAF_EXTD + i <= p->extd[0].a; i++)
        put(&w, LEAF_EXTD + i, XEN_CPUID_NO_SUBLEAF, &p->extd[i]);
    return w.n <= max ? (int)w.n : -ENOBUFS;
}

int cpuid_policy_export_system(unsigned index, xen_cpuid_leaf_t *out, unsigned max)
{
    const struct cpu_policy *p = cpuid_policy_system(index);
    return p ? export(p, out, max) : -EOPNOTSUPP;
}

int cpuid_policy_export(struct domain *d, xen_cpuid_leaf_t *out, unsigned max)
{
    return export(d->policy, out, max);
}

static bool take_leaf(struct cpu_policy *p, const xen_cpuid_leaf_t *in)
{
    if (in->leaf == LEAF_HV || in->leaf == LEAF_HV2) {
        if (in->subleaf != XEN_CPUID_NO_SUBLEAF || (in->a && in->a - in->leaf > 0xff))
            return false;
        *(in->leaf == LEAF_HV ? &p->hv_limit : &p->hv2_limit) = in->a;
        return true;
    }
    struct cpuid_regs *slot = cpuid_policy_slot(p, in->leaf, in->subleaf);
    if (!slot)
        return false;
    *slot = (struct cpuid_regs){ in->a, in->b, in->c, in->d };
    return true;
}

int cpuid_policy_import(struct domain *d, const xen_cpuid_leaf_t *in, unsigned n, uint32_t *err_leaf, uint32_t *err_subleaf)
{
    struct cpu_policy *p = heap_alloc(sizeof(*p));

    if (!p)
        return -ENOMEM;
    *p = *d->policy;
    for (unsigned i = 0; i < n; i++) {
        if (take_leaf(p, &in[i]))
            continue;
        *err_leaf = in[i].leaf;
        *err_subleaf = in[i].subleaf;
        heap_free(p);
        return -ERANGE;
    }
    cpuid_policy_clamp(p, cpuid_policy_system(XEN_SYSCTL_cpu_policy_pv_max));
    *d->policy = *p;                                                            /* I1 */
    heap_free(p);
    return 0;
}

unsigned cpuid_featureset(unsigned index, uint32_t *words, unsigned max)
{
    static const uint8_t policy_of[] = {
        [XEN_SYSCTL_cpu_featureset_raw] = XEN_SYSCTL_cpu_policy_raw,
        [XEN_SYSCTL_cpu_featureset_host] = XEN_SYSCTL_cpu_policy_host,
        [XEN_SYSCTL_cpu_featureset_pv] = XEN_SYSCTL_cpu_policy_pv_default,
        [XEN_SYSCTL_cpu_featureset_hvm] = XEN_SYSCTL_cpu_policy_hvm_default,
        [XEN_SYSCTL_cpu_featureset_pv_max] = XEN_SYSCTL_cpu_policy_pv_max,
        [XEN_SYSCTL_cpu_featureset_hvm_max] = XEN_SYSCTL_cpu_policy_hvm_max,
    };
    const struct cpu_policy *p = index < sizeof(policy_of) ? cpuid_policy_system(policy_of[index]) : NULL;

    if (!p)
        return 0;
    const unsigned n = MIN(NR_WORDS, max);
    for (unsigned i = 0; i < n; i++)
        words[i] = *cpuid_policy_word((struct cpu_policy *)(uintptr_t)p, i);
    return n;
}
