/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target.h - the side that gets the guest */
#ifndef VANE_MIGRATE_TARGET_H
#define VANE_MIGRATE_TARGET_H

#include "record.h"

/*
 * Serve one connection: @from the sender, @to it. It may be ours (with an offer), xl, or a source that comes
 * back to a migration begun earlier. 0: served; -errno recorded: no guest came of it (what was promised is in
 * the record).
 */
int migrate_target(struct vane *v, int from, int to, bool paused) MUST_CHECK;

/* Finish what a process here left undone, without the source: see the record's state afterwards. */
int migrate_recover_target(struct vane *v, const struct migrate_record *r) MUST_CHECK;

/* The operator's word: the source is dead for good, start the copy here (@here); or drop it. */
int migrate_decide_target(struct vane *v, const struct migrate_record *r, bool here) MUST_CHECK;

/* Refuses a domain that is a copy which waits for its source: only the protocol, or the operator's word, starts it. */
int migrate_may_start(struct vane *v, const struct vane_dom *d) MUST_CHECK;

#endif
