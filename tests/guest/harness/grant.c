/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table lives at one va; entry flags are written last, so the hypervisor never sees half an entry. */
#include "grant.h"

static struct grant_entry_v1 *table;

bool grant_init(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 1 };
    uint64_t va;

    if (table != NULL)
        return true;
    set_xen_guest_handle(op.frame_list, &frame);
    long rc = hc_grant_table_op(GNTTABOP_setup_table, &op, 1);
    CHECK(rc == 0 && op.status == GNTST_okay, "setup_table: %ld, status %d", rc, op.status);
    if (rc != 0 || op.status != GNTST_okay)
        return false;
    va = mm_reserve_va(1);
    rc = mm_map(va, frame, PTE_KERNEL);
    CHECK(rc == 0, "mapping the table: %ld", rc);
    if (rc == 0)
        table = (struct grant_entry_v1 *)va;
    return rc == 0;
}

struct grant_entry_v1 *grant_entry(grant_ref_t ref)
{
    return &table[ref];
}

void grant_access(grant_ref_t ref, domid_t to, uint64_t mfn, unsigned flags)
{
    table[ref].frame = (uint32_t)mfn;
    table[ref].domid = to;
    __atomic_store_n(&table[ref].flags, (uint16_t)(GTF_permit_access | flags), __ATOMIC_SEQ_CST);
}

unsigned grant_flags(grant_ref_t ref)
{
    return READ_ONCE(table[ref].flags);
}

bool grant_revoke(grant_ref_t ref)
{
    uint16_t flags = READ_ONCE(table[ref].flags);

    return !(flags & (GTF_reading | GTF_writing)) &&
           __atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
