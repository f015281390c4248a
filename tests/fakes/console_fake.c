/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console_fake.c - console_metal.c for the host */
#include "console_fake.h"

#include <string.h>

#include "console/console.h"

char fake_console[4096];
size_t fake_console_len;
uint16_t fake_uart_port;
int fake_uart_gsi = -1;

void console_write(const char *s, size_t n)
{
    const size_t room = sizeof(fake_console) - fake_console_len, take = MIN(n, room);

    memcpy(fake_console + fake_console_len, s, take);
    fake_console_len += take;
}

void console_drain(void) { }
uint16_t console_uart_port(void) { return fake_uart_port; }
int console_uart_gsi(void) { return fake_uart_gsi; }
