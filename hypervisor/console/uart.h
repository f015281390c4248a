/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uart.h - one 16550; private to console/. All but uart_start_irq under console_lock, or before other CPUs run. */
#ifndef PARAVANE_UART_H
#define PARAVANE_UART_H

#include "types.h"

struct uart_config {
    uint16_t port;
    unsigned irq;               /* ISA line */
    unsigned baud;              /* 0: leave as the firmware set it */
    uint8_t lcr;                /* line control: data bits, parity, stop bits */
};

/* False: nothing answers at that port. */
bool uart_init(const struct uart_config *config);
bool uart_present(void);
uint16_t uart_port(void);
/* The GSI of its line; -1 without a UART. */
int uart_gsi(void);
/* Queue or send; never loses a byte unless the wire is stuck. */
void uart_put(char c);
/* Start sending what is queued; without interrupts, or after uart_force(), wait until it is sent. */
void uart_flush(void);
/* Wait until everything queued is on the wire (bounded). */
void uart_drain(void);
/* Send by polling only, from now on; what is queued goes out first. */
void uart_force(void);
/* Interrupts from here on; a poll timer if the line is not to be had. */
void uart_start_irq(void);

#endif
