/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - boot-time memory: the map, the early allocator, our address space */
#ifndef PARAVANE_BOOT_MEMORY_H
#define PARAVANE_BOOT_MEMORY_H

#include "types.h"

/* Sort the map, cut overlaps (the more restrictive type wins), align RAM to pages. */
void e820_fix(void);
void e820_print(void);
uint64_t e820_ram_end(void);
/* Is all of [start, end) of the given type? */
bool e820_all(uint64_t start, uint64_t end, uint32_t type);

/* Early allocator: RAM that is neither ours, a module, nor below 1 MiB. Highest first. 0: none. */
void boot_alloc_init(void);
uint64_t boot_alloc(uint64_t size, uint64_t align, uint64_t below);
/* Everything left goes to frame_alloc_add(), everything taken is marked ours. */
void boot_alloc_finish(void);

/* Build the sixteen slots, load them; then map_device() and friends work. */
void address_space_init(void);
/* Take the one-to-one mapping away and make text read-only; the last step that needs either is over. */
void address_space_seal(void);

#endif
