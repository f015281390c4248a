/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi_tables.c - what MADT, FADT, HPET and MCFG say
 *
 * Input is a table with a right checksum, which may still be nonsense: each field is read only inside the length,
 * and counts are cut to our limits with a message.
 *
 * Source: ACPI 6.4, 5.2.9 (FADT), 5.2.12 (MADT); HPET 1.0a, 3.2.4; PCI Firmware 3.2, 4.1.2 (MCFG).
 */
#include "boot/acpi_priv.h"

#include "print.h"

enum { SPACE_MEMORY = 0, SPACE_IO = 1, SPACE_PCI = 2 };
#define GAS_SIZE 12u

/* @n bytes at @at, little endian; 0 beyond the end of the table, which is what absent fields mean. */
static uint64_t field(struct acpi_table t, uint32_t at, unsigned n)
{
    uint64_t v = 0;

    if (at > t.length || n > t.length - at)
        return 0;
    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)t.data[at + i] << (8 * i);
    return v;
}

/* ---- MADT ---- */

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9 };

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & 1))                           /* not enabled: a socket that could be filled later */
        return;
    for (unsigned i = 0; i < info->nr_cpus; i++)
        if (info->cpu[i].apic_id == apic_id)    /* listed as LAPIC and x2APIC both */
            return;
    if (info->nr_cpus == MAX_CPUS) {
        pr_warn("ACPI: more than %u CPUs, APIC id %u is not used\n", (unsigned)MAX_CPUS, apic_id);
        return;
    }
    info->cpu[info->nr_cpus++] = (struct acpi_cpu){ apic_id, acpi_id, true };
}

static void add_ioapic(struct acpi_info *info, uint32_t id, uint64_t address, uint32_t gsi_base)
{
    if (info->nr_ioapics == MAX_IOAPICS || address == 0 || gsi_base >= MAX_GSI) {
        pr_warn("ACPI: IO-APIC %u (GSI base %u) is not used\n", id, gsi_base);
        return;
    }
    info->ioapic[info->nr_ioapics++] = (struct acpi_ioapic){ id, gsi_base, address };
}

static void add_override(struct acpi_info *info, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    if (info->nr_overrides == ARRAY_SIZE(info->override) || irq >= 16 || gsi >= MAX_GSI) {
        pr_warn("ACPI: interrupt override %u -> %u is not used\n", irq, gsi);
        return;
    }
    info->override[info->nr_overrides++] =
        (struct acpi_override){ irq, gsi, (uint8_t)(flags & 3), (uint8_t)((flags >> 2) & 3) };
}

static void madt_entry(struct acpi_table t, uint32_t at, struct acpi_info *info)
{
    const uint32_t length = (uint32_t)field(t, at + 1, 1);
    const struct acpi_table e = { t.data + at, length };        /* fields beyond the entry read as 0 */

    switch (t.data[at]) {
    case MADT_LAPIC:
        add_cpu(info, (uint32_t)field(e, 3, 1), (uint32_t)field(e, 2, 1), (uint32_t)field(e, 4, 4));
        break;
    case MADT_X2APIC:
        add_cpu(info, (uint32_t)field(e, 4, 4), (uint32_t)field(e, 12, 4), (uint32_t)field(e, 8, 4));
        break;
    case MADT_IOAPIC:
        add_ioapic(info, (uint32_t)field(e, 2, 1), field(e, 4, 4), (uint32_t)field(e, 8, 4));
        break;
    case MADT_OVERRIDE:
        add_override(info, (uint8_t)field(e, 3, 1), (uint32_t)field(e, 4, 4), (uint16_t)field(e, 8, 2));
        break;
    case MADT_LAPIC_ADDRESS:
        info->lapic_address = field(e, 4, 8);
        break;
    default:                                    /* NMI wiring and others: the firmware's settings stand */
        break;
    }
}

