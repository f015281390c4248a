/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wallclock_hw.h - the machine's battery clock, read once at boot; metal only */
#ifndef PARAVANE_WALLCLOCK_HW_H
#define PARAVANE_WALLCLOCK_HW_H

#include "types.h"

/* Seconds since 1970 (the clock is taken as UTC). */
uint64_t wallclock_hw_read(void);

#endif
