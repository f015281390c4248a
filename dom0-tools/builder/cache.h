/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - kernels ready to load: each one is unpacked once
 *
 * A kernel is known by its content: the entry keeps the original file and is used only when that is
 * equal, byte for byte, so no two kernels can be confused. The unpacked image carries a checksum that
 * is verified at every use. A damaged or unreadable entry is dropped and made again; a cache that
 * cannot be written only costs time.
 */
#ifndef VANE_CACHE_H
#define VANE_CACHE_H

#include "../lib/vane.h"
#include "kernel.h"

#define VANE_CACHE_DIR "/var/cache/vane/kernels"

/* A parsed kernel and the memory it points into. */
struct loaded_kernel {
    struct kernel k;
    void *map;              /* mmap'ed or malloc'ed, see mapped */
    size_t map_len;
    bool mapped, from_cache;
};

/* Read @path, unpack or find it in the cache, and judge it. @dir NULL: no cache. */
int kernel_load(struct vane *v, const char *path, const char *dir, struct loaded_kernel *out)
    MUST_CHECK;
void kernel_unload(struct loaded_kernel *lk);

#endif
