/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign.h - the foreigndom argument of mmu calls, and vCPU masks; private to mm/
 */
#ifndef PARAVANE_FOREIGN_H
#define PARAVANE_FOREIGN_H

#include "domain/domain.h"

/* ABI: the top bit of a count says "continued": set by us, so never trusted for more than adding up *pdone. */
#define MMU_UPDATE_PREEMPTED (1U << 31)

/*
 * Whose frames a call speaks of. DOMID_SELF: the caller's; DOMID_IO: dom_io; DOMID_XEN (privileged): dom_xen; another domain
 * (privileged): that one, with a reference. 0, -ESRCH (unknown, or the caller by number: H11), -EPERM.
 */
MUST_CHECK int foreign_get(struct vcpu *v, unsigned domid, struct domain **out);
void foreign_put(const struct vcpu *v, struct domain *d);

/* The vCPU bitmap at @va, in the guest's words: every CPU that may hold translations of one of them. -EFAULT. */
MUST_CHECK int vcpumask_to_cpus(struct vcpu *v, gva_t va, cpumask_t *out);
/* Every CPU that may hold translations of @d's tables. */
static inline cpumask_t domain_dirty_cpus(const struct domain *d)
{
    return (cpumask_t){ READ_ONCE(d->mm.dirty_cpus.bits) };
}

#endif