bool acpi_parse_madt(struct acpi_table t, struct acpi_info *info)
{
    if (t.length < 44) {
        pr_warn("ACPI: MADT is too short (%u bytes)\n", t.length);
        return false;
    }
    if (info->nr_cpus != 0)                     /* a second MADT: the first counts */
        return true;
    info->lapic_address = field(t, 36, 4);
    for (uint32_t at = 44; at + 2 <= t.length;) {
        const uint32_t length = t.data[at + 1];
        if (length < 2 || length > t.length - at) {
            pr_warn("ACPI: MADT entry at offset %u has length %u, the rest is ignored\n", at, length);
            break;
        }
        madt_entry(t, at, info);
        at += length;
    }
    return true;
}

/* ---- FADT ---- */

/* A port from the extended block at @x if it names I/O space, else the old field at @legacy. */
static uint16_t fadt_port(struct acpi_table t, uint32_t x, uint32_t legacy)
{
    const uint64_t extended = field(t, x + 4, 8), old = field(t, legacy, 4);

    if (field(t, x, 1) == SPACE_IO && extended != 0 && extended <= 0xffff)
        return (uint16_t)extended;
    return old <= 0xffff ? (uint16_t)old : 0;
}

bool acpi_parse_fadt(struct acpi_table t, struct acpi_info *info)
{
    enum { FLAG_TIMER_32 = 1 << 8, FLAG_RESET = 1 << 10, FLAG_HW_REDUCED = 1 << 20 };

    if (t.length < 116) {
        pr_warn("ACPI: FADT is too short (%u bytes)\n", t.length);
        return false;
    }
    const uint32_t flags = (uint32_t)field(t, 112, 4);
    info->sci_gsi = (uint16_t)field(t, 46, 2);
    info->pm1a_evt = fadt_port(t, 148, 56);
    info->pm1a_cnt = fadt_port(t, 172, 64);
    info->pm1b_cnt = fadt_port(t, 184, 68);
    info->pm_timer_port = fadt_port(t, 208, 76);
    info->pm_timer_32bit = flags & FLAG_TIMER_32;
    info->hw_reduced = flags & FLAG_HW_REDUCED;

    const uint64_t reset = field(t, 120, 8), space = field(t, 116, 1);
    if ((flags & FLAG_RESET) && t.length >= 129 && reset != 0 && space <= SPACE_PCI &&
        !(space == SPACE_IO && reset > 0xffff)) {
        info->reset.valid = true;
        info->reset.space = (uint8_t)space;
        info->reset.address = reset;
        info->reset.value = (uint8_t)field(t, 128, 1);
    }
    const uint64_t sleep = field(t, 248, 8);
    if (t.length >= 244 + GAS_SIZE && sleep != 0 && field(t, 244, 1) <= SPACE_IO) {
        info->sleep_control.valid = true;
        info->sleep_control.space = (uint8_t)field(t, 244, 1);
        info->sleep_control.address = sleep;
    }
    return true;
}

/* ---- HPET, MCFG ---- */

bool acpi_parse_hpet(struct acpi_table t, struct acpi_info *info)
{
    const uint64_t address = field(t, 44, 8);

    if (t.length < 56 || field(t, 40, 1) != SPACE_MEMORY || address == 0 || (address & 7) != 0)
        return false;
    if (info->hpet_address == 0)
        info->hpet_address = address;
    return true;
}

bool acpi_parse_mcfg(struct acpi_table t, struct acpi_info *info)
{
    for (uint32_t at = 44; t.length >= 16 && at <= t.length - 16; at += 16) {
        const struct acpi_mcfg m = { .base = field(t, at, 8),
                                     .segment = (uint16_t)field(t, at + 8, 2),
                                     .bus_start = (uint8_t)field(t, at + 10, 1),
                                     .bus_end = (uint8_t)field(t, at + 11, 1) };
        if (m.bus_end < m.bus_start || m.base == 0 || info->nr_mcfg == ARRAY_SIZE(info->mcfg))
            continue;
        info->mcfg[info->nr_mcfg++] = m;
    }
    return true;
}
