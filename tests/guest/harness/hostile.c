/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers of the hostile guests; own nothing but what they hand out. */
#include "hostile.h"

uint64_t slot_maddr(const void *table, unsigned slot)
{
    return (mm_mfn(table) << PAGE_SHIFT) + slot * sizeof(uint64_t);
}

bool tree_make(struct tree *t)
{
    uint64_t **all[] = { &t->l4, &t->l3, &t->l2, &t->l1, &t->leaf };
    int rc = 0;

    for (unsigned i = 0; i < 5; i++)
        *all[i] = page_alloc();
    t->l1[TREE_SLOT1] = PTE(mm_mfn(t->leaf), PTE_KERNEL);
    t->l2[TREE_SLOT2] = PTE(mm_mfn(t->l1), PTE_TABLE);
    t->l3[TREE_SLOT3] = PTE(mm_mfn(t->l2), PTE_TABLE);
    t->l4[TREE_SLOT4] = PTE(mm_mfn(t->l3), PTE_TABLE);
    for (unsigned i = 0; i < 4; i++)
        rc |= mm_protect(*all[i]);
    rc |= mm_pin(MMUEXT_PIN_L4_TABLE, mm_mfn(t->l4));
    CHECK(rc == 0, "building a tree: %d", rc);
    return rc == 0;
}

void tree_free(struct tree *t)
{
    uint64_t *all[] = { t->l4, t->l3, t->l2, t->l1, t->leaf };

    RC(mm_pin(MMUEXT_UNPIN_TABLE, mm_mfn(t->l4)), 0);
    for (unsigned i = 0; i < 5; i++) {
        if (i < 4)
            RC(mm_unprotect(all[i]), 0);
        page_free(all[i]);
    }
}

void refuse_entry(const char *what, uint64_t *table, unsigned slot, uint64_t value, long want)
{
    uint64_t before = READ_ONCE(table[slot]);
    long rc = mm_write_entry(slot_maddr(table, slot), value);

    if (want != 0)
        CHECK(rc == want, "%s: returned %ld, want %ld", what, rc, want);
    else
        CHECK(rc < 0, "%s: returned %ld, want an error", what, rc);
    CHECK(READ_ONCE(table[slot]) == before, "%s: the entry changed from %lx to %lx", what, before,
          READ_ONCE(table[slot]));
    if (rc == 0)
        mm_write_entry(slot_maddr(table, slot), before);
}

domid_t victim_domid(void)
{
    return (domid_t)cmdline_number("victim", DOMID_INVALID);
}

uint64_t victim_frame(void)
{
    return cmdline_number("victim_mfn", FRAME_BEYOND);
}

uint64_t hypervisor_frame(void)
{
    xen_pfn_t frames[4] = { 0 };
    struct xen_machphys_mfn_list list = { .max_extents = 4 };

    set_xen_guest_handle(list.extent_start, frames);
    return hc_memory_op(XENMEM_machphys_mfn_list, &list) == 0 ? frames[0] : 0;
}
