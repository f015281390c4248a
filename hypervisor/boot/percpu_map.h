/* SPDX-License-Identifier: GPL-2.0-or-later */
/* percpu_map.h - the per-CPU region's page tables, for boot/ and cpu/window.c */
#ifndef PARAVANE_PERCPU_MAP_H
#define PARAVANE_PERCPU_MAP_H

#include "types.h"

/* Map stacks (with guard page) and windows' tables of @cpu. BUGs when out of memory: boot only. */
void percpu_map_cpu(unsigned cpu);
/* Where the L1 entry for @va of the per-CPU region is; its table exists. */
uint64_t *percpu_pte(uint64_t va);
/* Machine frame of an address inside our image. */
mfn_t image_mfn(const void *p);

#endif
