/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga.h - the 80x25 text screen; private to console/, under console_lock */
#ifndef PARAVANE_VGA_H
#define PARAVANE_VGA_H

#include "types.h"

bool vga_init(void);
void vga_put(char c);
/* Blank cursor line and stop: Dom0 owns the screen. */
void vga_release(void);

#endif
