/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chip.h - the interrupt controllers, as irq/ sees them
 *
 * On metal irq/chip_metal.c, on the host tests/fakes/irq_fake.c; chosen at link time.
 */
#ifndef PARAVANE_IRQ_CHIP_H
#define PARAVANE_IRQ_CHIP_H

#include "types.h"

#define RTE_LEVEL (1UL << 15)
#define RTE_LOW (1UL << 13)
#define RTE_MASKED (1UL << 16)
#define RTE_DEST_SHIFT 56

/* Silence the PICs, map and mask every IO-APIC the MADT names. */
void chip_init(void);
bool chip_has_gsi(unsigned gsi);
unsigned chip_nr_gsis(void);
/* Only for GSIs that exist; any context, irq off. */
void chip_write_rte(unsigned gsi, uint64_t rte);
/* IO-APIC register @reg (0 id, 1 version, 2 arbitration, 16.. RTEs) of the one at @base. -EINVAL: none there. */
MUST_CHECK int chip_read_ioapic(uint64_t base, uint32_t reg, uint32_t *value);
/* Make the page of an MSI-X table entry reachable; before any line lock is taken. -ENOMEM. */
MUST_CHECK int chip_prepare_msix(maddr_t entry);
/* MSI-X table entry at machine address @entry: 16 bytes of device memory, written mask first. */
void chip_write_msix(maddr_t entry, uint64_t address, uint32_t data, bool masked);
/* Destination field of RTEs and MSI addresses; above 0xff: cannot be reached without interrupt remapping. */
uint32_t chip_cpu_dest(unsigned cpu);
void chip_eoi(void);

#endif
