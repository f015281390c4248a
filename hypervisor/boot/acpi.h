/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.h - the static tables we need; each is checked (length, checksum) before it is believed
 */
#ifndef PARAVANE_ACPI_H
#define PARAVANE_ACPI_H

#include "limits.h"
#include "types.h"

struct acpi_cpu { uint32_t apic_id, acpi_id; bool enabled; };
struct acpi_ioapic { uint32_t id, gsi_base; uint64_t address; };
struct acpi_override { uint8_t irq; uint32_t gsi; uint8_t polarity, trigger; };   /* MPS INTI: 0 bus, 1 high/edge, 3 low/level */
struct acpi_mcfg { uint64_t base; uint16_t segment; uint8_t bus_start, bus_end; };

struct acpi_info {
    bool valid;
    uint64_t lapic_address;
    unsigned nr_cpus;    struct acpi_cpu cpu[MAX_CPUS];
    unsigned nr_ioapics; struct acpi_ioapic ioapic[MAX_IOAPICS];
    unsigned nr_overrides; struct acpi_override override[16];
    unsigned nr_mcfg;    struct acpi_mcfg mcfg[8];
    uint64_t hpet_address;          /* 0: none */
    uint16_t pm_timer_port;         /* 0: none */
    bool pm_timer_32bit;
    uint16_t pm1a_cnt, pm1b_cnt;    /* ports; 0: none */
    uint16_t pm1a_evt, sci_gsi;
    bool hw_reduced;
    struct { bool valid; uint8_t space; uint64_t address; uint8_t value; } reset;    /* space 0 memory, 1 io, 2 PCI */
    struct { bool valid; uint8_t space; uint64_t address; } sleep_control;
};
extern struct acpi_info acpi_info;

/* Parse from RSDP at @rsdp (0: scan BIOS areas). False: no usable tables, and why was printed. */
bool acpi_init(uint64_t rsdp);

/* Where ISA interrupt @irq (0..15) arrives, after the MADT's overrides. */
unsigned acpi_isa_gsi(unsigned irq);
/* How the GSI is wired as far as the tables tell: ISA lines edge/high, overrides as given, others level/low. */
void acpi_gsi_mode(unsigned gsi, bool *level, bool *active_low);

#endif
