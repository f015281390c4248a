/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event_channel_op.c - hypercall 32: copy in, permission, dispatch to event/
 *
 * A domain acts on its own ports; only the privileged one on others' (alloc_unbound, status, reset).
 *
 * When the answer cannot be copied out the port exists and the caller does not know its number: its own loss, found
 * again through EVTCHNOP_status.
 */
#include "hypercall/hypercall.h"

#include "event/event.h"

union op_arg {
    uint32_t port;                      /* close, send, unmask */
    domid_t dom;                        /* first field of what acts on a domain */
    struct evtchn_alloc_unbound alloc;
    struct evtchn_bind_interdomain interdomain;
    struct evtchn_bind_virq virq;
    struct evtchn_bind_pirq pirq;
    struct evtchn_bind_ipi ipi;
    struct evtchn_bind_vcpu vcpu;
    struct evtchn_status status;
    struct evtchn_reset reset;
    struct evtchn_init_control init;
    struct evtchn_expand_array expand;
    struct evtchn_set_priority priority;
};
_Static_assert(offsetof(struct evtchn_alloc_unbound, dom) == 0 && offsetof(struct evtchn_status, dom) == 0 &&
               offsetof(struct evtchn_reset, dom) == 0, "ABI");

/* @d: the caller's own domain, or the one the operation names. @a: our copy. */
typedef long op_fn(struct vcpu *v, struct domain *d, union op_arg *a);

static long op_send(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_send(d, a->port);
}

static long op_unmask(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_unmask(d, a->port);
}

static long op_close(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_close(d, a->port);
}

static long op_alloc_unbound(struct vcpu *v, struct domain *d, union op_arg *a)
{
    const domid_t remote = a->alloc.remote_dom;

    return evtchn_alloc_unbound(d, remote == DOMID_SELF ? v->domain->id : remote, &a->alloc.port);
}

static long op_bind_interdomain(struct vcpu *v, struct domain *d, union op_arg *a)
{
    struct domain *rd = domain_lookup_self(v, a->interdomain.remote_dom);

    if (!rd)
        return -ESRCH;
    const long rc = evtchn_bind_interdomain(d, rd, a->interdomain.remote_port, &a->interdomain.local_port);
    domain_put(rd);
    return rc;
}

static long op_bind_virq(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_bind_virq(d, a->virq.virq, a->virq.vcpu, &a->virq.port);
}

static long op_bind_pirq(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_bind_pirq(d, a->pirq.pirq, a->pirq.flags, &a->pirq.port);
}

static long op_bind_ipi(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_bind_ipi(d, a->ipi.vcpu, &a->ipi.port);
}

static long op_bind_vcpu(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_bind_vcpu(d, a->vcpu.port, a->vcpu.vcpu);
}

static long op_status(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_status(d, &a->status);
}

static long op_reset(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v, (void)a;
    return evtchn_reset(d);
}

static long op_init_control(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    a->init.link_bits = EVTCHN_FIFO_LINK_BITS;
    return evtchn_init_control(d, a->init.vcpu, gfn(a->init.control_gfn), a->init.offset);
}

static long op_expand_array(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_expand_array(d, gfn(a->expand.array_gfn));
}

static long op_set_priority(struct vcpu *v, struct domain *d, union op_arg *a)
{
    (void)v;
    return evtchn_set_priority(d, a->priority.port, a->priority.priority);
}

enum { ANSWERS = 1, NAMES_DOMAIN = 2 };

#define PORT sizeof(uint32_t)
static const struct {
    op_fn *fn;
    uint8_t size, flags;
} ops[] = {
    [EVTCHNOP_send] = { op_send, PORT, 0 },
    [EVTCHNOP_unmask] = { op_unmask, PORT, 0 },
    [EVTCHNOP_close] = { op_close, PORT, 0 },
    [EVTCHNOP_alloc_unbound] = { op_alloc_unbound, sizeof(struct evtchn_alloc_unbound), ANSWERS | NAMES_DOMAIN },
    [EVTCHNOP_bind_interdomain] = { op_bind_interdomain, sizeof(struct evtchn_bind_interdomain), ANSWERS },
    [EVTCHNOP_bind_virq] = { op_bind_virq, sizeof(struct evtchn_bind_virq), ANSWERS },
    [EVTCHNOP_bind_pirq] = { op_bind_pirq, sizeof(struct evtchn_bind_pirq), ANSWERS },
    [EVTCHNOP_bind_ipi] = { op_bind_ipi, sizeof(struct evtchn_bind_ipi), ANSWERS },
    [EVTCHNOP_bind_vcpu] = { op_bind_vcpu, sizeof(struct evtchn_bind_vcpu), 0 },
    [EVTCHNOP_status] = { op_status, sizeof(struct evtchn_status), ANSWERS | NAMES_DOMAIN },
    [EVTCHNOP_reset] = { op_reset, sizeof(struct evtchn_reset), NAMES_DOMAIN },
    [EVTCHNOP_init_control] = { op_init_control, sizeof(struct evtchn_init_control), ANSWERS },
    [EVTCHNOP_expand_array] = { op_expand_array, sizeof(struct evtchn_expand_array), 0 },
    [EVTCHNOP_set_priority] = { op_set_priority, sizeof(struct evtchn_set_priority), 0 },
};

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

long do_event_channel_op(struct vcpu *v, struct hcall *h)
{
    const uint32_t cmd = (uint32_t)h->arg[0];
    const gva_t arg = gva(h->arg[1]);
    union op_arg a;
    long rc;

    if (cmd >= ARRAY_SIZE(ops) || !ops[cmd].fn)
        return -ENOSYS;
    if (guest_copy_in(&a, arg, ops[cmd].size))
        return -EFAULT;
    if (ops[cmd].flags & NAMES_DOMAIN) {
        struct domain *d = target_domain(v, a.dom, &rc);
        if (!d)
            return rc;
        rc = ops[cmd].fn(v, d, &a);
        domain_put(d);
    } else {
        rc = ops[cmd].fn(v, v->domain, &a);
    }
    return rc == 0 && (ops[cmd].flags & ANSWERS) ? guest_copy_out(arg, &a, ops[cmd].size) : rc;
}
