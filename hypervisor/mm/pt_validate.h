/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_validate.h - the one judge of page-table entries, and the walks over whole tables; private to mm/
 */
#ifndef PARAVANE_PT_VALIDATE_H
#define PARAVANE_PT_VALIDATE_H

#include "mm/page_type.h"
#include "mm/pt_update.h"

/* Bits in which two present entries of one frame may differ without any reference changing hands (XSA-148, 182). */
#define L1E_FREE_BITS (PTE_A | PTE_D | PTE_G | PTE_AVAIL | PTE_AVAIL_HIGH | PTE_NX)
#define TABLE_FREE_BITS (PTE_A | PTE_D | PTE_AVAIL | PTE_AVAIL_HIGH)

/* What we make of a present entry of a guest before judging it: usable by ring 3, key 0. */
static inline uint64_t l1e_fixed(uint64_t e) { return (e & ~PTE_PKEY) | PTE_US; }

/*
 * Judge the present L1 entry *@e (already fixed) in a table of @d for a frame of @pg_owner, and take its references: one plain, and
 * one WRITABLE if RW; none for frames that are not RAM. May clear RW (read-only device pages).
 * 0; -EINVAL (bits, frame, owner), -EPERM (I/O or hypervisor frame without the right), -EBUSY (RW to a table), -ERANGE.
 */
MUST_CHECK int l1e_get(struct domain *d, struct domain *pg_owner, uint64_t *e);
/* Give back what the present entry @e holds. */
void l1e_put(uint64_t e);

/*
 * The same for an entry of a table of type @t (L2..L4): one plain and one type reference on the table below. May raise bits
 * in *@e. Errors of page_get_and_type (-ERESTART: nothing held); putting may yield, then the references are still held.
 */
MUST_CHECK int table_entry_get(struct domain *d, enum page_type t, uint64_t *e);
MUST_CHECK int table_entry_put(uint64_t e);
static inline bool l4_slot_is_ours(unsigned i) { return i >= 256 && i < 272; }

/* Take the references of entries [*@progress, 512). On any error exactly those below *@progress are held. */
MUST_CHECK int table_validate(mfn_t m, struct domain *d, enum page_type t, unsigned *progress);
/* Give back those of [0, *@progress), from the top; 0 or -ERESTART. Never the latter for L1. */
MUST_CHECK int table_release(mfn_t m, enum page_type t, unsigned *progress);
/* A descriptor page: 0 or -EINVAL; touches nothing but the page. */
MUST_CHECK int seg_validate(mfn_t m);

#endif
