/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sched_op.c - yield, block, poll, shut down (ABI: sched.h, abi-map 2.10)
 */
#include "event/event.h"
#include "hypercall/hypercall.h"
#include "sched/sched.h"

#include <xen/sched.h>

#define MAX_POLL_PORTS 128

static long op_poll(struct vcpu *v, gva_t arg)
{
    struct sched_poll p;
    uint32_t ports[MAX_POLL_PORTS];
    if (guest_copy_in(&p, arg, sizeof(p)))
        return -EFAULT;
    if (p.nr_ports > MAX_POLL_PORTS)
        return -EINVAL;
    if (guest_copy_in(ports, gva((uint64_t)p.ports.p), p.nr_ports * sizeof(ports[0])))
        return -EFAULT;
    return vcpu_poll(v, ports, p.nr_ports, p.timeout);
}

static long op_shutdown(struct vcpu *v, gva_t arg)
{
    struct sched_shutdown s;
    if (guest_copy_in(&s, arg, sizeof(s)))
        return -EFAULT;
    domain_shutdown(v->domain, (uint8_t)s.reason);
    return 0;       /* what the vCPU sees when it is restored elsewhere; a toolstack that resumes it writes 1 */
}

static long op_remote_shutdown(struct vcpu *v, gva_t arg)
{
    struct sched_remote_shutdown s;
    if (!v->domain->privileged)
        return -EPERM;
    if (guest_copy_in(&s, arg, sizeof(s)))
        return -EFAULT;
    struct domain *d = domain_lookup(s.domain_id);
    if (!d)
        return -ESRCH;
    domain_shutdown(d, (uint8_t)s.reason);
    domain_put(d);
    return 0;
}

static long op_shutdown_code(struct vcpu *v, gva_t arg)
{
    struct sched_shutdown s;
    if (guest_copy_in(&s, arg, sizeof(s)))
        return -EFAULT;
    spin_lock(&v->domain->lock);
    v->domain->shutdown_code = (uint8_t)s.reason;
    spin_unlock(&v->domain->lock);
    return 0;
}

long do_sched_op(struct vcpu *v, struct hcall *h)
{
    const gva_t arg = gva(h->arg[1]);
    switch ((uint32_t)h->arg[0]) {
    case SCHEDOP_yield:
        vcpu_yield(v);
        return 0;
    case SCHEDOP_block:
        vcpu_block(v);
        return 0;
    case SCHEDOP_poll:
        return op_poll(v, arg);
    case SCHEDOP_shutdown:
        return op_shutdown(v, arg);
    case SCHEDOP_shutdown_code:
        return op_shutdown_code(v, arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(v, arg);
    case SCHEDOP_watchdog:
        return domain_watchdog_op(v->domain, arg);
    case SCHEDOP_pin_override:
        return v->domain->privileged ? -ENOSYS : -EPERM;
    default:
        return -ENOSYS;
    }
}
