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

/* First call of all: console=, com1=, com2=, loglvl=, guest_loglvl= as Xen takes them. Needs no mapping, no CPU state. */
void console_init_early(const char *cmdline);
/* VGA text, once map_device() works; not on EFI (no text mode there). Shows what the log holds so far. */
void console_init_vga(void);
/* Interrupt-driven serial input and output; after irq_init(). Falls back to polling by timer. */
void console_init_irq(void);
/* Dom0 is about to run: the screen is its from now on. */
void console_end_boot(void);

/* Raw bytes to all consoles (not to the log ring); any context. */
void console_write(const char *s, size_t n);
/* Wait (bounded) until all output is on the wire: before the power goes. */
void console_drain(void);
/* Panic and BUG output: break locks, print anyway, wait for the wire. */
void console_force(void);
/* Host UART ports used (denied to Dom0); 0 none. */
uint16_t console_uart_port(void);
/* GSI of that UART (denied to Dom0); -1 none. */
int console_uart_gsi(void);

/* ---- input (keys.c) ---- */

/* A byte arrived from the wire; interrupt context, irq off. */
void console_input(uint8_t byte);
/* Bytes typed, for Dom0; returns how many. */
size_t console_read(char *buf, size_t n);
/* Debug keys, also sysctl debug_keys; '?' or 'h' lists them. Not from interrupt context. */
void console_debug_key(char key);
/* Boot only. Returns nothing: the table has room for every key there is. */
void console_register_key(char key, const char *help, void (*fn)(void));
/* Boot: the keys of debug_keys.c. */
void console_register_keys(void);
/* SOFTIRQ_KEYS: run debug keys typed at the console, tell Dom0 that the log ring grew. */
void console_keys_softirq(void);

/* ---- the log ring (ring.c) ---- */

/* Append to the log ring; the caller holds console_lock. */
void console_ring_put(const char *s, size_t n);
/*
 * For sysctl readconsole: copy from *@index on (or from the oldest byte, if that is later or not @incremental); *@index
 * becomes where to go on. @clear forgets what has been read. Returns the number of bytes.
 */
size_t console_ring_read(uint32_t *index, char *buf, size_t n, bool clear, bool incremental);
unsigned long console_lock(void);
void console_unlock(unsigned long flags);
/* Ignore the lock from now on: console_force(). */
void console_break_lock(void);

/* ---- what guests say (guest_log.c) ---- */

/* console_io write by a domain other than Dom0: filtered, line buffered, prefixed "(dN) ", rate limited. */
void console_guest_write(struct domain *d, const char *s, size_t n);
void console_domain_destroy(struct domain *d);

#endif
