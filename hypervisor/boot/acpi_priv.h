/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_priv.h - between acpi.c (finds and checks tables) and acpi_tables.c (reads them) */
#ifndef PARAVANE_ACPI_PRIV_H
#define PARAVANE_ACPI_PRIV_H

#include "boot/acpi.h"

/* A table whose length and checksum are right; @length >= 36. */
struct acpi_table { const uint8_t *data; uint32_t length; };

/* False: the table contradicts itself; what was wrong has been printed, and nothing of it is used. */
bool acpi_parse_madt(struct acpi_table t, struct acpi_info *info);
bool acpi_parse_fadt(struct acpi_table t, struct acpi_info *info);
bool acpi_parse_hpet(struct acpi_table t, struct acpi_info *info);
bool acpi_parse_mcfg(struct acpi_table t, struct acpi_info *info);

#endif
