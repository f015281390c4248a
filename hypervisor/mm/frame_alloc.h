/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame_alloc.h - who gets which frame
 *
 * Buddy lists per order, in address zones so that DMA-limited requests (address_bits) can be served without a search;
 * a low reserve is kept for them. A frame on a free list may still be in somebody's TLB: it is handed out only
 * after every CPU has flushed since its stamp (tlb_flush_since), and zeroed after that.
 */
#ifndef PARAVANE_FRAME_ALLOC_H
#define PARAVANE_FRAME_ALLOC_H

#include "domain/domain.h"
#include "mm/frame.h"

/* Boot: hand [first, end) RAM frames to the allocator. */
void frame_alloc_add(mfn_t first, mfn_t end);
uint64_t frame_free_count(void);
/* Frames not claimed by anybody: what a create may count on. */
uint64_t frame_unclaimed_count(void);

/* 2^order frames below 2^addr_bits bytes (0: anywhere), owner DOMID_XEN, zeroed. MFN_INVALID when there are none. */
MUST_CHECK mfn_t frame_alloc_hv(unsigned order, unsigned addr_bits);
void frame_free_hv(mfn_t m, unsigned order);

/*
 * 2^order frames for @d, each with its allocation reference, counted and listed, zeroed, M2P invalid.
 * 0, -ENOMEM (none, or past max_pages), -EINVAL (dying).
 */
MUST_CHECK int frame_alloc_domain(struct domain *d, unsigned order, unsigned addr_bits, mfn_t *out);
/* Boot: make the RAM frame @m, not on a free list (a boot module), a frame of @d as above, contents kept. */
int frame_adopt(struct domain *d, mfn_t m);
/* XENMEM_exchange: take @m from @d if nothing but the allocation refers to it; -EBUSY otherwise. Freed by the call. */
int frame_steal_and_free(struct domain *d, mfn_t m);
/* Let @d map a page of ours: shared_info, grant frames (FRAME_F_SHARED). Undone by frame_unshare. */
void frame_share_with_guest(mfn_t m, struct domain *d);
/* Drop our own reference; the frame is freed when the guest's mappings are gone too. */
void frame_unshare(mfn_t m, struct domain *d);
/* page_ref_put found the last reference gone. */
void frame_free_last(mfn_t m);

int domain_claim_pages(struct domain *d, uint64_t pages);

/* ---- TLB epochs (mm/tlb_epoch.c) ----
 * A global counter and, per CPU, its value at that CPU's last full flush. stamp(): read at the moment a mapping went
 * away. flush_since(stamp): flush every CPU that has not flushed since, then advance the epoch, so that a batch of
 * frames with the same stamp costs one round of IPIs. tlb_epoch_flushed() is called by cpu/ just before it reloads CR3.
 */
uint64_t tlb_epoch_now(void);
void tlb_flush_since(uint64_t stamp);
void tlb_epoch_flushed(unsigned cpu);

/* ---- machine-to-physical table ---- */
#define M2P_INVALID (~0UL)
void m2p_set(mfn_t m, uint64_t pfn);
uint64_t m2p_get(mfn_t m);

#endif
