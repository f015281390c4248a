/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq_fake.h - interrupt controllers that remember what was written */
#ifndef PARAVANE_IRQ_FAKE_H
#define PARAVANE_IRQ_FAKE_H

#include "limits.h"
#include "types.h"

#define FAKE_GSIS 24
#define FAKE_IOAPIC 0xfec00000UL

extern uint64_t fake_rte[FAKE_GSIS];
extern unsigned fake_eois;
extern uint32_t fake_cpu_dest[MAX_CPUS];        /* 0: the CPU's number */
/* The MSI-X entry written last. */
extern struct fake_msix {
    uint64_t entry, address;
    uint32_t data;
    bool masked;
    unsigned writes;
} fake_msix;
void fake_chip_reset(void);

#endif
