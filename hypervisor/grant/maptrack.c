/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maptrack.c - the handles of a mapping domain
 *
 * Handles index an array of chunks that never move; `handles` says how far it reaches and only grows. Free ones are
 * linked. Each domain has its own list, nobody takes from another's (XSA-228). An entry in use changes under the GRANT
 * lock of the granter it names.
 */
#include "grant/table.h"

#include "bug.h"
#include "heap.h"

struct maptrack *maptrack_of(const struct grant_table *gt, uint32_t handle)
{
    return handle < atomic_load_explicit(&gt->handles, memory_order_acquire)
        ? &gt->chunk[handle / MAPTRACK_PER_CHUNK][handle % MAPTRACK_PER_CHUNK] : NULL;
}

/* Lock held, free list empty. False: limit reached or no memory. */
static bool add_chunk(struct grant_table *gt)
{
    const uint32_t first = atomic_load(&gt->handles), idx = first / MAPTRACK_PER_CHUNK;
    struct maptrack *chunk;

    if (idx >= gt->max_chunks || idx >= MAPTRACK_NONE / MAPTRACK_PER_CHUNK)
        return false;
    chunk = heap_alloc_array(MAPTRACK_PER_CHUNK, sizeof(*chunk));
    if (!chunk)
        return false;
    for (uint32_t i = 0; i < MAPTRACK_PER_CHUNK; i++)
        chunk[i].next_free = i + 1 < MAPTRACK_PER_CHUNK ? first + i + 1 : MAPTRACK_NONE;
    gt->chunk[idx] = chunk;
    atomic_store_explicit(&gt->handles, first + MAPTRACK_PER_CHUNK, memory_order_release);
    gt->free_head = first;
    return true;
}

uint32_t maptrack_alloc(struct domain *d)
{
    struct grant_table *gt = d->grants;
    uint32_t handle = MAPTRACK_NONE;

    spin_lock(&gt->maptrack_lock);
    if (gt->free_head != MAPTRACK_NONE || add_chunk(gt)) {
        handle = gt->free_head;
        gt->free_head = maptrack_of(gt, handle)->next_free;
        gt->live++;
    }
    spin_unlock(&gt->maptrack_lock);
    return handle;
}

void maptrack_free(struct domain *d, uint32_t handle)
{
    struct grant_table *gt = d->grants;
    struct maptrack *m = maptrack_of(gt, handle);

    BUG_ON(!m);
    WRITE_ONCE(m->flags, 0);
    m->closing = false;
    spin_lock(&gt->maptrack_lock);
    m->next_free = gt->free_head;
    gt->free_head = handle;
    gt->live--;
    spin_unlock(&gt->maptrack_lock);
}
