/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heap_metal.c - small objects out of whole frames (on the host, malloc does this: tests/fakes/heap_fake.c)
 *
 * A size class (16 .. 2048, powers of two) cuts pages into equal slots. A slot that is free holds the index of the next
 * free one. What we know of a page is kept in its struct frame, never in the page, so an overrun cannot reach it:
 *   type            class shift (8) | slots in use (16) | first free slot (16), or BIG | order
 *   next, prev      list of the class's pages with a free slot
 * Bigger objects are blocks of pages. Every slot is naturally aligned.
 */
#include "heap.h"

#include "bug.h"
#include "lock.h"
#include "machine.h"
#include "mm/frame_alloc.h"

#define MIN_SHIFT 4
#define MAX_SHIFT 11
#define NO_SLOT 0xffffUL
#define BIG (1UL << 56)

static spinlock_t slab_lock = SPINLOCK_INIT(SLAB);
static uint32_t partial[MAX_SHIFT + 1];         /* under slab_lock */

struct slab { unsigned shift, used, first_free; };

static struct slab slab_read(const struct frame *f)
{
    const uint64_t w = atomic_load_explicit(&f->type, memory_order_relaxed);

    return (struct slab){ (unsigned)(w >> 32) & 0xff, (unsigned)(w >> 16) & 0xffff, (unsigned)w & 0xffff };
}

static void slab_write(struct frame *f, struct slab s)
{
    atomic_store_explicit(&f->type, (uint64_t)s.shift << 32 | (uint64_t)s.used << 16 | s.first_free,
                          memory_order_relaxed);
}

static void partial_add(struct frame *f, unsigned shift)
{
    f->prev = 0;
    f->next = partial[shift];
    if (f->next)
        frame_table[f->next].prev = (uint32_t)mfn_of(f).n;
    partial[shift] = (uint32_t)mfn_of(f).n;
}

static void partial_del(struct frame *f, unsigned shift)
{
    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        partial[shift] = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    f->next = f->prev = 0;
}

static uint16_t *slot_ptr(mfn_t m, struct slab s, unsigned i)
{
    return (uint16_t *)((char *)frame_ptr(m) + ((size_t)i << s.shift));
}

static struct frame *slab_create(unsigned shift)
{
    const mfn_t m = frame_alloc_hv(0, 0);

    if (mfn_eq(m, MFN_INVALID))
        return NULL;

    const struct slab s = { .shift = shift };
    const unsigned slots = (unsigned)(PAGE_SIZE >> shift);

    for (unsigned i = 0; i < slots; i++)
        *slot_ptr(m, s, i) = (uint16_t)(i + 1 < slots ? i + 1 : NO_SLOT);
    slab_write(frame_of(m), s);
    return frame_of(m);
}

static void *alloc_small(unsigned shift)
{
    spin_lock(&slab_lock);
    if (partial[shift] == 0) {
        /* HEAP is inside SLAB: no reason to let go, but the flush and scrub in there must not run under a lock. */
        spin_unlock(&slab_lock);
        struct frame *fresh = slab_create(shift);
        if (!fresh)
            return NULL;
        spin_lock(&slab_lock);
        partial_add(fresh, shift);
    }

    struct frame *f = frame_of(mfn(partial[shift]));
    struct slab s = slab_read(f);
    uint16_t *slot = slot_ptr(mfn_of(f), s, s.first_free);

    s.first_free = *slot;
    s.used++;
    slab_write(f, s);
    if (s.first_free == NO_SLOT)
        partial_del(f, shift);
    spin_unlock(&slab_lock);

    __builtin_memset(slot, 0, 1UL << shift);
    return slot;
}

static unsigned order_for(size_t size)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < size)
        order++;
    return order;
}

void *heap_alloc(size_t size)
{
    unsigned shift = MIN_SHIFT;

    if (size > 1UL << 30)
        return NULL;
    if (size <= 1UL << MAX_SHIFT) {
        while (1UL << shift < size)
            shift++;
        return alloc_small(shift);
    }

    const unsigned order = order_for(size);
    void *p = heap_alloc_pages(order);

    if (p)
        atomic_store(&frame_of(ptr_frame(p))->type, BIG | order);
    return p;
}

void heap_free(void *p)
{
    if (!p)
        return;

    const mfn_t m = ptr_frame(p);
    struct frame *f = frame_of(m);
    const uint64_t word = atomic_load(&f->type);

    if (word & BIG) {
        heap_free_pages(p, (unsigned)(word & 0xff));
        return;
    }

    spin_lock(&slab_lock);
    struct slab s = slab_read(f);
    const unsigned index = (unsigned)(((uintptr_t)p & (PAGE_SIZE - 1)) >> s.shift);
    const bool was_full = s.first_free == NO_SLOT;

    BUG_ON(s.used == 0 || ((uintptr_t)p & ((1UL << s.shift) - 1)));
    *slot_ptr(m, s, index) = (uint16_t)s.first_free;
    s.first_free = index;
    s.used--;
    slab_write(f, s);
    if (was_full)
        partial_add(f, s.shift);
    if (s.used == 0)
        partial_del(f, s.shift);
    spin_unlock(&slab_lock);
    if (s.used == 0)
        heap_free_pages(frame_ptr(m), 0);
}

void *heap_alloc_array(size_t n, size_t size)
{
    size_t total;

    return __builtin_mul_overflow(n, size, &total) ? NULL : heap_alloc(total);
}

void *heap_alloc_pages(unsigned order)
{
    const mfn_t m = frame_alloc_hv(order, 0);

    return mfn_eq(m, MFN_INVALID) ? NULL : frame_ptr(m);
}

void heap_free_pages(void *p, unsigned order)
{
    if (!p)
        return;
    atomic_store(&frame_of(ptr_frame(p))->type, 0);
    frame_free_hv(ptr_frame(p), order);
}
