/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables.c - Dom0's first page tables
 *
 * Plain stores into frames that have no type yet. The caller then pins the root like any guest's: page_type
 * validates every entry, so a mistake here is an error message and not a hole.
 *
 *   I1  no page-table page is mapped writable.
 *   I2  table pages come from two pools, in pfn order: those of the initial mapping lie inside it (the kernel finds
 *       nr_tables of them at v_tables, the root first); those that map the P2M list follow the list.
 */
#include "dom0/builder.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/pt_update.h"

#define L1_PROT (PTE_P | PTE_RW | PTE_US | PTE_A)
#define TABLE_PROT (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static unsigned index_of(uint64_t va, unsigned level)
{
    return (unsigned)(va >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
}

/* The next page of a pool; MFN_INVALID when it is used up. */
static mfn_t take_table(struct builder *b, bool for_p2m)
{
    if (for_p2m)
        return b->p2m_tables_used < b->l.nr_p2m_tables
                   ? memory_mfn(b, b->l.p2m_pfn + b->l.nr_p2m + b->p2m_tables_used++) : MFN_INVALID;
    return b->tables_used < b->l.nr_tables
               ? memory_mfn(b, builder_pfn(b, b->l.v_tables) + b->tables_used++) : MFN_INVALID;
}

/* The L1 entry for @va, making the tables above it as needed; NULL when the pool is empty. */
static uint64_t *l1_slot(struct builder *b, uint64_t va, bool for_p2m)
{
    uint64_t *table = frame_ptr(b->root);

    for (unsigned level = 4; level > 1; level--) {
        uint64_t *e = &table[index_of(va, level)];
        if (!(*e & PTE_P)) {
            const mfn_t m = take_table(b, for_p2m);
            if (mfn_eq(m, MFN_INVALID))
                return NULL;
            *e = mfn_to_maddr(m).n | TABLE_PROT;
        }
        table = frame_ptr(pte_mfn(*e));
    }
    return &table[index_of(va, 1)];
}

static int map_range(struct builder *b, uint64_t va, uint64_t first_pfn, uint64_t n, bool for_p2m)
{
    const uint64_t tables = builder_pfn(b, b->l.v_tables);
    uint64_t *slot = NULL;

    for (uint64_t i = 0; i < n; i++, va += PAGE_SIZE, slot++) {
        if (!slot || index_of(va, 1) == 0)
            slot = l1_slot(b, va, for_p2m);
        if (!slot)
            return -ENOMEM;
        const uint64_t p = first_pfn + i;
        const bool is_table = p >= tables && p < tables + b->l.nr_tables;
        *slot = mfn_to_maddr(memory_mfn(b, p)).n | (is_table ? L1_PROT & ~PTE_RW : L1_PROT);      /* I1 */
    }
    return 0;
}

int tables_build(struct builder *b)
{
    b->root = take_table(b, false);
    if (mfn_eq(b->root, MFN_INVALID))
        return -ENOMEM;
    const int rc = map_range(b, b->l.v_start, 0, b->l.nr_mapped, false);
    if (rc || b->l.nr_p2m_tables == 0)
        return rc;
    return map_range(b, b->l.v_p2m, b->l.p2m_pfn, b->l.nr_p2m, true);
}
