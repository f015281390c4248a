/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window_priv.h - set-up of the windows, between cpu/ and boot/ */
#ifndef PARAVANE_WINDOW_PRIV_H
#define PARAVANE_WINDOW_PRIV_H

#include "types.h"

/* Make page 14 of @cpu's window and the empty rest of it. */
void window_init_cpu(unsigned cpu);
void desc_fill_page14(uint64_t *page, unsigned cpu);

#endif
