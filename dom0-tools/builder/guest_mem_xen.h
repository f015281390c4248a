/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_mem_xen.h - guest memory that is a real domain's */
#ifndef VANE_GUEST_MEM_XEN_H
#define VANE_GUEST_MEM_XEN_H

#include "../lib/vane.h"
#include "guest_mem.h"

/*
 * Claim and allocate @pages frames for @domid, pfns 0 .. pages-1. NULL with the error recorded; frames
 * already given to the domain go away with it.
 */
struct guest_mem *gm_xen_populate(struct vane *v, uint32_t domid, uint64_t pages);
/* Releases windows and the table of frames, not the frames. */
void gm_xen_free(struct guest_mem *gm);

#endif
