/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trampoline.h - the page below 1 MiB where other CPUs wake up in real mode */
#ifndef PARAVANE_TRAMPOLINE_H
#define PARAVANE_TRAMPOLINE_H

#include "types.h"

#define TRAMPOLINE_PAGE 0x08        /* machine address 0x8000 */

/* Copy the code there once and tell it the stack of the next CPU. */
void trampoline_prepare(uint64_t stack);
void trampoline_done(void);

#endif
