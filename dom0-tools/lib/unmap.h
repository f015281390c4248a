/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unmap.h - let go of pages that xenforeignmemory_map() gave */
#ifndef VANE_UNMAP_H
#define VANE_UNMAP_H

#include <stddef.h>

struct vane;

/* @nr pages at @window, as xenforeignmemory_unmap(); @window NULL: nothing. One thread of a handle at a time. */
void vane_unmap(struct vane *v, void *window, size_t nr);

#endif
