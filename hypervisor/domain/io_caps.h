/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_caps.h - which machine memory, ports and interrupts a domain may touch
 *
 * Dom0: all but what the hypervisor needs for itself (local and IO-APICs, MSI range, its console UART, PIT, PICs,
 * ACPI PM timer). Others: nothing, unless a domctl grants it. RAM is no business of this module: frames have owners.
 */
#ifndef PARAVANE_IO_CAPS_H
#define PARAVANE_IO_CAPS_H

#include "domain/domain.h"

/* Boot, after acpi_init() and before any domain: what nobody may have, from the firmware's tables. */
void io_caps_init_host(void);

int io_caps_create(struct domain *d);
void io_caps_destroy(struct domain *d);
bool io_caps_mem_ok(struct domain *d, uint64_t first_mfn, uint64_t last_mfn);
/* Mapped read-only whatever the guest asks (HPET page). */
bool io_caps_mem_readonly(uint64_t mfn);
bool io_caps_port_ok(struct domain *d, unsigned first, unsigned last);
bool io_caps_irq_ok(struct domain *d, unsigned pirq);
/* Any I/O right at all: decides whether cache attributes in page tables are honoured. */
bool io_caps_any(struct domain *d);
/* Grant or take back. -EPERM: nobody may have it; -EINVAL: empty or out of range; -ENOMEM. */
MUST_CHECK int io_caps_mem_set(struct domain *d, uint64_t first, uint64_t last, bool allow);
MUST_CHECK int io_caps_port_set(struct domain *d, unsigned first, unsigned last, bool allow);
MUST_CHECK int io_caps_irq_set(struct domain *d, unsigned pirq, bool allow);
/* Boot: what nobody may have. */
void io_caps_deny_all_mem(uint64_t first_mfn, uint64_t last_mfn);
void io_caps_deny_all_ports(unsigned first, unsigned last);
void io_caps_deny_all_irq(unsigned pirq);
void io_caps_readonly_mem(uint64_t mfn);
/* The @i-th range of frames that nobody may have, for the memory map given to Dom0; false: no more. */
bool io_caps_denied_mem(unsigned i, uint64_t *first, uint64_t *last);

#endif
