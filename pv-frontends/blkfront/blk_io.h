/* SPDX-License-Identifier: MIT */
/* blk_io.h - between blkfront.c, which makes and breaks connections, and blk_io.c, which uses them */
#ifndef PV_BLK_IO_H
#define PV_BLK_IO_H

#include "blkfront.h"

/* Put every request under way into the new rings (after a resume) and tell the back end. */
void blk_reissue(struct blkfront *b);
/* Wait, within the time a request may take, until nothing is under way in ring @ring. */
void blk_drain(struct blkfront *b, unsigned ring);

#endif
