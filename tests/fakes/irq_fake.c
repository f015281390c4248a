/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq_fake.c - irq/chip.h for the host: one IO-APIC of 24 pins */
#include "irq_fake.h"

#include <string.h>

#include "hv_errno.h"
#include "irq/chip.h"

uint64_t fake_rte[FAKE_GSIS];
unsigned fake_eois;
uint32_t fake_cpu_dest[MAX_CPUS];
struct fake_msix fake_msix;

void fake_chip_reset(void)
{
    for (unsigned i = 0; i < FAKE_GSIS; i++)
        fake_rte[i] = RTE_MASKED;
    fake_eois = 0;
    memset(&fake_msix, 0, sizeof(fake_msix));
    memset(fake_cpu_dest, 0, sizeof(fake_cpu_dest));
}

void chip_init(void) { fake_chip_reset(); }
bool chip_has_gsi(unsigned gsi) { return gsi < FAKE_GSIS; }
unsigned chip_nr_gsis(void) { return FAKE_GSIS; }
void chip_write_rte(unsigned gsi, uint64_t rte) { fake_rte[gsi] = rte; }

int chip_read_ioapic(uint64_t base, uint32_t reg, uint32_t *value)
{
    if (base != FAKE_IOAPIC || reg >= 16 + 2 * FAKE_GSIS)
        return -EINVAL;
    *value = reg == 1 ? 0x00170020 : 0;
    return 0;
}

int chip_prepare_msix(maddr_t entry)
{
    (void)entry;
    return 0;
}

void chip_write_msix(maddr_t entry, uint64_t address, uint32_t data, bool masked)
{
    fake_msix = (struct fake_msix){ entry.n, address, data, masked, fake_msix.writes + 1 };
}

uint32_t chip_cpu_dest(unsigned cpu) { return fake_cpu_dest[cpu] ? fake_cpu_dest[cpu] : cpu; }
void chip_eoi(void) { fake_eois++; }
