/* SPDX-License-Identifier: MIT */
/* blk_io.h - between blkfront.c, which makes and breaks connections, and blk_io.c, which uses them */
#ifndef PV_BLK_IO_H
#define PV_BLK_IO_H

#include "blkfront.h"

/* Put every request under way into the new ring of @q (after a resume) and tell the back end. */
void blk_reissue(struct blkfront *b, unsigned q);
/* Wait, within the time a request may take, until nothing of queue @q is under way. */
void blk_drain(struct blkfront *b, unsigned q);

#endif
