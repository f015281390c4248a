/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disks.h - a suspended guest's disks before somebody else writes to them */
#ifndef VANE_MIGRATE_DISKS_H
#define VANE_MIGRATE_DISKS_H

#include "../lib/vane.h"

/*
 * Wait until the back end has answered every request that the suspended guest has made, then flush the devices.
 * A request that were still under way could otherwise overtake what the guest writes at its new place.
 */
int disks_settle(struct vane *v, uint32_t domid) MUST_CHECK;

#endif
