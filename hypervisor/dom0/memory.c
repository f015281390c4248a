/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.c - the new domain's frames, and its list of them
 *
 *   I1  every pfn below nr_pages is given exactly once; P2M[pfn] and M2P[mfn] are set together.
 *   I2  frames come from the ordinary domain allocation: counted, owned, zeroed.
 */
#include <string.h>

#include "dom0/builder.h"
#include "heap.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/frame_alloc.h"

#define P2M_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))
#define MAX_CHUNK_ORDER 18              /* 1 GiB */

static uint64_t *p2m_slot(const struct builder *b, uint64_t pfn)
{
    BUG_ON(pfn >= b->l.nr_pages);
    return (uint64_t *)frame_ptr(b->p2m_frame[pfn / P2M_PER_PAGE]) + pfn % P2M_PER_PAGE;
}

static void set_pfn(struct builder *b, uint64_t pfn, mfn_t m)
{
    *p2m_slot(b, pfn) = m.n;
    m2p_set(m, pfn);
}

mfn_t memory_mfn(const struct builder *b, uint64_t pfn)
{
    return mfn(*p2m_slot(b, pfn));
}

void *memory_ptr(const struct builder *b, uint64_t pfn)
{
    return frame_ptr(memory_mfn(b, pfn));
}

/* The list must exist before the first frame can be recorded in it; its own frames are recorded last. */
int memory_alloc_p2m(struct builder *b)
{
    const uint64_t n = b->l.nr_p2m;

    b->p2m_frame = heap_alloc_array(n, sizeof(*b->p2m_frame));
    if (!b->p2m_frame)
        return -ENOMEM;
    for (uint64_t i = 0; i < n; i++) {
        const int rc = frame_alloc_domain(b->d, 0, 0, &b->p2m_frame[i]);
        if (rc)
            return rc;
    }
    /* The list's last page has room for more than nr_pages: those slots say "no frame". */
    uint64_t *last = frame_ptr(b->p2m_frame[n - 1]);
    for (uint64_t i = b->l.nr_pages - (n - 1) * P2M_PER_PAGE; i < P2M_PER_PAGE; i++)
        last[i] = ~0UL;
    for (uint64_t i = 0; i < n; i++)
        set_pfn(b, b->l.p2m_pfn + i, b->p2m_frame[i]);
    return 0;
}

static unsigned order_below(uint64_t pages)
{
    return 63 - (unsigned)__builtin_clzl(pages);
}

/* @spare: memory the kernel is told is free; nobody relies on its contents, and clearing it all takes for ever. */
static int fill(struct builder *b, uint64_t from, uint64_t to, bool spare)
{
    unsigned limit = MAX_CHUNK_ORDER;

    for (uint64_t pfn = from; pfn < to;) {
        const unsigned order = MIN(order_below(to - pfn), limit);
        mfn_t m;
        const int rc = spare && b->d->privileged ? frame_alloc_dom0_uncleared(b->d, order, &m) :
                                                   frame_alloc_domain(b->d, order, 0, &m);
        if (rc == -ENOMEM && order > 0) {
            limit = order - 1;          /* fragmented: smaller from here on */
            continue;
        }
        if (rc)
            return rc;
        for (uint64_t i = 0; i < 1UL << order; i++)
            set_pfn(b, pfn + i, mfn(m.n + i));
        pfn += 1UL << order;
    }
    return 0;
}

int memory_fill(struct builder *b, uint64_t from, uint64_t to) { return fill(b, from, to, false); }
int memory_fill_spare(struct builder *b, uint64_t from, uint64_t to) { return fill(b, from, to, true); }

int memory_adopt(struct builder *b, uint64_t from, const struct boot_module *m)
{
    const mfn_t first = maddr_to_mfn(m->start);
    const uint64_t pages = ROUND_UP(m->size, PAGE_SIZE) >> PAGE_SHIFT;

    if (m->start.n & ~PAGE_MASK) {      /* a loader that does not align modules: copy */
        int rc = memory_fill(b, from, from + pages);
        const uint8_t *src = (const uint8_t *)frame_ptr(first) + (m->start.n & ~PAGE_MASK);
        for (uint64_t done = 0; rc == 0 && done < m->size; done += PAGE_SIZE)
            memcpy(memory_ptr(b, from + (done >> PAGE_SHIFT)), src + done, MIN(PAGE_SIZE, m->size - done));
        return rc;
    }
    for (uint64_t i = 0; i < pages; i++) {
        const int rc = frame_adopt(b->d, mfn(first.n + i));
        if (rc)
            return rc;
        set_pfn(b, from + i, mfn(first.n + i));
    }
    const uint64_t tail = m->size & ~PAGE_MASK;
    if (tail)
        memset((uint8_t *)frame_ptr(mfn(first.n + pages - 1)) + tail, 0, PAGE_SIZE - tail);
    return 0;
}

void memory_write(const struct builder *b, uint64_t va, const void *src, uint64_t n)
{
    const uint8_t *s = src;

    while (n) {
        const uint64_t offset = va & ~PAGE_MASK, chunk = MIN(PAGE_SIZE - offset, n);
        memcpy((uint8_t *)memory_ptr(b, builder_pfn(b, va)) + offset, s, chunk);
        va += chunk;
        s += chunk;
        n -= chunk;
    }
}
