/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_fake.h - what was written to the consoles */
#ifndef PARAVANE_CONSOLE_FAKE_H
#define PARAVANE_CONSOLE_FAKE_H

#include "types.h"

extern char fake_console[4096];
extern size_t fake_console_len;
/* The UART in use: port and GSI; 0 and -1 for none. */
extern uint16_t fake_uart_port;
extern int fake_uart_gsi;

#endif
