/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domctl_settings.c - domctl operations that set or show a domain's parameters: scheduling, time, rights, CPUID, frames
 *
 * ABI: domctl.h; abi-map 2.16.
 */
#include "cpu/cpuid_policy.h"
#include "domain/io_caps.h"
#include "heap.h"
#include "hypercall/toolstack.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "sched/sched.h"
#include "time/time.h"

#define MAX_POLICY_LEAVES 256u
#define MAX_POLICY_MSRS 2u
#define MAX_FRAME_INFO 1024u
#define FRAME_BATCH 64u

/* ---- scheduling ---- */

long domctl_scheduler_op(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_scheduler_op *o = &c->u.scheduler_op;
    struct xen_domctl_sched_credit2 *p = &o->u.credit2;

    (void)v;
    if (o->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (o->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return sched_set_params(d, p->weight != 0 ? p->weight : d->sched.weight, p->cap);
    case XEN_DOMCTL_SCHEDOP_getinfo:
        *p = (struct xen_domctl_sched_credit2){ .weight = d->sched.weight, .cap = d->sched.cap };
        *copy_back = true;
        return 0;
    default:
        return -EINVAL;                         /* credit2 has no parameters a vCPU */
    }
}

/* One node: every set that names it is the same set. */
long domctl_setnodeaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    uint64_t nodes;

    (void)v, (void)d, (void)copy_back;
    const int rc = toolstack_bitmap_in(&c->u.nodeaffinity.nodemap, &nodes);
    if (rc != 0)
        return rc;
    return nodes & 1 ? 0 : -EINVAL;
}

long domctl_getnodeaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)d, (void)copy_back;
    return toolstack_bitmap_out(&c->u.nodeaffinity.nodemap, 1);
}

/* ---- time ---- */

long domctl_settscinfo(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_tsc_info *t = &c->u.tsc_info;

    (void)v, (void)copy_back;
    domain_pause(d);
    const int rc = domain_set_tsc_info(d, t->tsc_mode, t->elapsed_nsec, t->gtsc_khz, t->incarnation);
    domain_unpause(d);
    return rc;
}

long domctl_gettscinfo(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_tsc_info *t = &c->u.tsc_info;
    uint64_t elapsed;

    (void)v;
    domain_pause(d);
    domain_get_tsc_info(d, &t->tsc_mode, &elapsed, &t->gtsc_khz, &t->incarnation);
    domain_unpause(d);
    t->elapsed_nsec = elapsed;
    t->pad = 0;
    *copy_back = true;
    return 0;
}

long domctl_settimeoffset(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)copy_back;
    WRITE_ONCE(d->time.offset_seconds, c->u.settimeoffset.time_offset_seconds);
    wallclock_publish(d);
    return 0;
}

/* ---- rights: Dom0 cannot give what it must not have itself ---- */

long domctl_irq_permission(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_irq_permission *p = &c->u.irq_permission;

    (void)copy_back;
    if (p->pirq >= MAX_PIRQS)
        return -EINVAL;
    if (p->allow_access && !io_caps_irq_ok(v->domain, p->pirq))
        return -EPERM;
    return io_caps_irq_set(d, p->pirq, p->allow_access);
}

long domctl_iomem_permission(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_iomem_permission *p = &c->u.iomem_permission;
    const uint64_t first = p->first_mfn, last = first + p->nr_mfns - 1;

    (void)copy_back;
    if (p->nr_mfns == 0 || last < first)
        return -EINVAL;
    if (p->allow_access && !io_caps_mem_ok(v->domain, first, last))
        return -EPERM;
    return io_caps_mem_set(d, first, last, p->allow_access);
}

long domctl_ioport_permission(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_ioport_permission *p = &c->u.ioport_permission;
    const unsigned first = p->first_port, last = first + p->nr_ports - 1;

    (void)copy_back;
    if (p->nr_ports == 0 || first > 0xffff || p->nr_ports > 0x10000 || last > 0xffff)
        return -EINVAL;
    if (p->allow_access && !io_caps_port_ok(v->domain, first, last))
        return -EPERM;
    return io_caps_port_set(d, first, last, p->allow_access);
}

/* ---- CPUID policy ---- */

