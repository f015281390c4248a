/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map_boot.h - mappings of physical ranges for our own use, made at boot */
#ifndef PARAVANE_MAP_BOOT_H
#define PARAVANE_MAP_BOOT_H

#include "types.h"

/* Device memory, uncached, in the ioremap area; permanent. NULL when the area is full. Sub-page offsets are kept. */
void *map_device(maddr_t start, size_t size);
/* The same, cached and read-only, for firmware tables. */
const void *map_firmware(maddr_t start, size_t size);

#endif
