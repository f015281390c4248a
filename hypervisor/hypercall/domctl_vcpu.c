/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domctl_vcpu.c - domctl operations on a vCPU: registers, where it runs
 *
 * Whoever reads or writes registers pauses first: the domain's own (set) or the vCPU's (get); never the caller's own
 * domain, which the table in domctl.c sees to.
 *
 * ABI: domctl.h; abi-map 2.16, 3.9.
 */
#include "event/event.h"
#include "heap.h"
#include "hypercall/toolstack.h"
#include "sched/sched.h"
#include "time/time.h"

long domctl_setvcpucontext(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const gva_t src = gva((uint64_t)c->u.vcpucontext.ctxt.p);
    struct vcpu *v = domain_vcpu(d, c->u.vcpucontext.vcpu);
    struct vcpu_guest_context *ctx = NULL;
    int rc = 0;

    (void)caller, (void)copy_back;
    /* Under the DOMCTL lock, as is destroydomain: tables taken now would be missed by it (XSA-410). */
    if (!v || domain_is_dying(d))
        return -EINVAL;
    if (src.n != 0) {
        ctx = heap_alloc(sizeof(*ctx));         /* 5 KiB: not for our stack */
        if (!ctx)
            return -ENOMEM;
        rc = guest_copy_in(ctx, src, sizeof(*ctx));
    }
    if (rc == 0) {
        domain_pause(d);
        rc = ctx ? vcpu_set_context(v, ctx) : vcpu_reset(v);
        domain_unpause(d);
    }
    if (rc == 0)
        wallclock_publish(d);                   /* the domain builder has just cleared shared_info */
    heap_free(ctx);
    return rc;
}

long domctl_getvcpucontext(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const gva_t dst = gva((uint64_t)c->u.vcpucontext.ctxt.p);
    struct vcpu *v = domain_vcpu(d, c->u.vcpucontext.vcpu);

    (void)caller, (void)copy_back;
    if (!v)
        return -EINVAL;
    if (!READ_ONCE(v->initialised))
        return -ENODATA;
    struct vcpu_guest_context *ctx = heap_alloc(sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    vcpu_pause(v);
    vcpu_get_context(v, ctx);
    vcpu_unpause(v);
    const int rc = guest_copy_out(dst, ctx, sizeof(*ctx));
    heap_free(ctx);
    return rc;
}

long domctl_getvcpuinfo(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_getvcpuinfo *i = &c->u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(d, i->vcpu);

    (void)caller;
    if (!v)
        return -ESRCH;
    const uint32_t pause = atomic_load(&v->pause_flags);
    *i = (struct xen_domctl_getvcpuinfo){ .vcpu = v->id,
                                          .online = !(pause & VPF_DOWN),
                                          .blocked = (pause & VPF_BLOCKED) != 0,
                                          .running = atomic_load(&v->sched.running),
                                          .cpu_time = sched_vcpu_cpu_time(v),
                                          .cpu = READ_ONCE(v->sched.cpu) };
    *copy_back = true;
    return 0;
}

/* Decide both masks, then set them together. ABI: on success the maps show what is in effect. */
long domctl_setvcpuaffinity(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_vcpuaffinity *a = &c->u.vcpuaffinity;
    const uint64_t online = machine_online_cpus().bits;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    int rc = 0;

    (void)caller, (void)copy_back;
    if (!v)
        return -ESRCH;
    if (a->flags == 0 || (a->flags & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE)) != 0)
        return -EINVAL;
    uint64_t hard = v->sched.hard_affinity.bits, soft = v->sched.soft_affinity.bits;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = toolstack_bitmap_in(&a->cpumap_hard, &hard);
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT))
        rc = toolstack_bitmap_in(&a->cpumap_soft, &soft);
    if (rc != 0)
        return rc;
    if ((hard & online) == 0 || ((a->flags & XEN_VCPUAFFINITY_SOFT) && (soft & online) == 0))
        return -EINVAL;
    rc = sched_set_affinity(v, (cpumask_t){ hard }, (cpumask_t){ soft });
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_HARD))
        rc = toolstack_bitmap_out(&a->cpumap_hard, hard & online);
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT))
        rc = toolstack_bitmap_out(&a->cpumap_soft, soft & hard & online);
    return rc;
}

long domctl_getvcpuaffinity(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_vcpuaffinity *a = &c->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    int rc = 0;

    (void)caller, (void)copy_back;
    if (!v)
        return -ESRCH;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = toolstack_bitmap_out(&a->cpumap_hard, v->sched.hard_affinity.bits);
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT))
        rc = toolstack_bitmap_out(&a->cpumap_soft, v->sched.soft_affinity.bits);
    return rc;
}

/* The one trigger a PV guest knows. */
long domctl_sendtrigger(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct vcpu *v = domain_vcpu(d, c->u.sendtrigger.vcpu);

    (void)caller, (void)copy_back;
    if (!v)
        return -ESRCH;
    if (c->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return -ENOSYS;
    WRITE_ONCE(v->cpu.nmi_pending, true);
    vcpu_kick(v);
    return 0;
}
