/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirty_log_priv.h - the log itself; private to mm/dirty_log*.c and its tests */
#ifndef PARAVANE_DIRTY_LOG_PRIV_H
#define PARAVANE_DIRTY_LOG_PRIV_H

#include "bitmap.h"
#include "types.h"

#define EPOCH_MAX 15            /* key 0 belongs to no epoch */

struct dirty_log {
    uint64_t pfns;              /* fixed: bits in the map */
    uint64_t *bits[2];          /* atomic ops, by pfn: of this round, and of the one before, which is being handed out */
    _Atomic unsigned now;       /* which is this round's; changed with the domain paused */
    _Atomic bool active;
    /* changed under DOMCTL with the domain paused */
    unsigned epoch;             /* 1..EPOCH_MAX: the key through which writes are allowed now */
    bool paused;                /* an interrupted call left the domain paused: whoever finishes it unpauses */
    bool sweeping;              /* a sweep was interrupted */
    uint64_t cursor;            /* next frame of the sweep */
    unsigned from;              /* the map that is being handed out */
    bool owed;                  /* a CLEAN failed half way: what it did not hand out is in either map */
    uint64_t copied;            /* pages that an interrupted CLEAN or PEEK has handed out */
    uint32_t dirty;             /* of those, dirty */
    bool reading;               /* an interrupted CLEAN or PEEK: copied and dirty are valid */
    _Atomic uint32_t faults;    /* since the last CLEAN */
    struct dirty_log *older;    /* outgrown, kept for who still holds the pointer: I1 */
};

#endif
