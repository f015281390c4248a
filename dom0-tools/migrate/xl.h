/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xl.h - the target's side of xl's protocol, for a sender that is xl */
#ifndef VANE_MIGRATE_XL_H
#define VANE_MIGRATE_XL_H

#include "../stream/stream.h"

/* The configuration has been read. Until GO nothing of it stays when anything fails. */
int xl_receive(struct vane *v, int from, int to, struct stream_in *in, struct vane_config *cfg, bool paused)
    MUST_CHECK;

#endif
