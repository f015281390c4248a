/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame_alloc.h - who gets which frame
 *
 * Buddy lists per order, in address zones so that DMA-limited requests (address_bits) can be served without a search;
 * a low reserve is kept for them. A frame on a free list may still be in somebody's TLB: it is handed out only
 * after every CPU has flushed since its stamp (tlb_flush_since), and zeroed after that, by an idle CPU or when it is taken.
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
/* The same with whatever they held before: for our own buffers that are written before they are read (dom0/). */
MUST_CHECK mfn_t frame_alloc_hv_uncleared(unsigned order);
void frame_free_hv(mfn_t m, unsigned order);

/*
 * 2^order frames for @d, each with its allocation reference, counted and listed, zeroed, M2P invalid.
 * 0, -ENOMEM (none, or past max_pages), -EINVAL (dying).
 */
MUST_CHECK int frame_alloc_domain(struct domain *d, unsigned order, unsigned addr_bits, mfn_t *out);
/* The same for Dom0's plain memory at boot: contents undefined (clearing 20 GiB takes for ever). */
MUST_CHECK int frame_alloc_dom0_uncleared(struct domain *d, unsigned order, mfn_t *out);
/* Boot: make the RAM frame @m, not on a free list (a boot module), a frame of @d as above, contents kept. */
int frame_adopt(struct domain *d, mfn_t m);
/*
 * XENMEM_exchange, in two phases so that a failure half way loses nothing. steal: @m is ours now (as from frame_alloc_hv)
 * if nothing but the allocation referred to it, else -EBUSY, or -EINVAL: not @d's. give: a frame of ours becomes @d's
 * (contents kept, M2P = @pfn_value), -EINVAL when dying. Both leave tot_pages alone: a frame in between is still paid
 * for. uncharge: @n frames will not come back.
 */
MUST_CHECK int frame_steal(struct domain *d, mfn_t m);
MUST_CHECK int frame_give(struct domain *d, mfn_t m, uint64_t pfn_value);
void frame_uncharge(struct domain *d, uint64_t n);
/* Let @d map a page of ours: shared_info, grant frames (FRAME_F_SHARED). Undone by frame_unshare. */
void frame_share_with_guest(mfn_t m, struct domain *d);
/* Drop our own reference; the frame is freed when the guest's mappings are gone too. */
void frame_unshare(mfn_t m, struct domain *d);
/* For page_ref.c: the exchange that took the last reference replaced @old_ref; unlink, account, free. */
void frame_free_last(mfn_t m, uint64_t old_ref);
/* The frames of a free block, or of a stolen page, go to the free lists; counts are 0 and no list names them. */
void frame_free_block(mfn_t m, unsigned order);
/*
 * The same for @n frames that a domain held, linked by next from @first to @last: an idle CPU clears them before somebody
 * needs them, if there is time.
 */
void frame_free_uncleared(mfn_t first, mfn_t last, unsigned n);
/* Is there anything for frame_scrub_some() to clear? It clears a few frames. Idle CPUs, interrupts on. */
bool frame_scrub_wanted(void);
void frame_scrub_some(void);
/* Of stamp_progress, while a frame is free and until its taker resets it: it holds zeros. */
#define FRAME_CLEAN (1UL << 63)
/* Take a free block (zeroed where FRAME_CLEAN says so, counts 0, stale translations possible: *@stamp), for @claimant's claim or nobody's. */
MUST_CHECK mfn_t frame_take_block(unsigned order, unsigned addr_bits, struct domain *claimant, uint64_t *stamp);

/* ABI: XENMEM_claim_pages. @pages is the domain's wanted total (0: give the claim back). 0, -ENOMEM, -EINVAL. */
int domain_claim_pages(struct domain *d, uint64_t pages);
/* domain_mm_destroy: what is left of its claim. */
void frame_drop_claim(struct domain *d);
/* Free lists are well formed and count what they hold. Machine quiescent. */
void frame_alloc_audit(void);

/* ---- TLB epochs (mm/tlb_epoch.c) ----
 * A stamp is taken after a mapping went away; tlb_flush_since(stamp) flushes every CPU that has not flushed since. A
 * batch of frames stamped before one flush costs that one flush. See the head of tlb_epoch.c for the proof.
 */
uint64_t tlb_epoch_now(void);
/* Interrupts on. */
void tlb_flush_since(uint64_t stamp);
/* cpu/: called with interrupts off just before CR3 is loaded; every full flush should report itself. */
void tlb_epoch_flushed(unsigned cpu);
/*
 * cpu/: @cpu loads tables without guest mappings (idle) and is skipped until it reports tlb_epoch_flushed() again, which it
 * must do just before it loads a guest's tables. Optional.
 */
void tlb_epoch_idle(unsigned cpu);

/* ---- machine-to-physical table ---- */
#define M2P_INVALID (~0UL)
/* @m is RAM. */
static inline void m2p_set(mfn_t m, uint64_t pfn_value) { WRITE_ONCE(m2p_table[m.n], pfn_value); }
static inline uint64_t m2p_get(mfn_t m) { return READ_ONCE(m2p_table[m.n]); }

#endif
