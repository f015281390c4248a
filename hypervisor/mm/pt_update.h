/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_update.h - one judge for page-table entries, whichever way they come
 *
 * mmu_update, update_va_mapping, emulated stores to read-only tables, grant maps into page tables and validation
 * all go through pt_validate.c. Fast paths are allow-lists of bits (XSA-148, 182).
 */
#ifndef PARAVANE_PT_UPDATE_H
#define PARAVANE_PT_UPDATE_H

#include "domain/domain.h"

#define PTE_P (1UL << 0)
#define PTE_RW (1UL << 1)
#define PTE_US (1UL << 2)
#define PTE_PWT (1UL << 3)
#define PTE_PCD (1UL << 4)
#define PTE_A (1UL << 5)
#define PTE_D (1UL << 6)
#define PTE_PS (1UL << 7)       /* in an L1 entry: PAT */
#define PTE_G (1UL << 8)
#define PTE_AVAIL (7UL << 9)
#define PTE_ADDR 0x000ffffffffff000UL
#define PTE_AVAIL_HIGH (0x7ffUL << 52)
#define PTE_PKEY (15UL << 59)   /* ours in present L1 entries: design of dirty logging */
#define PTE_NX (1UL << 63)
static inline mfn_t pte_mfn(uint64_t e) { return mfn((e & PTE_ADDR) >> PAGE_SHIFT); }

/*
 * Replace the L1 entry at machine address @slot (in an L1 table of @v's domain, plain+type reference held by the
 * caller) by @val, for frames owned by @pg_owner. @preserve_ad: OR in A and D set meanwhile. With @cmpxchg_old,
 * the store happens only if the entry still equals *@cmpxchg_old, else -EAGAIN and *@cmpxchg_old is updated.
 * -EINVAL, -EPERM, -EBUSY, -ERANGE: refused, entry unchanged. Does not flush.
 */
MUST_CHECK int pt_update_l1(struct vcpu *v, maddr_t slot, uint64_t val, struct domain *pg_owner, bool preserve_ad,
                            uint64_t *cmpxchg_old);

/* A plain and an L1 type reference on the table at @slot (8-byte aligned), if it is one of @d's and validated already. */
MUST_CHECK bool pt_hold_l1(struct domain *d, maddr_t slot, uint64_t **entry);
void pt_release_l1(maddr_t slot);

/* ---- walks (pt_walk.c): hints, see its head ---- */

/* Walk @v's current kernel tables (through the direct map) to the L1 slot that maps @va; false when there is none. */
bool pt_walk_l1(struct vcpu *v, gva_t va, maddr_t *slot);
/* The same in the tables at @root. */
bool pt_walk_slot(mfn_t root, gva_t va, maddr_t *slot);
/* The entry that maps @va in @v's *active* tables (user tables in user mode), 0 if none: for the fault paths. */
uint64_t pt_walk_leaf(struct vcpu *v, gva_t va);
/* The same in the kernel tables, whatever the mode (LDT). */
uint64_t pt_walk_kernel_leaf(struct vcpu *v, gva_t va);

/*
 * A write fault from guest kernel mode on a present read-only page: if it hits an L1 table of the domain, apply the
 * store (emul/pt_write.c decodes it) with full validation. False: not ours, deliver the fault. For current.
 */
bool pt_emulate_write(struct vcpu *v, gva_t va);

/*
 * For grants. Map: *@slot's entry is replaced by the present @pte, whose frame the caller holds a plain reference on (and a
 * WRITABLE one if @pte has RW); the entry takes its own, so that an entry overwritten behind the grant's back gives back
 * its own and no more. Unmap: only if the entry still names @expect's frame with the same P and RW (XSA-234), else
 * -EINVAL; it becomes 0. The caller flushes.
 * @va_or_slot is a linear address, or with @is_slot the machine address of the entry (8-byte aligned, in an L1 table
 * of @v's domain: XSA-227). -EINVAL: no such slot, or cache bits without the right.
 */
MUST_CHECK int pt_grant_map(struct vcpu *v, uint64_t va_or_slot, bool is_slot, uint64_t pte);
MUST_CHECK int pt_grant_unmap(struct vcpu *v, uint64_t va_or_slot, bool is_slot, uint64_t expect);

/* ---- roots (roots.c): NEW_BASEPTR, NEW_USER_BASEPTR, set_context ----
 *
 * References move from old to new; the old one is dropped last and may go to v->pending_put. @v is current or does not
 * run. 0, -EINVAL, -EBUSY (not an L4, not @v's domain's), -ERESTART (nothing changed yet: call again).
 */
MUST_CHECK int pt_set_kernel_root(struct vcpu *v, mfn_t root);
MUST_CHECK int pt_set_user_root(struct vcpu *v, mfn_t root);       /* MFN_INVALID: none */
/* Drop both (vCPU reset, teardown); @v does not run. -ERESTART: call again. */
MUST_CHECK int pt_drop_roots(struct vcpu *v);

/* ---- what could not be dropped in one go ---- */

/* Finish what v->pending_put holds; -ERESTART. Called first by every mmu call. */
MUST_CHECK int pt_finish_pending(struct vcpu *v);
/* Drop a plain and a type reference now, or leave it to pt_finish_pending. There is room for PENDING_PUTS a call. */
void pt_put_or_defer(struct vcpu *v, mfn_t m);

/* May @d map @m that is not RAM of somebody? (io_caps; MMIO holds no references.) */
bool iomem_allowed(struct domain *d, mfn_t m);

#endif
