/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame_table.c - the frame table's birth, and the two owners that are no domains
 *
 * Frames start as "not RAM". What is never handed over (firmware, holes, device memory inside the table's range)
 * stays so: no counts, never freed, mapped only by domains with the I/O right.
 */
#include "mm/frame.h"

#include "bug.h"
#include "domain/domain.h"
#include "mm/frame_alloc.h"

_Static_assert(FRAME_DOMID_IO == DOMID_IO && FRAME_DOMID_XEN == DOMID_XEN, "the ABI's ids");

struct frame *frame_table;
uint64_t *m2p_table;
uint64_t max_mfn;
uint64_t max_maddr_mfn;

struct domain dom_io = { .id = DOMID_IO }, dom_xen = { .id = DOMID_XEN };

void frame_table_init(struct frame *table, uint64_t *m2p, uint64_t nr, unsigned phys_bits)
{
    BUG_ON(nr > 1UL << 32);                 /* struct frame links by 32-bit frame numbers */
    for (uint64_t i = 0; i < nr; i++) {
        table[i] = (struct frame){ .next = 0 };
        atomic_init(&table[i].ref, FRAME_DOMID_IO << FRAME_OWNER_SHIFT);
    }
    frame_table = table;
    m2p_table = m2p;
    max_mfn = nr;
    max_maddr_mfn = 1UL << (MIN(phys_bits, MAX_PHYS_BITS) - PAGE_SHIFT);
}

void frame_mark_hv(mfn_t first, mfn_t end)
{
    for (mfn_t m = first; m.n < end.n && mfn_valid(m); m.n++) {
        atomic_store_explicit(&frame_of(m)->ref, (FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | 1, memory_order_relaxed);
        m2p_set(m, M2P_INVALID);
    }
}
