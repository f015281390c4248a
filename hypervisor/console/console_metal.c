/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console_metal.c - which consoles there are, and bytes to all of them
 *
 * Options, as Xen spells them:
 *   console=com1,vga     which ones (default: both); "none" for silence
 *   com1=115200,8n1,0x3f8,4   baud (or auto), framing, port, ISA interrupt
 *   vga=keep             go on writing to the screen after Dom0 has started
 */
#include "console/console.h"

#include <string.h>

#include "console/console_priv.h"
#include "console/uart.h"
#include "console/vga.h"
#include "lib/lib.h"
#include "machine.h"
#include "print.h"

#define MAX_OPTION 64



static bool use_vga, keep_vga, vga_on;
static char last_byte;          /* under lock: what went to the wire last, for CR before LF */

bool console_option(const char *cmdline, const char *name, char *value, size_t size)
{
    const size_t len = strlen(name);
    bool found = false;

    for (const char *p = cmdline; (p = strstr(p, name)) != NULL; p += len) {
        if ((p != cmdline && p[-1] != ' ') || p[len] != '=')
            continue;
        size_t n = 0;
        for (const char *q = p + len + 1; *q && *q != ' ' && n < size - 1; q++)
            value[n++] = *q;
        value[n] = '\0';
        found = true;
    }
    return found;
}

static bool has_word(const char *list, const char *word)
{
    const size_t len = strlen(word);

    for (const char *p = list; (p = strstr(p, word)) != NULL; p += len)
        if ((p == list || p[-1] == ',') && (p[len] == '\0' || p[len] == ','))
            return true;
    return false;
}

/* "8n1": data bits, parity, stop bits; anything else leaves 8n1. */
static uint8_t parse_framing(const char *s)
{
    const char *const parities = "noems";       /* in the order of the line control register */
    const char *parity;

    if (s[0] < '5' || s[0] > '8' || !s[1] || !(parity = strchr(parities, s[1])) || (s[2] != '1' && s[2] != '2'))
        return 0x03;
    const unsigned kind = (unsigned)(parity - parities);
    return (uint8_t)((unsigned)(s[0] - '5') | (s[2] == '2' ? 0x04 : 0) | (kind ? 0x08 | ((kind - 1) << 4) : 0));
}

static void parse_com(const char *value, struct uart_config *c)
{
    const char *p = value;

    if (*p >= '0' && *p <= '9')
        c->baud = (unsigned)MIN(parse_u64(p, &p), 4000000u);
    if (!(p = strchr(p, ',')))
        return;
    if (p[1] != ',' && p[1] != '\0')
        c->lcr = parse_framing(p + 1);
    if (!(p = strchr(p + 1, ',')))
        return;
    const uint64_t port = parse_u64(p + 1, &p);
    if (port != 0 && port <= 0xfff8)
        c->port = (uint16_t)port;
    if (*p == ',')
        c->irq = (unsigned)MIN(parse_u64(p + 1, &p), 15u);
}

void console_init_early(const char *cmdline)
{
    char which[MAX_OPTION] = "com1,vga", value[MAX_OPTION];
    struct uart_config com = { .port = 0x3f8, .irq = 4, .baud = 115200, .lcr = 0x03 };
    const char *com_option = "com1";

    console_option(cmdline, "console", which, sizeof(which));
    if (has_word(which, "com2") && !has_word(which, "com1")) {
        com = (struct uart_config){ .port = 0x2f8, .irq = 3, .baud = 115200, .lcr = 0x03 };
        com_option = "com2";
    }
    if (console_option(cmdline, com_option, value, sizeof(value)))
        parse_com(value, &com);
    use_vga = has_word(which, "vga");
    keep_vga = console_option(cmdline, "vga", value, sizeof(value)) && has_word(value, "keep");
    printk_init(cmdline);
    if (has_word(which, "com1") || has_word(which, "com2"))
        uart_init(&com);
}

static void replay_log(void)
{
    static char copy[1024];
    uint32_t index = 0;
    size_t n;

    while ((n = console_ring_read(&index, copy, sizeof(copy), false, index != 0)) > 0)
        for (size_t i = 0; i < n; i++)
            vga_put(copy[i]);
}

void console_init_vga(void)
{
    if (!use_vga || !vga_init())
        return;
    replay_log();
    vga_on = true;
}

void console_init_irq(void)
{
    console_register_keys();
    uart_start_irq();
}

void console_end_boot(void)
{
    const unsigned long flags = console_lock();

    if (!keep_vga)
        vga_on = false;
    console_unlock(flags);
}

/* Under lock. A terminal wants CR LF, our own text has LF only, Dom0's may have either. */
static void put(char c)
{
    if (c == '\n' && last_byte != '\r')
        uart_put('\r');
    uart_put(c);
    last_byte = c;
    if (vga_on)
        vga_put(c);
}


void console_put_locked(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(s[i]);
    uart_flush();
}

void console_write(const char *s, size_t n)
{
    const unsigned long flags = console_lock();

    console_put_locked(s, n);
    console_unlock(flags);
}

void console_drain(void)
{
    const unsigned long flags = console_lock();

    uart_drain();
    console_unlock(flags);
}

void console_force(void)
{
    console_break_lock();
    uart_force();
}

uint16_t console_uart_port(void) { return uart_port(); }
int console_uart_gsi(void) { return uart_gsi(); }
