/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roots.h - the hypervisor's own L4 entries, provided by boot/, copied into every guest L4 (layout.h)
 */
#ifndef PARAVANE_ROOTS_H
#define PARAVANE_ROOTS_H

#include "types.h"

extern uint64_t hv_l4_entries[16];

#endif
