/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_fake.c - what boot/ provides: physical ranges that firmware tables and devices live in, the loader's facts */
#include "boot_fake.h"

#include <string.h>

#include "boot/map_boot.h"
#include "mm/frame.h"

struct boot_info boot_info;

#define MAX_RANGES 64
static struct { uint64_t start; void *host; size_t size; } ranges[MAX_RANGES];
static unsigned nr_ranges;

void fake_phys_reset(void) { nr_ranges = 0; }

void fake_phys_map(uint64_t start, void *host, size_t size)
{
    if (nr_ranges < MAX_RANGES) {
        ranges[nr_ranges].start = start;
        ranges[nr_ranges].host = host;
        ranges[nr_ranges++].size = size;
    }
}

/* Inside one range, or nothing: a table that claims to reach further than its bytes is not mapped. */
static void *lookup(uint64_t start, size_t size)
{
    for (unsigned i = 0; i < nr_ranges; i++)
        if (start >= ranges[i].start && start - ranges[i].start <= ranges[i].size &&
            size <= ranges[i].size - (start - ranges[i].start))
            return (char *)ranges[i].host + (start - ranges[i].start);
    return NULL;
}

void *map_device(maddr_t start, size_t size) { return lookup(start.n, size); }
const void *map_firmware(maddr_t start, size_t size) { return lookup(start.n, size); }

mfn_t m2p_chunk_frame(uint64_t chunk)
{
    return chunk * (1UL << 18) < max_mfn ? mfn(0x78800 + chunk * 512) : MFN_INVALID;
}
