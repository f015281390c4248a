/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty_log.h - which frames of a domain were written since the log was last read (ABI: XEN_DOMCTL_shadow_op)
 *
 * Writes through the guest's own mappings are caught by protection keys, without touching RW (docs: why): see
 * dirty_log.c. Everything else that writes into a domain's memory calls dirty_log_mark() itself.
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

/* Is @d logged? Then *@pkru is what a CPU that runs it must have in PKRU, with CR4.PKE set. For context switches. */
bool dirty_log_pkru_slow(const struct domain *d, uint32_t *pkru);
static inline bool dirty_log_pkru(const struct domain *d, uint32_t *pkru)
{
    return unlikely(READ_ONCE(d->mm.log) != NULL) && dirty_log_pkru_slow(d, pkru);
}

/* ---- domctl, under DOMCTL; @d is not the caller's. All may return -ERESTART: call again with the same arguments. ---- */

/* -EINVAL: on already, no vCPUs. -EOPNOTSUPP: the CPU has no protection keys. -ENOMEM. */
MUST_CHECK int dirty_log_enable(struct domain *d);
MUST_CHECK int dirty_log_off(struct domain *d);
/*
 * Copy @pages bits to @bitmap (a guest handle; 0: do not copy), and with @clean start a new round. What lies beyond the
 * domain reads 0. *@dirty, *@faults: the statistics of what was copied. -EINVAL: not logged; -EFAULT.
 */
MUST_CHECK int dirty_log_read(struct domain *d, gva_t bitmap, uint64_t pages, bool clean, uint32_t *dirty,
                              uint32_t *faults);
/* domain_mm_destroy. */
void dirty_log_destroy(struct domain *d);
/* Every key in @d's tables is 0 or an epoch; tests: no entry with the current key names a clean frame. Quiescent. */
void dirty_log_audit(struct domain *d);

#endif
