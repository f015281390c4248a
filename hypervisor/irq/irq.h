/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.h - hardware interrupts: lines, vectors, and their delivery to Dom0 as pirqs
 *
 * A line (irq_desc) is a GSI or an MSI. The portable part routes a line to the domain that bound its pirq and keeps
 * the EOI state; the controllers (IO-APIC, MSI) are behind struct irq_chip.
 */
#ifndef PARAVANE_IRQ_H
#define PARAVANE_IRQ_H

#include <xen/physdev.h>

#include "domain/domain.h"

/* Interrupt context, irq off: hardware vector @vector arrived on this CPU. Acks the local APIC as needed. */
void irq_handle_vector(uint8_t vector);

int pirq_domain_create(struct domain *d);
void pirq_domain_relinquish(struct domain *d);
void pirq_domain_destroy(struct domain *d);
/* event/ -> irq/: bind an allocated pirq to @port of @d (enables the line), and undo. -EINVAL, -EPERM, -EEXIST. */
int pirq_bind(struct domain *d, unsigned pirq, uint32_t port, bool share);
void pirq_unbind(struct domain *d, unsigned pirq);
/* PHYSDEVOP_eoi, and EVTCHNOP_unmask of a pirq port. */
int pirq_eoi(struct domain *d, unsigned pirq);

/* Hypervisor's own lines (serial): handler in interrupt context, irq off. */
int irq_request_gsi(unsigned gsi, void (*handler)(void *data), void *data);
void irq_dump(void);

#endif
