/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cards.h - the network cards of a guest that stands still (guest.h has the rest) */
#ifndef VANE_MIGRATE_CARDS_H
#define VANE_MIGRATE_CARDS_H

#include "../lib/handle.h"

/*
 * The guest goes on at this host, perhaps after another has told the network that it is there: tell it where it is. What
 * cannot be told it will tell itself, when it sends.
 */
void cards_stay(struct vane *v, const struct vane_dom *d);

#endif
