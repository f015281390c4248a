/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_op.c - a guest's virtual CPUs (ABI: vcpu.h, abi-map 2.9)
 */
#include "heap.h"
#include "hypercall/hypercall.h"
#include "sched/sched.h"
#include "time/time.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

static long op_initialise(struct vcpu *target, gva_t arg)
{
    struct vcpu_guest_context *ctx = heap_alloc(sizeof(*ctx));      /* 5 KiB: not for our stack */
    if (!ctx)
        return -ENOMEM;
    long rc = guest_copy_in(ctx, arg, sizeof(*ctx));
    if (!rc)
        rc = vcpu_initialise(target, ctx);
    heap_free(ctx);
    return rc;
}

static long op_up(struct vcpu *target)
{
    spin_lock(&target->domain->lock);
    const bool ready = target->initialised;
    if (ready)
        atomic_fetch_and(&target->pause_flags, ~VPF_DOWN);
    spin_unlock(&target->domain->lock);
    if (!ready)
        return -EINVAL;
    vcpu_wake(target);
    return 0;
}

static long op_down(struct vcpu *target)
{
    struct domain *d = target->domain;
    bool any_up = false;
    spin_lock(&d->lock);
    domain_for_each_vcpu(d, o)
        any_up |= o != target && !(atomic_load(&o->pause_flags) & VPF_DOWN);
    if (any_up)
        atomic_fetch_or(&target->pause_flags, VPF_DOWN);
    spin_unlock(&d->lock);
    if (!any_up)
        domain_shutdown(d, SHUTDOWN_poweroff);
    else
        vcpu_sleep_nosync(target);
    return 0;
}

static long op_get_runstate(struct vcpu *target, gva_t arg)
{
    struct vcpu_runstate_info r = { 0 };
    sched_get_runstate(target, &r);
    return guest_copy_out(arg, &r, sizeof(r));
}

static long op_register_area(struct vcpu *v, struct vcpu *target, gva_t arg, unsigned cmd)
{
    uint64_t area;      /* both structures are one 64-bit handle or address */
    if (guest_copy_in(&area, arg, sizeof(area)))
        return -EFAULT;
    if (cmd == VCPUOP_register_runstate_memory_area)
        return vcpu_register_runstate(target, gva(area));
    (void)v;
    return vcpu_register_time_area(target, gva(area));
}

static long op_register_info(struct vcpu *v, struct vcpu *target, gva_t arg)
{
    struct vcpu_register_vcpu_info r;
    if (guest_copy_in(&r, arg, sizeof(r)))
        return -EFAULT;
    return vcpu_register_info(v, target, gfn(r.mfn), r.offset);
}

static long op_singleshot(struct vcpu *v, struct vcpu *target, gva_t arg)
{
    struct vcpu_set_singleshot_timer t;
    if (v != target)
        return -EINVAL;
    if (guest_copy_in(&t, arg, sizeof(t)))
        return -EFAULT;
    return vcpu_set_singleshot(v, t.timeout_abs_ns, t.flags);
}

static long op_periodic(struct vcpu *target, gva_t arg)
{
    struct vcpu_set_periodic_timer t;
    if (guest_copy_in(&t, arg, sizeof(t)))
        return -EFAULT;
    return vcpu_set_periodic(target, t.period_ns);
}

static long op_send_nmi(struct vcpu *target, gva_t arg)
{
    if (arg.n)
        return -EINVAL;         /* ABI: takes no argument */
    WRITE_ONCE(target->cpu.nmi_pending, true);
    vcpu_kick(target);
    return 0;
}

long do_vcpu_op(struct vcpu *v, struct hcall *h)
{
    const uint32_t cmd = (uint32_t)h->arg[0];
    struct vcpu *target = domain_vcpu(v->domain, (uint32_t)h->arg[1]);
    const gva_t arg = gva(h->arg[2]);

    if (!target)
        return -ENOENT;         /* Linux asks for every id up to NR_CPUS: first and cheap */
    switch (cmd) {
    case VCPUOP_initialise:
        return op_initialise(target, arg);
    case VCPUOP_up:
        return op_up(target);
    case VCPUOP_down:
        return op_down(target);
    case VCPUOP_is_up:
        return !(atomic_load(&target->pause_flags) & VPF_DOWN);
    case VCPUOP_get_runstate_info:
        return op_get_runstate(target, arg);
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area:
        return op_register_area(v, target, arg, cmd);
    case VCPUOP_set_periodic_timer:
        return op_periodic(target, arg);
    case VCPUOP_stop_periodic_timer:
        vcpu_stop_periodic(target);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return op_singleshot(v, target, arg);
    case VCPUOP_stop_singleshot_timer:
        if (v != target)
            return -EINVAL;
        vcpu_stop_singleshot(v);
        return 0;
    case VCPUOP_register_vcpu_info:
        return op_register_info(v, target, arg);
    case VCPUOP_send_nmi:
        return op_send_nmi(target, arg);
    case VCPUOP_get_physid:
        return -EINVAL;
    default:
        return -ENOSYS;
    }
}
