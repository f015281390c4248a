/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heap.h - the hypervisor's own memory
 *
 * heap_alloc returns zeroed memory, at least 16-byte aligned (64 for sizes >= 64), or NULL. On the host it is
 * malloc, so that ASan sees every overrun. heap_free(NULL) is harmless. Pages are whole zeroed frames owned by
 * nobody (DOMID_XEN): no guest can map them unless they are given away by frame_share_with_guest().
 * May be called by anyone holding locks ranked outside HEAP, never from interrupt context.
 */
#ifndef PARAVANE_HEAP_H
#define PARAVANE_HEAP_H

#include "types.h"

MUST_CHECK void *heap_alloc(size_t size);
void heap_free(void *p);
/* Zeroed array, NULL on overflow of n * size. */
MUST_CHECK void *heap_alloc_array(size_t n, size_t size);

/* 2^order contiguous zeroed pages, naturally aligned; NULL when there are none. */
MUST_CHECK void *heap_alloc_pages(unsigned order);
void heap_free_pages(void *p, unsigned order);

#endif
