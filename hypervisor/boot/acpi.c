/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.c - find the firmware's tables and let only sound ones through
 *
 *   I1  nothing of a table is read before its whole length is mapped, bounded and its checksum is right.
 *   I2  a broken table is a message and a table less, never a crash; without a MADT there is no machine to run on,
 *       and acpi_init() says so.
 *
 * Source: ACPI 6.4, 5.2.5 (RSDP), 5.2.6 (header), 5.2.7 (RSDT), 5.2.8 (XSDT).
 */
#include "boot/acpi_priv.h"

#include <string.h>

#include "boot/map_boot.h"
#include "print.h"

#define HEADER_SIZE 36u
#define MAX_TABLE (1u << 20)            /* a DSDT may be large, what we read is not */
#define MAX_TABLES 256u
#define RSDP_V1_SIZE 20u
#define RSDP_V2_SIZE 36u

struct acpi_info acpi_info;

static uint64_t read_le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static bool sums_to_zero(const uint8_t *p, uint32_t n)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

static bool rsdp_ok(const uint8_t *p)
{
    return memcmp(p, "RSD PTR ", 8) == 0 && sums_to_zero(p, RSDP_V1_SIZE);
}

static uint64_t scan_for_rsdp(uint64_t start, uint32_t size)
{
    const uint8_t *p = map_firmware(maddr(start), size);

    for (uint32_t at = 0; p && at + RSDP_V1_SIZE <= size; at += 16)
        if (rsdp_ok(p + at))
            return start + at;
    return 0;
}

/* BIOS: the first KiB of the extended BIOS data area, then the ROM. ACPI 5.2.5.1 */
static uint64_t find_rsdp(void)
{
    const uint8_t *segment = map_firmware(maddr(0x40e), 2);
    const uint64_t ebda = segment ? read_le(segment, 2) << 4 : 0;
    uint64_t found = 0;

    if (ebda >= 0x400 && ebda < 0xa0000)
        found = scan_for_rsdp(ebda, 1024);
    return found ? found : scan_for_rsdp(0xe0000, 0x20000);
}

/* Map table @at after checking its header; false with a message when it is unsound. */
static bool open_table(uint64_t at, struct acpi_table *t)
{
    const uint8_t *h = at != 0 && at < (1UL << MAX_PHYS_BITS) ? map_firmware(maddr(at), HEADER_SIZE) : NULL;

    if (!h) {
        pr_warn("ACPI: table at %lx cannot be mapped\n", at);
        return false;
    }
    const uint32_t length = (uint32_t)read_le(h + 4, 4);
    if (length < HEADER_SIZE || length > MAX_TABLE) {
        pr_warn("ACPI: table %.4s at %lx has impossible length %u\n", (const char *)h, at, length);
        return false;
    }
    h = map_firmware(maddr(at), length);
    if (!h || !sums_to_zero(h, length)) {
        pr_warn("ACPI: table at %lx has a wrong checksum, ignored\n", at);
        return false;
    }
    *t = (struct acpi_table){ h, length };
    return true;
}

static bool is_wanted(const uint8_t *signature)
{
    return memcmp(signature, "APIC", 4) == 0 || memcmp(signature, "FACP", 4) == 0 ||
           memcmp(signature, "HPET", 4) == 0 || memcmp(signature, "MCFG", 4) == 0;
}

static bool parse_table(struct acpi_table t)
{
    if (memcmp(t.data, "APIC", 4) == 0)
        return acpi_parse_madt(t, &acpi_info);
    if (memcmp(t.data, "FACP", 4) == 0)
        return acpi_parse_fadt(t, &acpi_info);
    if (memcmp(t.data, "HPET", 4) == 0)
        return acpi_parse_hpet(t, &acpi_info);
    return acpi_parse_mcfg(t, &acpi_info);
}

static void walk_root(struct acpi_table root, unsigned entry_size)
{
    const unsigned n = MIN((root.length - HEADER_SIZE) / entry_size, MAX_TABLES);

    for (unsigned i = 0; i < n; i++) {
        const uint64_t at = read_le(root.data + HEADER_SIZE + i * entry_size, entry_size);
        const uint8_t *signature = at != 0 && at < (1UL << MAX_PHYS_BITS) ? map_firmware(maddr(at), HEADER_SIZE) : NULL;
        struct acpi_table t;

        if (!signature || !is_wanted(signature) || !open_table(at, &t))
            continue;
        if (!parse_table(t))
            pr_warn("ACPI: table %.4s ignored\n", (const char *)t.data);
    }
}

/* The XSDT when there is a sound one, else the RSDT. */
static bool open_root(const uint8_t *rsdp, struct acpi_table *root, unsigned *entry_size)
{
    if (rsdp[15] >= 2 && read_le(rsdp + 20, 4) >= RSDP_V2_SIZE && sums_to_zero(rsdp, RSDP_V2_SIZE) &&
        open_table(read_le(rsdp + 24, 8), root) && memcmp(root->data, "XSDT", 4) == 0) {
        *entry_size = 8;
        return true;
    }
    *entry_size = 4;
    return open_table(read_le(rsdp + 16, 4), root) && memcmp(root->data, "RSDT", 4) == 0;
}

bool acpi_init(uint64_t rsdp)
{
    struct acpi_table root;
    unsigned entry_size;

    memset(&acpi_info, 0, sizeof(acpi_info));
    if (rsdp == 0)
        rsdp = find_rsdp();
    /* 36 bytes may be mapped whatever the revision: nothing ends a page before an RSDP of 20 does. */
    const uint8_t *p = rsdp != 0 && rsdp < (1UL << MAX_PHYS_BITS) ? map_firmware(maddr(rsdp), RSDP_V2_SIZE) : NULL;
    if (!p || !rsdp_ok(p)) {
        pr_err("ACPI: no root pointer (RSDP) found%s\n", rsdp != 0 ? " where the boot loader said" : "");
        return false;
    }
    if (!open_root(p, &root, &entry_size)) {
        pr_err("ACPI: neither XSDT nor RSDT is usable\n");
        return false;
    }
    walk_root(root, entry_size);
    if (acpi_info.nr_cpus == 0 || acpi_info.nr_ioapics == 0) {
        pr_err("ACPI: the MADT names %u CPUs and %u IO-APICs; at least one of each is needed\n", acpi_info.nr_cpus,
               acpi_info.nr_ioapics);
        return false;
    }
    acpi_info.valid = true;
    pr_info("ACPI: %u CPUs, %u IO-APICs, PM timer port %x, HPET %lx\n", acpi_info.nr_cpus, acpi_info.nr_ioapics,
            acpi_info.pm_timer_port, acpi_info.hpet_address);
    return true;
}

static const struct acpi_override *override_of(unsigned irq)
{
    for (unsigned i = 0; i < acpi_info.nr_overrides; i++)
        if (acpi_info.override[i].irq == irq)
            return &acpi_info.override[i];
    return NULL;
}

unsigned acpi_isa_gsi(unsigned irq)
{
    const struct acpi_override *o = override_of(irq);

    return o ? o->gsi : irq;
}

void acpi_gsi_mode(unsigned gsi, bool *level, bool *active_low)
{
    /* An override names the GSI; "as the bus" means edge, high for ISA. */
    for (unsigned i = 0; i < acpi_info.nr_overrides; i++) {
        const struct acpi_override *o = &acpi_info.override[i];
        if (o->gsi != gsi)
            continue;
        *level = o->trigger == 3;
        *active_low = o->polarity == 3;
        return;
    }
    *level = *active_low = gsi >= 16;
}
