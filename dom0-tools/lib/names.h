/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - what domains are called, remembered between commands of one process (cmd_worker.c) */
#ifndef VANE_NAMES_H
#define VANE_NAMES_H

#include "store.h"
#include "vane.h"

/* From now on: names are read once and watched. Fails in silence: then they are read each time. */
void names_keep(struct vane *v);

/*
 * Inside a transaction that has read the list of domains since it began: the name of @domid, in the table
 * or asked for. "" when it has none.
 */
void names_get(struct vane *v, struct store_io *io, uint32_t domid, char name[256]);

/* Forget domains that are not among list[0..n). */
void names_only(struct vane *v, struct store_io *io, char **list, unsigned n);

#endif
