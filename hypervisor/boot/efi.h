/* SPDX-License-Identifier: GPL-2.0-or-later */
/* efi.h - what we take from UEFI's system table */
#ifndef PARAVANE_EFI_H
#define PARAVANE_EFI_H

#include "types.h"

/* Machine address of the ACPI 2.0 RSDP by the configuration table, 0 when there is none we can reach. */
uint64_t efi_find_rsdp(uint64_t system_table);

#endif
