/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_fake.h - steering boot_fake.c: bytes at a machine address, for map_firmware() and map_device() */
#ifndef PARAVANE_BOOT_FAKE_H
#define PARAVANE_BOOT_FAKE_H

#include "boot/boot_info.h"

void fake_phys_reset(void);
void fake_phys_map(uint64_t start, void *host, size_t size);

#endif
