/* SPDX-License-Identifier: MIT */
/*
 * grants.h - giving frames to a back end, and taking them back
 *
 *   G1  an entry is free, given, or stuck: a reference that the other side still maps when we end it stays stuck
 *       until it is seen unmapped; its frame must not be reused before.
 *   G2  the flags word is written last when giving and exchanged when ending, so the hypervisor never sees half
 *       an entry.
 */
#ifndef PV_GRANTS_H
#define PV_GRANTS_H

#include "pv_port.h"

#define PV_GRANTS_RESERVED 8

struct pv_grants {
    struct grant_entry_v1 *table;
    uint32_t free_head;                 /* list through the frame field of free entries; 0 = none */
    uint32_t nr_free, size;
};

/* Take over the whole table but the reserved entries. */
void pv_grants_init(struct pv_grants *g);
/* Let @to access @frame: the reference, or -ENOSPC. */
int pv_grant_give(struct pv_grants *g, domid_t to, uint64_t frame, bool read_only);
/* 0: nobody uses the frame any more, the reference is free. -EBUSY: still mapped, ask again later (G1). */
int pv_grant_end(struct pv_grants *g, grant_ref_t ref);

#endif
