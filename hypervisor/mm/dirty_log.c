/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty_log.c - which frames of a domain were written
 *
 *   I1  A log, once made, lives as long as the domain's frames: who marks needs no lock.
 */
#include "mm/dirty_fault.h"
#include "mm/dirty_log.h"

#include "mm/dirty_log_priv.h"
#include "mm/frame_alloc.h"

void dirty_log_mark_slow(struct domain *d, mfn_t m)
{
    struct dirty_log *log = d->mm.log;
    const uint64_t pfn_value = m2p_get(m);

    /* The guest chooses what its M2P entries say: bounded here, and wrong only for itself. */
    if (atomic_load(&log->active) && pfn_value < log->pfns)
        bitmap_atomic_set(log->bits, (unsigned)pfn_value);
}

bool dirty_log_fault(struct vcpu *v, gva_t va)
{
    (void)v;
    (void)va;
    return false;       /* no domain is logged yet */
}
