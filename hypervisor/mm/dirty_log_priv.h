/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirty_log_priv.h - the log itself; private to mm/dirty_log*.c */
#ifndef PARAVANE_DIRTY_LOG_PRIV_H
#define PARAVANE_DIRTY_LOG_PRIV_H

#include "bitmap.h"
#include "types.h"

struct dirty_log {
    uint64_t pfns;              /* fixed: bits in the map */
    uint64_t *bits;             /* atomic ops, by pfn */
    _Atomic bool active;
};

#endif
