/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.h - hardware interrupts: lines, vectors, and their delivery to Dom0 as pirqs
 *
 * A line is a GSI (0..MAX_GSI-1, its number is the GSI) or an MSI (MAX_GSI..MAX_PIRQS-1). A pirq is the number of its
 * line: only Dom0 has physical interrupts, so there is nothing to translate. The portable part routes a line to the
 * domain that bound it and keeps the EOI state; the controllers are behind irq/chip.h.
 */
#ifndef PARAVANE_IRQ_H
#define PARAVANE_IRQ_H

#include <xen/physdev.h>

#include "domain/domain.h"

/* Boot, after ACPI and the boot CPU's local APIC: PICs silenced, IO-APICs found and masked. */
void irq_init(void);

/* Interrupt context, irq off: hardware vector @vector arrived on this CPU. Acks the local APIC as needed. */
void irq_handle_vector(uint8_t vector);

int pirq_domain_create(struct domain *d);
void pirq_domain_relinquish(struct domain *d);
void pirq_domain_destroy(struct domain *d);

/*
 * event/ -> irq/: deliver a mapped pirq to @port of @d, which enables the line, and undo. Takes locks of rank IRQ
 * and later only. -EPERM: not @d's to have; -EINVAL: not mapped; -EEXIST: bound; -ENOSPC: no vector left.
 * @share is accepted: a line has one domain, which shares it among its drivers.
 */
MUST_CHECK int pirq_bind(struct domain *d, unsigned pirq, uint32_t port, bool share);
void pirq_unbind(struct domain *d, unsigned pirq);
/* PHYSDEVOP_eoi. -EINVAL: no such pirq of @d. An EOI that nobody waits for does nothing. */
MUST_CHECK int pirq_eoi(struct domain *d, unsigned pirq);
/* Must @d call PHYSDEVOP_eoi after each interrupt? Level lines: yes. -EINVAL as above. */
MUST_CHECK int pirq_needs_eoi(struct domain *d, unsigned pirq, bool *needs);

/* Give @gsi to @d as the pirq of the same number; again for the same domain is fine. -EPERM, -EINVAL, -EBUSY. */
MUST_CHECK int pirq_map_gsi(struct domain *d, unsigned gsi);
struct msi_request {
    uint8_t bus, devfn;
    bool msix;
    unsigned entry;             /* MSI-X table index */
    unsigned count;             /* MSI: vectors, a power of two; MSI-X: 1 */
};
/*
 * Program an MSI or MSI-X entry and give it to @d as pirqs *@first .. + count - 1; *@first >= 0 asks for these numbers.
 * -ENODEV: no such device or capability; -EINVAL: more than it has; -ENOSPC: no pirqs or vectors; -EBUSY.
 */
MUST_CHECK int pirq_map_msi(struct domain *d, const struct msi_request *req, int *first);
/* -EINVAL: not mapped to @d; -EBUSY: still bound to an event channel. */
MUST_CHECK int pirq_unmap(struct domain *d, unsigned pirq);
/* Write all MSI state of a device again, after its reset. -ESRCH: it has none. */
MUST_CHECK int pirq_restore_msi(uint8_t bus, uint8_t devfn);
/* PHYSDEVOP_setup_gsi: how the line is wired. -EINVAL, -EPERM (ours), -EEXIST (in use, wired differently). */
MUST_CHECK int irq_setup_gsi(unsigned gsi, bool level, bool active_low);
/* One more than the highest GSI there is. */
unsigned irq_nr_gsis(void);

/* Hypervisor's own lines (serial): handler in interrupt context, irq off. -EINVAL, -EBUSY, -ENOSPC. */
MUST_CHECK int irq_request_gsi(unsigned gsi, void (*handler)(void *data), void *data);
void irq_dump(void);
/* Recompute: vectors and lines name each other, guests' lines have a vector when enabled. */
void irq_audit(void);

#endif