long domctl_get_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_cpu_policy *p = &c->u.cpu_policy;
    struct policy_out out = { .nr_leaves = &p->nr_leaves, .nr_msrs = &p->nr_msrs };

    (void)v;
    out.leaves.p = p->leaves.p;
    out.msrs.p = p->msrs.p;
    const int rc = toolstack_policy_out(&out, d, 0);
    *copy_back = rc == 0;
    return rc;
}

/* Both MSRs of the ABI's list describe features we do not offer: they may be sent, but only as zero. */
static int check_policy_msrs(struct xen_domctl_cpu_policy *p)
{
    for (uint32_t i = 0; i < p->nr_msrs; i++) {
        xen_msr_entry_t m;
        if (guest_copy_in(&m, gva((uint64_t)p->msrs.p + i * sizeof(m)), sizeof(m)) != 0)
            return -EFAULT;
        if (m.flags != 0)
            return -EINVAL;
        if (m.val != 0) {
            p->err_msr = m.idx;
            return -ERANGE;
        }
    }
    return 0;
}

long domctl_set_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_cpu_policy *p = &c->u.cpu_policy;

    (void)v;
    if (READ_ONCE(d->creation_finished))
        return -EEXIST;
    if (p->nr_leaves > MAX_POLICY_LEAVES || p->nr_msrs > MAX_POLICY_MSRS)
        return -E2BIG;
    p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
    *copy_back = true;
    int rc = check_policy_msrs(p);
    if (rc != 0)
        return rc;
    xen_cpuid_leaf_t *leaves = heap_alloc_array(MAX_POLICY_LEAVES, sizeof(*leaves));
    if (!leaves)
        return -ENOMEM;
    rc = guest_copy_in(leaves, gva((uint64_t)p->leaves.p), p->nr_leaves * sizeof(*leaves));
    if (rc == 0) {
        uint32_t leaf = ~0u, subleaf = ~0u;
        domain_pause(d);
        rc = cpuid_policy_import(d, leaves, p->nr_leaves, &leaf, &subleaf);
        domain_unpause(d);
        p->err_leaf = leaf;
        p->err_subleaf = subleaf;
    }
    heap_free(leaves);
    return rc;
}

/* ---- what each frame is, for a saved image ---- */

/* ABI: pitfall 49: only validated tables are tables; what is not plainly the domain's own memory is XTAB. */
static uint64_t frame_info(struct domain *d, uint64_t number)
{
    static const uint32_t table[] = { [PGT_L1] = XEN_DOMCTL_PFINFO_L1TAB,
                                      [PGT_L2] = XEN_DOMCTL_PFINFO_L2TAB,
                                      [PGT_L3] = XEN_DOMCTL_PFINFO_L3TAB,
                                      [PGT_L4] = XEN_DOMCTL_PFINFO_L4TAB };
    const mfn_t m = mfn(number);
    uint64_t info = XEN_DOMCTL_PFINFO_NOTAB;
    bool pinned = false;

    if (!page_ref_get(m, d))
        return XEN_DOMCTL_PFINFO_XTAB;
    if (atomic_load_explicit(&frame_of(m)->ref, memory_order_relaxed) & FRAME_F_SHARED) {
        info = XEN_DOMCTL_PFINFO_XTAB;
    } else {
        const enum page_type t = page_type_now(m, &pinned);
        if (t >= PGT_L1 && t <= PGT_L4)
            info = table[t] | (pinned ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
    }
    page_ref_put(m);
    return info;
}

long domctl_getpageframeinfo3(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const uint64_t n = c->u.getpageframeinfo3.num;
    const gva_t array = gva((uint64_t)c->u.getpageframeinfo3.array.p);
    uint64_t batch[FRAME_BATCH];

    (void)v, (void)copy_back;
    if (n > MAX_FRAME_INFO)
        return -E2BIG;
    if (!guest_range_ok(array, n * sizeof(batch[0])))
        return -EFAULT;
    for (uint64_t done = 0; done < n;) {
        const uint64_t now = MIN(n - done, (uint64_t)FRAME_BATCH);
        const gva_t at = gva(array.n + done * sizeof(batch[0]));
        if (guest_copy_in(batch, at, now * sizeof(batch[0])) != 0)
            return -EFAULT;
        for (uint64_t i = 0; i < now; i++)
            batch[i] = frame_info(d, batch[i]);
        if (guest_copy_out(at, batch, now * sizeof(batch[0])) != 0)
            return -EFAULT;
        done += now;
    }
    return 0;
}
