/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the front half of a shared request/response ring, against a back end that may lie
 *
 *   R1  nothing is ever read twice from the shared page, and nothing read there is used as an index, a length or
 *       an id before it was checked here.
 *   R2  rsp_cons <= rsp_prod <= req_prod as distances: a back end cannot answer more than it was asked.
 *   R3  a ring found broken stays broken: every later call says -EIO, and its memory is granted until the device
 *       is closed.
 *
 * ABI: io/ring.h. Layout: four u32 indices, 48 bytes of padding, then a power of two of equal entries.
 */
#ifndef PV_RING_H
#define PV_RING_H

#include "pv_port.h"

struct pv_sring {                       /* shared */
    uint32_t req_prod, req_event, rsp_prod, rsp_event;
    uint8_t pad[48];
    uint8_t entries[];
};

struct pv_ring {
    struct pv_sring *shared;
    uint32_t size;                      /* entries, a power of two */
    uint32_t entry_size;
    uint32_t req_prod;                  /* ours; what the back end was told is shared->req_prod */
    uint32_t rsp_cons;
    bool broken;
};

/* Set up an empty ring in @pages pages at @memory for entries of @entry_size bytes. */
void pv_ring_init(struct pv_ring *r, void *memory, unsigned pages, uint32_t entry_size);

/* Requests that can be made now; 0 when broken. */
uint32_t pv_ring_free(const struct pv_ring *r);
/* Slot of the next request, to be filled by the caller; only while pv_ring_free() > 0. Not yet published. */
void *pv_ring_request(struct pv_ring *r);
/* Index (mod size) the next pv_ring_request() will use: netfront receives by slot, not by id. */
uint32_t pv_ring_next_index(const struct pv_ring *r);
/* Publish what was requested; true: the back end wants to be told by an event. */
bool pv_ring_push(struct pv_ring *r);

/* Answers waiting: a count, or -EIO when the back end's index is impossible (R2). */
int pv_ring_responses(struct pv_ring *r);
/* Copy @size bytes (a multiple of 4, at most entry_size) of the next answer to @copy; only while pv_ring_responses() > 0.
 * Returns its slot. */
uint32_t pv_ring_take(struct pv_ring *r, void *copy, size_t size);
/* After the last answer: ask for an event when @n more have come, or all that are due if these are fewer (at the next one
 * with n = 1). True: some came meanwhile, look again. */
bool pv_ring_rearm(struct pv_ring *r, uint32_t n);

/* Ids of requests under way: what the back end may answer to, once. */
#define PV_IDS_MAX 256
struct pv_ids {
    uint16_t free[PV_IDS_MAX];
    uint64_t busy[PV_IDS_MAX / 64];
    unsigned nr_free, size;
};

void pv_ids_init(struct pv_ids *ids, unsigned size);
/* An id, or -ENOSPC. */
int pv_ids_get(struct pv_ids *ids);
/* Take back @id: true if it was under way. Anything else is the back end's lie. */
bool pv_ids_put(struct pv_ids *ids, uint64_t id);
static inline unsigned pv_ids_busy(const struct pv_ids *ids)
{
    return ids->size - ids->nr_free;
}

#endif
