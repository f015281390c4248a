/* SPDX-License-Identifier: MIT */
/*
 * Event channels, 2-level ABI. Owns the handler table.
 *
 * The upcall flag is cleared before the selector is taken and the selector before the pending words are
 * read, so an event that arrives meanwhile raises the flag again and is seen by the next round.
 */
#include "suspend.h"

#define PORTS 4096

static struct {
    evtchn_handler_t fn;
    void *arg;
} handlers[PORTS];

static struct vcpu_info *my_info(void)
{
    return &shared_info->vcpu_info[this_cpu()->id];
}

void event_dispatch(void)
{
    struct vcpu_info *vi = my_info();

    vi->evtchn_upcall_pending = 0;
    uint64_t words = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    while (words != 0) {
        unsigned w = (unsigned)__builtin_ctzl(words);

        words &= words - 1;
        uint64_t bits = READ_ONCE(shared_info->evtchn_pending[w]) & ~READ_ONCE(shared_info->evtchn_mask[w]);
        while (bits != 0) {
            evtchn_port_t port = w * 64 + (unsigned)__builtin_ctzl(bits);

            bits &= bits - 1;
            evtchn_clear(port);
            if (handlers[port].fn != NULL)
                handlers[port].fn(port, handlers[port].arg);
        }
    }
}

void event_restore(bool masked)
{
    struct vcpu_info *vi = my_info();

    asm volatile("" ::: "memory");
    vi->evtchn_upcall_mask = masked;
    /* Something may have come in between: any hypercall delivers it. */
    if (!masked && READ_ONCE(vi->evtchn_upcall_pending))
        hc_xen_version(XENVER_version, NULL);
}

void event_enable(void)
{
    event_restore(false);
}

void event_init(void)
{
    for (unsigned i = 0; i < 64; i++)
        shared_info->evtchn_mask[i] = ~0UL;
}

void evtchn_mask(evtchn_port_t port)
{
    __atomic_fetch_or(&shared_info->evtchn_mask[port / 64], 1UL << (port % 64), __ATOMIC_SEQ_CST);
}

void evtchn_unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = { .port = port };

    hc_event_channel_op(EVTCHNOP_unmask, &op);
}

bool evtchn_is_pending(evtchn_port_t port)
{
    return (READ_ONCE(shared_info->evtchn_pending[port / 64]) >> (port % 64)) & 1;
}

void evtchn_clear(evtchn_port_t port)
{
    __atomic_fetch_and(&shared_info->evtchn_pending[port / 64], ~(1UL << (port % 64)), __ATOMIC_SEQ_CST);
}

void evtchn_set_handler(evtchn_port_t port, evtchn_handler_t fn, void *arg)
{
    handlers[port].fn = fn;
    handlers[port].arg = arg;
    if (fn != NULL)
        evtchn_unmask(port);
    else
        evtchn_mask(port);
}

/* There is no call for it: offer a port to ourselves and ask for whom it is. */
static domid_t known = DOMID_SELF;

/* Elsewhere we have another number, and no port is what it was. */
void event_resume(void)
{
    known = DOMID_SELF;
    memset(handlers, 0, sizeof(handlers));
}

domid_t own_domid(void)
{
    struct evtchn_status op = { .dom = DOMID_SELF };

    if (known != DOMID_SELF)
        return known;
    int port = evtchn_alloc_unbound(DOMID_SELF);
    op.port = (evtchn_port_t)port;
    if (port > 0 && hc_event_channel_op(EVTCHNOP_status, &op) == 0)
        known = op.u.unbound.dom;
    if (port > 0)
        evtchn_close((evtchn_port_t)port);
    return known;
}

int evtchn_alloc_unbound(domid_t remote)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };
    long rc = hc_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    return rc < 0 ? (int)rc : (int)op.port;
}

int evtchn_bind_interdomain(domid_t remote, evtchn_port_t remote_port)
{
    struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
    long rc = hc_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    return rc < 0 ? (int)rc : (int)op.local_port;
}

int evtchn_bind_virq(unsigned virq, unsigned vcpu)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
    long rc = hc_event_channel_op(EVTCHNOP_bind_virq, &op);

    return rc < 0 ? (int)rc : (int)op.port;
}

int evtchn_bind_ipi(unsigned vcpu)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    long rc = hc_event_channel_op(EVTCHNOP_bind_ipi, &op);

    return rc < 0 ? (int)rc : (int)op.port;
}

int evtchn_close(evtchn_port_t port)
{
    struct evtchn_close op = { .port = port };

    return (int)hc_event_channel_op(EVTCHNOP_close, &op);
}

int evtchn_send(evtchn_port_t port)
{
    struct evtchn_send op = { .port = port };

    return (int)hc_event_channel_op(EVTCHNOP_send, &op);
}
