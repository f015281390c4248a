/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_priv.h - between the files of console/ */
#ifndef PARAVANE_CONSOLE_PRIV_H
#define PARAVANE_CONSOLE_PRIV_H

#include "types.h"

/* loglvl=, guest_loglvl=. */
void printk_init(const char *cmdline);
/* To all consoles; the caller holds console_lock. */
void console_put_locked(const char *s, size_t n);
/* Value of the last "name=value" word of @cmdline, cut to @size; false: there is none, *@value untouched. */
bool console_option(const char *cmdline, const char *name, char *value, size_t size);

#endif
