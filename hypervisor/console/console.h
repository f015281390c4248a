/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.h - serial (and VGA text) console, log ring, input
 *
 * Output works from the first instruction of C on, polled. Input arrives by the UART's interrupt (or a poll timer)
 * and goes to Dom0 as VIRQ_CONSOLE, or to the debug-key handler after three CTRL-A.
 */
#ifndef PARAVANE_CONSOLE_H
#define PARAVANE_CONSOLE_H

#include "domain/domain.h"

void console_init_early(const char *cmdline);   /* console=, com1=, loglvl=, guest_loglvl= */
void console_init_irq(void);
/* Raw bytes to all consoles; any context. */
void console_write(const char *s, size_t n);
/* Bytes typed, for Dom0; returns how many. */
size_t console_read(char *buf, size_t n);
/* Log ring for sysctl readconsole: from *@index on. */
size_t console_ring_read(uint32_t *index, char *buf, size_t n, bool clear, bool incremental);
/* console_io write by a domain other than Dom0: filtered, line buffered, prefixed, rate limited. */
void console_guest_write(struct domain *d, const char *s, size_t n);
/* Panic and BUG output: break locks, print anyway. */
void console_force(void);
/* Debug keys, also sysctl debug_keys; '?' or 'h' lists them. */
void console_debug_key(char key);
void console_register_key(char key, const char *help, void (*fn)(void));
/* Host UART ports used (denied to Dom0); 0 none. */
uint16_t console_uart_port(void);

#endif
