/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_metal.c - 80x25 colour text at 0xb8000; used until Dom0 takes the screen, and again in a panic */
#include "console/vga.h"

#include "boot/map_boot.h"

#define COLUMNS 80u
#define LINES 25u
#define ATTRIBUTE 0x0700u       /* grey on black */

static volatile uint16_t *screen;
static unsigned column, line;

static void scroll(void)
{
    for (unsigned i = 0; i < COLUMNS * (LINES - 1); i++)
        screen[i] = screen[i + COLUMNS];
    for (unsigned i = COLUMNS * (LINES - 1); i < COLUMNS * LINES; i++)
        screen[i] = ATTRIBUTE | ' ';
}

bool vga_init(void)
{
    screen = map_device(maddr(0xb8000), COLUMNS * LINES * sizeof(*screen));
    if (!screen)
        return false;
    for (unsigned i = 0; i < COLUMNS * LINES; i++)
        screen[i] = ATTRIBUTE | ' ';
    return true;
}

static void new_line(void)
{
    column = 0;
    if (++line < LINES)
        return;
    line = LINES - 1;
    scroll();
}

void vga_put(char c)
{
    if (!screen)
        return;
    if (c == '\n') {
        new_line();
    } else if (c == '\r') {
        column = 0;
    } else if (c == '\t') {
        column = MIN((column + 8) & ~7u, COLUMNS - 1);
    } else if (c >= ' ') {
        if (column == COLUMNS)
            new_line();
        screen[line * COLUMNS + column++] = (uint16_t)(ATTRIBUTE | (unsigned char)c);
    }
}

void vga_release(void)
{
    screen = NULL;
}
