/* SPDX-License-Identifier: GPL-2.0-or-later */
/* topology.h - our CPU numbers and the firmware's (ABI: XENPF_get_cpuinfo) */
#ifndef PARAVANE_TOPOLOGY_H
#define PARAVANE_TOPOLOGY_H

#include "limits.h"
#include "types.h"

extern uint32_t cpu_apic_id[MAX_CPUS];
extern uint32_t cpu_acpi_id[MAX_CPUS];

#endif
