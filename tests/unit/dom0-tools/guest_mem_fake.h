/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_mem_fake.h - a guest's memory in one malloc'ed block, behind builder/guest_mem.h
 *
 * Frames have mfns far from their pfns, so that mixing the two shows. Memory starts full of 0xa5: what
 * the builder did not write is recognised.
 */
#ifndef GUEST_MEM_FAKE_H
#define GUEST_MEM_FAKE_H

#include <stdlib.h>
#include <string.h>

#include "../../../dom0-tools/builder/guest_mem.h"

#define FAKE_MFN(pfn) (0x100000ull + (pfn) * 3)
#define FAKE_JUNK 0xa5

struct guest_mem {
    uint64_t pages;
    uint8_t *mem;
    unsigned open;          /* windows mapped now */
    unsigned refuse_after;  /* let gm_map() fail from this call on; 0: never */
    unsigned calls;
};

uint64_t gm_pages(const struct guest_mem *gm)
{
    return gm->pages;
}

uint64_t gm_mfn(const struct guest_mem *gm, uint64_t pfn)
{
    return pfn < gm->pages ? FAKE_MFN(pfn) : ~0ull;
}

void *gm_map(struct guest_mem *gm, uint64_t pfn, size_t nr)
{
    gm->calls++;
    if (nr == 0 || pfn >= gm->pages || nr > gm->pages - pfn ||
        (gm->refuse_after && gm->calls >= gm->refuse_after))
        return NULL;
    gm->open++;
    return gm->mem + pfn * 4096;
}

void gm_unmap(struct guest_mem *gm, void *window, size_t nr)
{
    (void)window;
    (void)nr;
    gm->open--;
}

static inline void fake_init(struct guest_mem *gm, uint64_t pages)
{
    *gm = (struct guest_mem){ .pages = pages, .mem = malloc(pages * 4096) };
    memset(gm->mem, FAKE_JUNK, pages * 4096);
}

static inline void fake_free(struct guest_mem *gm)
{
    free(gm->mem);
}

/* The pfn behind an mfn, or ~0. */
static inline uint64_t fake_pfn(const struct guest_mem *gm, uint64_t mfn)
{
    uint64_t pfn = (mfn - 0x100000ull) / 3;

    return mfn >= 0x100000ull && FAKE_MFN(pfn) == mfn && pfn < gm->pages ? pfn : ~0ull;
}

#endif
