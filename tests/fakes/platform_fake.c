/* SPDX-License-Identifier: GPL-2.0-or-later */
/* platform_fake.c - firmware tables and console facts that io_caps asks for: none; weak, so that better fakes win */
#include "boot/map_boot.h"
#include "console/console.h"
__attribute__((weak)) int console_uart_gsi(void) { return 4; }
__attribute__((weak)) uint16_t console_uart_port(void) { return 0x3f8; }
__attribute__((weak)) const void *map_firmware(maddr_t s, size_t n) { (void)s; (void)n; return NULL; }
