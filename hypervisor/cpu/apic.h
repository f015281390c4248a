/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apic.h - the local APIC (xAPIC or x2APIC), metal only
 *
 * Vectors: 0x20..0xef belong to interrupt lines (irq/), 0xf0..0xff to the CPU itself.
 */
#ifndef PARAVANE_APIC_H
#define PARAVANE_APIC_H

#include "types.h"

#define VECTOR_FIRST_LINE 0x20
#define VECTOR_LAST_LINE  0xef
#define VECTOR_KICK       0xfb
#define VECTOR_FLUSH      0xfc
#define VECTOR_TIMER      0xfd
#define VECTOR_STOP       0xfe
#define VECTOR_SPURIOUS   0xff

void apic_init_bsp(uint64_t address);
void apic_init_cpu(void);
uint32_t apic_id_of(unsigned cpu);          /* physical APIC id, for RTEs and MSI addresses */
void apic_eoi(void);
void apic_send_ipi(unsigned cpu, uint8_t vector);
/* INIT, SIPI, SIPI to @apic_id; @page: start frame of the trampoline. */
void apic_start_cpu(uint32_t apic_id, uint8_t page);
/* INIT only: it waits for STARTUP and runs nothing. */
void apic_stop_cpu(uint32_t apic_id);

#endif
