/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map_boot.h - mappings of physical ranges for our own use, made at boot */
#ifndef PARAVANE_MAP_BOOT_H
#define PARAVANE_MAP_BOOT_H

#include "types.h"

/* Device memory, uncached, in the ioremap area; permanent. NULL when the area is full. Sub-page offsets are kept. */
void *map_device(maddr_t start, size_t size);
/* The same, cached and read-only, for firmware tables. */
const void *map_firmware(maddr_t start, size_t size);

/*
 * The M2P consists of 2 MiB chunks, each contiguous; chunk @i covers mfns [i << 18, (i + 1) << 18). Chunks without RAM
 * share one that says "invalid". MFN of the first frame of chunk @i.
 */
unsigned m2p_chunk_count(void);
/* Is @m a frame of the M2P (mappable read-only by Dom0 as DOMID_XEN)? */
bool m2p_is_frame(mfn_t m);
/* First frame of 2 MiB chunk @chunk of the machine-to-physical table; MFN_INVALID: a hole, or beyond its end. */
mfn_t m2p_chunk_frame(uint64_t chunk);

#endif
