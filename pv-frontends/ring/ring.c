/* SPDX-License-Identifier: MIT */
/* Ring index arithmetic; owns nothing. Invariants R1..R3 are in ring.h. */
#include "ring.h"

void pv_ring_init(struct pv_ring *r, void *memory, unsigned pages, uint32_t entry_size)
{
    uint32_t room = (pages * PV_PAGE_SIZE - (uint32_t)sizeof(struct pv_sring)) / entry_size;

    memset(memory, 0, (size_t)pages * PV_PAGE_SIZE);
    *r = (struct pv_ring){ .shared = memory, .size = 1, .entry_size = entry_size };
    while (r->size * 2 <= room)
        r->size *= 2;
    r->shared->req_event = r->shared->rsp_event = 1;
}

uint32_t pv_ring_free(const struct pv_ring *r)
{
    return r->broken ? 0 : r->size - (r->req_prod - r->rsp_cons);
}

uint32_t pv_ring_next_index(const struct pv_ring *r)
{
    return r->req_prod & (r->size - 1);
}

void *pv_ring_request(struct pv_ring *r)
{
    return r->shared->entries + (size_t)(r->req_prod++ & (r->size - 1)) * r->entry_size;
}

bool pv_ring_push(struct pv_ring *r)
{
    uint32_t old = r->shared->req_prod, new = r->req_prod;

    pv_wmb();                           /* entries before the index that shows them */
    pv_write_once(r->shared->req_prod, new);
    pv_mb();                            /* the index before we look whether the other side sleeps */
    return new - pv_read_once(r->shared->req_event) < new - old;
}

int pv_ring_responses(struct pv_ring *r)
{
    uint32_t waiting = pv_read_once(r->shared->rsp_prod) - r->rsp_cons;

    if (r->broken || waiting > r->req_prod - r->rsp_cons) {     /* R2 */
        r->broken = true;
        return -XEN_EIO;
    }
    pv_rmb();                           /* the index before the entries it shows */
    return (int)waiting;
}

uint32_t pv_ring_take(struct pv_ring *r, void *copy, size_t size)
{
    uint32_t slot = r->rsp_cons++ & (r->size - 1);

    pv_copy_once(copy, r->shared->entries + (size_t)slot * r->entry_size, size);
    return slot;
}

bool pv_ring_rearm(struct pv_ring *r, uint32_t n)
{
    const uint32_t due = r->req_prod - r->rsp_cons;

    pv_write_once(r->shared->rsp_event, r->rsp_cons + (n < due ? n : due > 0 ? due : 1));
    pv_mb();
    return pv_ring_responses(r) != 0;
}

void pv_ids_init(struct pv_ids *ids, unsigned size)
{
    *ids = (struct pv_ids){ .nr_free = size, .size = size };
    for (unsigned i = 0; i < size; i++)
        ids->free[i] = (uint16_t)(size - 1 - i);
}

int pv_ids_get(struct pv_ids *ids)
{
    if (ids->nr_free == 0)
        return -XEN_ENOSPC;
    unsigned id = ids->free[--ids->nr_free];
    ids->busy[id / 64] |= 1UL << (id % 64);
    return (int)id;
}

bool pv_ids_put(struct pv_ids *ids, uint64_t id)
{
    if (id >= ids->size || !(ids->busy[id / 64] & (1UL << (id % 64))))
        return false;
    ids->busy[id / 64] &= ~(1UL << (id % 64));
    ids->free[ids->nr_free++] = (uint16_t)id;
    return true;
}
