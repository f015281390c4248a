/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot_info.h - what the loader told us, copied before any memory is touched
 */
#ifndef PARAVANE_BOOT_INFO_H
#define PARAVANE_BOOT_INFO_H

#include "dom0/dom0.h"
#include "limits.h"
#include "types.h"

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_UNUSABLE = 5 };
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));      /* ABI: the layout XENMEM_machine_memory_map returns */

struct boot_info {
    char cmdline[2048];         /* the hypervisor's, cooked (image name and " -- ..." removed) */
    char dom0_extra[1024];
    char loader[64];
    bool efi;
    uint64_t efi_system_table;
    uint64_t rsdp;              /* machine address, 0 unknown: scan */
    unsigned nr_modules;
    struct boot_module module[MAX_MODULES];
    char module_cmdline[MAX_MODULES][1024];
    unsigned nr_e820;
    struct e820_entry e820[MAX_E820];   /* sorted, not overlapping, RAM page aligned */
    uint32_t info_start, info_size;     /* Multiboot2 information, still in place (RSDP copy) */
    unsigned char framebuffer[64];      /* Multiboot2 framebuffer tag, verbatim */
    size_t framebuffer_size;
};
extern struct boot_info boot_info;

/* Value of "name=" on the command line (bounded copy into our buffer, NULL if absent); bare "name" gives "". */
const char *cmdline_get(const char *name);
bool cmdline_bool(const char *name, bool dflt);      /* name, no-name, name=yes|no|on|off|true|false|1|0 */
uint64_t cmdline_uint(const char *name, uint64_t dflt);

#endif
