/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_view.h - a running (or suspended) PV guest as the sender sees it
 *
 * The guest's P2M, found through its shared info, and the hypervisor's M2P. A frame belongs to the
 * guest's map only when both agree: the guest writes the P2M, and may lie.
 */
#ifndef VANE_GUEST_VIEW_H
#define VANE_GUEST_VIEW_H

#include "../lib/vane.h"
#include "format.h"

struct guest_view {
    struct vane *v;
    uint32_t domid;
    const uint64_t *m2p;        /* indexed by mfn */
    uint64_t m2p_entries;
    void *shared;               /* one page, read only */
    uint64_t max_pfn;           /* inclusive */
    const uint64_t *p2m;        /* the guest's list, read only */
    uint64_t p2m_frames;
    uint64_t *p2m_mfn;          /* the frames of that list */
    size_t m2p_frames;
};

int view_open(struct vane *v, const struct vane_dom *d, struct guest_view *g) MUST_CHECK;
void view_close(struct guest_view *g);
/* The guest may have moved its P2M: map it anew. */
int view_refresh(struct guest_view *g) MUST_CHECK;

/* The machine frame of @pfn, or ~0 when there is none of the guest's own behind it. */
uint64_t view_mfn(const struct guest_view *g, uint64_t pfn);
/* The other way; ~0 for a frame that is not in the guest's map. */
uint64_t view_pfn(const struct guest_view *g, uint64_t mfn);

/* What each of @n (<= BATCH_PAGES) frames is: enum page_kind into @kind. */
int view_kinds(struct guest_view *g, const uint64_t *mfn, unsigned *kind, unsigned n) MUST_CHECK;

/*
 * Rewrite a table of @level from machine frames to pfns. False when an entry names a frame that is not
 * the guest's: fatal once the guest is suspended, a page to send later before that.
 */
bool view_table_to_pfns(const struct guest_view *g, unsigned level, uint64_t *table);

#endif
