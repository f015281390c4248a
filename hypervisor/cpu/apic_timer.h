/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apic_timer.h - the local APIC's down counter, for cpu/tsc.c only */
#ifndef PARAVANE_APIC_TIMER_H
#define PARAVANE_APIC_TIMER_H

#include "types.h"

uint32_t apic_timer_count(void);
void apic_timer_start(uint32_t count);      /* 0 stops it */

#endif
