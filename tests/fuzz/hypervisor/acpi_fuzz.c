/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi_fuzz.c - firmware tables with a right checksum and any contents
 *
 * Byte 0 chooses the parser, the rest is the table, exactly as long as it says (so that ASan sees a read past it).
 * What came out must be within our limits whatever went in.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi_priv.h"
#include "bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct acpi_info *i)
{
    BUG_ON(i->nr_cpus > MAX_CPUS || i->nr_ioapics > MAX_IOAPICS || i->nr_overrides > 16 || i->nr_mcfg > 8);
    for (unsigned n = 0; n < i->nr_ioapics; n++)
        BUG_ON(i->ioapic[n].gsi_base >= MAX_GSI || i->ioapic[n].address == 0);
    for (unsigned n = 0; n < i->nr_overrides; n++)
        BUG_ON(i->override[n].gsi >= MAX_GSI || i->override[n].irq >= 16);
    for (unsigned n = 0; n < i->nr_mcfg; n++)
        BUG_ON(i->mcfg[n].bus_end < i->mcfg[n].bus_start);
    BUG_ON(i->reset.valid && i->reset.space == 1 && i->reset.address > 0xffff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const parsers[])(struct acpi_table, struct acpi_info *) = { acpi_parse_madt, acpi_parse_fadt,
                                                                             acpi_parse_hpet, acpi_parse_mcfg };
    struct acpi_info info = { 0 };

    if (size < 1 + 36)
        return 0;
    uint8_t *table = malloc(size - 1);
    memcpy(table, data + 1, size - 1);
    (void)!parsers[data[0] % 4]((struct acpi_table){ table, (uint32_t)(size - 1) }, &info);
    check(&info);
    free(table);
    return 0;
}
