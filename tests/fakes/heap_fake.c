/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * heap_fake.c - heap.h over malloc, so that ASan sees each overrun; pages come from the frame allocator, because callers
 * turn them into frame numbers. fake_heap_fail_at(k) makes the k-th allocation from now fail (0: never).
 */
#include <stdlib.h>

#include "heap.h"
#include "heap_fake.h"
#include "machine.h"
#include "mm/frame_alloc.h"

static _Thread_local unsigned fail_in;
long fake_heap_live;

void fake_heap_fail_at(unsigned k) { fail_in = k; }
bool fake_heap_fail_pending(void) { return fail_in != 0; }

static bool must_fail(void) { return fail_in && --fail_in == 0; }

void *heap_alloc(size_t size)
{
    const size_t align = size >= 64 ? 64 : 16, room = ROUND_UP(size ? size : 1, align);
    void *p = must_fail() ? NULL : aligned_alloc(align, room);

    if (p) {
        __builtin_memset(p, 0, room);
        __atomic_add_fetch(&fake_heap_live, 1, __ATOMIC_RELAXED);
    }
    return p;
}

void heap_free(void *p)
{
    if (p)
        __atomic_sub_fetch(&fake_heap_live, 1, __ATOMIC_RELAXED);
    free(p);
}

void *heap_alloc_array(size_t n, size_t size)
{
    size_t total;

    return __builtin_mul_overflow(n, size, &total) ? NULL : heap_alloc(total);
}

void *heap_alloc_pages(unsigned order)
{
    const mfn_t m = must_fail() ? MFN_INVALID : frame_alloc_hv(order, 0);

    return mfn_eq(m, MFN_INVALID) ? NULL : frame_ptr(m);
}

void heap_free_pages(void *p, unsigned order)
{
    if (p)
        frame_free_hv(ptr_frame(p), order);
}
