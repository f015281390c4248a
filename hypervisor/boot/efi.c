/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * efi.c - on UEFI machines, where the RSDP really is
 *
 * The loader hands over a copy; Dom0 needs the original's address (its command line gets acpi_rsdp=). Source: UEFI
 * 2.10, 4.3 (system table), 4.6 (configuration table). Everything is below 4 GiB or left alone: this runs while memory is mapped
 * one to one.
 */
#include "boot/efi.h"

#include <string.h>

struct efi_system_table {
    uint64_t signature;
    uint32_t revision, header_size, crc, reserved;
    uint64_t vendor;
    uint32_t firmware_revision, pad;
    uint64_t console[6], runtime, boot, nr_tables, tables;
};

struct efi_config_table {
    uint8_t guid[16];
    uint64_t table;
};

static const uint8_t acpi20_guid[16] = { 0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                         0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 };

static bool reachable(uint64_t at, uint64_t size)
{
    return at && at < 1UL << 32 && size <= (1UL << 32) - at;
}

uint64_t efi_find_rsdp(uint64_t system_table)
{
    if (!reachable(system_table, sizeof(struct efi_system_table)))
        return 0;
    const struct efi_system_table *st = (const void *)(uintptr_t)system_table;
    if (st->signature != 0x5453595320494249UL || st->nr_tables > 1024 ||
        !reachable(st->tables, st->nr_tables * sizeof(struct efi_config_table)))
        return 0;
    const struct efi_config_table *t = (const void *)(uintptr_t)st->tables;
    for (uint64_t i = 0; i < st->nr_tables; i++) {
        if (!memcmp(t[i].guid, acpi20_guid, sizeof(acpi20_guid)))
            return t[i].table;
    }
    return 0;
}
