/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event_channel_op.c - hypercall 32: copy in, permission, dispatch to event/
 *
 * A domain acts on its own ports; only the privileged one on others' (alloc_unbound, status, reset). The FIFO ABI is
 * not offered: its operations answer -ENOSYS and the guest stays on two levels.
 *
 * When the answer cannot be copied out the port exists and the caller does not know its number: its own loss, found
 * again through EVTCHNOP_status.
 */
#include "hypercall/hypercall.h"

#include "event/event.h"

/* The domain named in @id with a reference, or NULL and *rc: -ESRCH, or -EPERM for a foreign one. */
static struct domain *target_domain(struct vcpu *v, domid_t id, long *rc)
{
    struct domain *d = domain_lookup_self(v, id);

    *rc = -ESRCH;
    if (d && d != v->domain && !v->domain->privileged) {
        domain_put(d);
        d = NULL;
        *rc = -EPERM;
    }
    return d;
}

static long op_alloc_unbound(struct vcpu *v, gva_t arg)
{
    struct evtchn_alloc_unbound op;
    struct domain *d;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = target_domain(v, op.dom, &rc);
    if (!d)
        return rc;
    rc = evtchn_alloc_unbound(d, op.remote_dom == DOMID_SELF ? v->domain->id : op.remote_dom, &op.port);
    domain_put(d);
    return rc ? rc : guest_copy_out(arg, &op, sizeof(op));
}

static long op_bind_interdomain(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_interdomain op;
    struct domain *rd;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    rd = domain_lookup_self(v, op.remote_dom);
    if (!rd)
        return -ESRCH;
    rc = evtchn_bind_interdomain(v->domain, rd, op.remote_port, &op.local_port);
    domain_put(rd);
    return rc ? rc : guest_copy_out(arg, &op, sizeof(op));
}

static long op_bind_virq(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_virq op;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    rc = evtchn_bind_virq(v->domain, op.virq, op.vcpu, &op.port);
    return rc ? rc : guest_copy_out(arg, &op, sizeof(op));
}

static long op_bind_pirq(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_pirq op;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    rc = evtchn_bind_pirq(v->domain, op.pirq, op.flags, &op.port);
    return rc ? rc : guest_copy_out(arg, &op, sizeof(op));
}

static long op_bind_ipi(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_ipi op;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    rc = evtchn_bind_ipi(v->domain, op.vcpu, &op.port);
    return rc ? rc : guest_copy_out(arg, &op, sizeof(op));
}

static long op_bind_vcpu(struct vcpu *v, gva_t arg)
{
    struct evtchn_bind_vcpu op;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return evtchn_bind_vcpu(v->domain, op.port, op.vcpu);
}

static long op_status(struct vcpu *v, gva_t arg)
{
    struct evtchn_status op;
    struct domain *d;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = target_domain(v, op.dom, &rc);
    if (!d)
        return rc;
    rc = evtchn_status(d, &op);
    domain_put(d);
    return rc ? rc : guest_copy_out(arg, &op, sizeof(op));
}

static long op_reset(struct vcpu *v, gva_t arg)
{
    struct evtchn_reset op;
    struct domain *d;
    long rc;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = target_domain(v, op.dom, &rc);
    if (!d)
        return rc;
    rc = evtchn_reset(d);
    domain_put(d);
    return rc;
}

/* close, send and unmask take a port and nothing else. */
static long op_on_port(struct vcpu *v, gva_t arg, int (*op)(struct domain *d, uint32_t port))
{
    uint32_t port;

    if (guest_copy_in(&port, arg, sizeof(port)))
        return -EFAULT;
    return op(v->domain, port);
}

long do_event_channel_op(struct vcpu *v, struct hcall *h)
{
    const gva_t arg = gva(h->arg[1]);

    switch ((uint32_t)h->arg[0]) {
    case EVTCHNOP_send:
        return op_on_port(v, arg, evtchn_send);
    case EVTCHNOP_unmask:
        return op_on_port(v, arg, evtchn_unmask);
    case EVTCHNOP_close:
        return op_on_port(v, arg, evtchn_close);
    case EVTCHNOP_bind_interdomain:
        return op_bind_interdomain(v, arg);
    case EVTCHNOP_bind_virq:
        return op_bind_virq(v, arg);
    case EVTCHNOP_bind_pirq:
        return op_bind_pirq(v, arg);
    case EVTCHNOP_status:
        return op_status(v, arg);
    case EVTCHNOP_alloc_unbound:
        return op_alloc_unbound(v, arg);
    case EVTCHNOP_bind_ipi:
        return op_bind_ipi(v, arg);
    case EVTCHNOP_bind_vcpu:
        return op_bind_vcpu(v, arg);
    case EVTCHNOP_reset:
        return op_reset(v, arg);
    default:
        return -ENOSYS;                                 /* FIFO among them */
    }
}
