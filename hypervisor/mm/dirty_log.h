/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty_log.h - which frames of a domain were written since the log was last read (ABI: XEN_DOMCTL_shadow_op)
 */
#ifndef PARAVANE_DIRTY_LOG_H
#define PARAVANE_DIRTY_LOG_H

#include "domain/domain.h"

void dirty_log_mark_slow(struct domain *d, mfn_t m);

/* The hypervisor, or another domain, wrote to @d's RAM frame @m. Any context that may touch the frame. */
static inline void dirty_log_mark(struct domain *d, mfn_t m)
{
    if (unlikely(READ_ONCE(d->mm.log) != NULL))
        dirty_log_mark_slow(d, m);
}

#endif
