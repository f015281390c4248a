/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_mem.h - the builder's whole view of a guest: frames by pfn
 *
 * Two implementations, chosen at link time: guest_mem_xen.c (foreign mappings) and the tests' fake.
 * Everything else in builder/ is pure.
 */
#ifndef VANE_GUEST_MEM_H
#define VANE_GUEST_MEM_H

#include <stddef.h>
#include <stdint.h>

struct guest_mem;

/* How many frames there are: pfns are 0 .. gm_pages()-1. */
uint64_t gm_pages(const struct guest_mem *gm);
/* The machine frame behind a pfn below gm_pages(). */
uint64_t gm_mfn(const struct guest_mem *gm, uint64_t pfn);
/* A writable window on @nr frames from @pfn on; NULL when out of range or out of memory. */
void *gm_map(struct guest_mem *gm, uint64_t pfn, size_t nr);
void gm_unmap(struct guest_mem *gm, void *window, size_t nr);

#endif
