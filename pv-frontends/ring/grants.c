/* SPDX-License-Identifier: MIT */
/* The grant pool; owns the table's entries from 8 up. Invariants G1, G2 are in grants.h. */
#include "grants.h"

void pv_grants_init(struct pv_grants *g)
{
    unsigned entries = 0;

    *g = (struct pv_grants){ 0 };
    g->table = pv_grant_table(&entries);
    g->size = g->table != NULL ? entries : 0;
    for (uint32_t ref = g->size; ref-- > PV_GRANTS_RESERVED;) {
        g->table[ref] = (struct grant_entry_v1){ .frame = g->free_head };
        g->free_head = ref;
        g->nr_free++;
    }
}

int pv_grant_give(struct pv_grants *g, domid_t to, uint64_t frame, bool read_only)
{
    uint32_t ref = g->free_head;

    if (ref == 0 || frame > UINT32_MAX)
        return -XEN_ENOSPC;
    g->free_head = g->table[ref].frame;
    g->nr_free--;
    g->table[ref].frame = (uint32_t)frame;
    g->table[ref].domid = to;
    __atomic_store_n(&g->table[ref].flags, (uint16_t)(GTF_permit_access | (read_only ? GTF_readonly : 0)),
                     __ATOMIC_RELEASE);                                 /* G2 */
    return (int)ref;
}

int pv_grant_end(struct pv_grants *g, grant_ref_t ref)
{
    uint16_t flags = pv_read_once(g->table[ref].flags);

    do {
        if (flags & (GTF_reading | GTF_writing))
            return -XEN_EBUSY;                                          /* G1 */
    } while (!__atomic_compare_exchange_n(&g->table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    g->table[ref].frame = g->free_head;
    g->free_head = ref;
    g->nr_free++;
    return 0;
}
