/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disks.h - the disks of a guest that stands still, on their way from one host to another */
#ifndef VANE_MIGRATE_DISKS_H
#define VANE_MIGRATE_DISKS_H

#include "../config/config.h"
#include "../lib/vane.h"

/*
 * Wait until the back ends have answered every request that the suspended guest has made, flush the devices and take
 * them from the back ends: another host may open them. A request that were still under way could overtake what
 * the guest writes at its new place; what that host read too early could be out of date.
 */
int disks_release(struct vane *v, uint32_t domid) MUST_CHECK;
/* Give the domain's back ends what its configuration names; nothing to do for those that have it. */
int disks_open(struct vane *v, const struct vane_dom *d) MUST_CHECK;
int disks_open_of(struct vane *v, uint32_t domid, const struct vane_config *cfg) MUST_CHECK;

#endif
