/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.h - what the files that write a stream share */
#ifndef VANE_SAVE_H
#define VANE_SAVE_H

#include "guest_view.h"
#include "stream_io.h"

int guest_suspend(struct vane *v, const struct vane_dom *d) MUST_CHECK;
/* save_state.c: everything but memory. The guest is suspended for the tail. */
int save_policy(struct vane *v, uint32_t domid, struct stream_out *o) MUST_CHECK;
int save_tail(struct vane *v, const struct vane_dom *d, const struct guest_view *g,
              struct stream_out *o) MUST_CHECK;

#endif
