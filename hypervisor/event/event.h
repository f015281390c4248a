/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - event channels, the virtual interrupts of PV guests
 *
 * ABI: event_channel.h, 2-level and FIFO. Ports are allocated in chunks that never move; validity only grows. What is
 * shared with the guest (bitmaps, event words, queues, upcall flags) is read once and believed by nobody: what the guest
 * does to it harms only itself.
 */
#ifndef PARAVANE_EVENT_H
#define PARAVANE_EVENT_H

#include <xen/event_channel.h>

#include "domain/domain.h"

int evtchn_domain_create(struct domain *d, unsigned max_port);
/* Close every port; -ERESTART when preempted. */
int evtchn_domain_relinquish(struct domain *d);
void evtchn_domain_destroy(struct domain *d);

/* Raise VIRQ @virq: on @v (per-vCPU ones), or on whoever bound the global one in @d. Any context. */
void virq_send_vcpu(struct vcpu *v, unsigned virq);
void virq_send_global(struct domain *d, unsigned virq);
/* Raise a pirq's event (irq/, interrupt context). False: not bound. */
bool evtchn_send_pirq(struct domain *d, unsigned port);

/* Is an event deliverable to @v now (pending and not masked)? For block, preemption and the exit path. */
static inline bool vcpu_event_deliverable(const struct vcpu *v)
{
    return __atomic_load_n(&v->info->evtchn_upcall_pending, __ATOMIC_SEQ_CST) &&
           !__atomic_load_n(&v->info->evtchn_upcall_mask, __ATOMIC_SEQ_CST);
}
/* All selector bits and the upcall flag: after the guest moved its vcpu_info (abi-map pitfall 10). */
void evtchn_force_scan(struct vcpu *v);
/* Is @port pending? @port is valid. */
bool evtchn_port_pending(struct domain *d, unsigned port);
bool evtchn_port_valid(struct domain *d, unsigned port);
/* SCHEDOP_poll, for sched/: @v waits for @port, or -1: any event at all. After begin, look at the ports once more. */
void evtchn_poll_begin(struct vcpu *v, int32_t port);
void evtchn_poll_end(struct vcpu *v);

/* Operations, arguments already copied in and looked up. 0 or -errno as abi-map 2.11. */
int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port);
int evtchn_bind_interdomain(struct domain *ld, struct domain *rd, uint32_t rport, uint32_t *lport);
int evtchn_bind_virq(struct domain *d, unsigned virq, unsigned vcpu, uint32_t *port);
int evtchn_bind_ipi(struct domain *d, unsigned vcpu, uint32_t *port);
int evtchn_bind_pirq(struct domain *d, unsigned pirq, uint32_t flags, uint32_t *port);
int evtchn_close(struct domain *d, uint32_t port);
int evtchn_send(struct domain *d, uint32_t port);
int evtchn_status(struct domain *d, struct evtchn_status *st);
int evtchn_bind_vcpu(struct domain *d, uint32_t port, unsigned vcpu);
int evtchn_unmask(struct domain *d, uint32_t port);
/* Close all and go back to two levels. -ERESTART possible; -EAGAIN: a FIFO guest binds ports meanwhile. */
int evtchn_reset(struct domain *d);

/*
 * The FIFO ABI: a control block for @vcpu, the first of which changes the domain over; one more page of the event array; the
 * queue of a port. 0; -ENOENT no such vCPU; -EINVAL; on two levels -ENOSYS (priority) and -EOPNOTSUPP (array), as Xen 4.17;
 * -ENOSPC; -ENOMEM; -ERESTART. Nothing is changed by an error.
 */
int evtchn_init_control(struct domain *d, unsigned vcpu, gfn_t gfn, uint32_t offset);
int evtchn_expand_array(struct domain *d, gfn_t gfn);
int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority);
/* Call @fn for each frame that the domain's events hold a plain and a writable reference on, as often as they do. */
void evtchn_for_each_frame(struct domain *d, void (*fn)(mfn_t m));

void evtchn_dump(struct domain *d);
void evtchn_audit(struct domain *d);

#endif
