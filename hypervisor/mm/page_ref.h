/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_ref.h - plain references: a frame with one cannot be freed or change its owner
 *
 * The allocation itself is one reference (FRAME_F_ALLOCATED). When the last one goes the frame is freed: stamped
 * with the TLB epoch, and scrubbed after the flush, before reuse (XSA-511).
 */
#ifndef PARAVANE_PAGE_REF_H
#define PARAVANE_PAGE_REF_H

#include "mm/frame.h"

/* The owner field of a domain's frames; dom_io and dom_xen included. */
uint64_t page_ref_owner_bits(const struct domain *owner);

/*
 * The only way from a guest-supplied frame number to a frame: range, owner, reference, or false with nothing done
 * (XSA-32, 167, 430).
 */
MUST_CHECK bool page_ref_get(mfn_t m, const struct domain *owner);
/* As page_ref_get for whoever owns it; *@owner gets its domid. Fails on free frames. */
MUST_CHECK bool page_ref_get_any(mfn_t m, domid_t *owner);
/* One more, by somebody who holds one already. */
void page_ref_dup(mfn_t m);
/* Drop one; the last one frees the frame. Takes PAGE and HEAP then: hold nothing ranked inside PAGE. */
void page_ref_put(mfn_t m);
/* Drop the allocation reference (decrease_reservation, teardown). False: it was already dropped. */
MUST_CHECK bool page_ref_drop_allocation(mfn_t m, struct domain *owner);

#endif
