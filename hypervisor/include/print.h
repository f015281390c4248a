/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * print.h - the log
 *
 * Formats: %d %u %x %lx %lu %ld %s %c %p %%, widths, zero padding, '-' and precision for %s. Guest strings are never a format.
 * Levels follow Xen's loglvl: 0 error, 1 warning, 2 info, 3 debug. printk_guest is for messages that a guest can
 * cause: rate limited, off unless guest_loglvl allows (XSA-146).
 */
#ifndef PARAVANE_PRINT_H
#define PARAVANE_PRINT_H

#include <stdarg.h>
#include "types.h"

enum loglvl { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void printk(enum loglvl lvl, const char *fmt, ...) PRINTF_LIKE(2, 3);
void printk_guest(const struct domain *d, enum loglvl lvl, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As C's snprintf, for the formats above: returns the length wanted, always terminates when size > 0. */
int hv_snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

#define pr_err(...) printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...) printk(LOG_WARNING, __VA_ARGS__)
#define pr_info(...) printk(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) printk(LOG_DEBUG, __VA_ARGS__)
#define guest_debug(d, ...) printk_guest(d, LOG_DEBUG, __VA_ARGS__)

#endif
