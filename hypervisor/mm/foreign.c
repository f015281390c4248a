/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign.c - on whose behalf, and on which CPUs
 */
#include "mm/foreign.h"

#include "hv_errno.h"
#include "machine.h"
#include "mm/frame.h"

int foreign_get(struct vcpu *v, unsigned domid, struct domain **out)
{
    struct domain *const self = v->domain;

    if (likely(domid == DOMID_SELF)) {
        *out = self;
        return 0;
    }
    if (domid == self->id)
        return -ESRCH;                                  /* H11: one way to name oneself */
    if (domid == DOMID_IO) {
        *out = &dom_io;                                 /* the right is judged per frame */
        return 0;
    }
    if (domid == DOMID_XEN) {
        *out = &dom_xen;
        return self->privileged ? 0 : -EPERM;
    }
    if (domid >= DOMID_FIRST_RESERVED)
        return -ESRCH;

    struct domain *d = domain_lookup((domid_t)domid);

    if (!d)
        return -ESRCH;
    if (!self->privileged) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
}

void foreign_put(const struct vcpu *v, struct domain *d)
{
    if (d != v->domain && d != &dom_io && d != &dom_xen)
        domain_put(d);
}

int vcpumask_to_cpus(struct vcpu *v, gva_t va, cpumask_t *out)
{
    struct domain *const d = v->domain;
    uint64_t words[BITMAP_WORDS(MAX_VCPUS)] = { 0 };

    out->bits = 0;
    if (guest_copy_in(words, va, (d->max_vcpus + 7) / 8))
        return -EFAULT;
    for (unsigned i = bitmap_next_set(words, d->max_vcpus, 0); i < d->max_vcpus;
         i = bitmap_next_set(words, d->max_vcpus, i + 1)) {
        const struct vcpu *other = domain_vcpu(d, i);

        if (other)
            out->bits |= 1UL << READ_ONCE(other->sched.cpu) | 1UL << READ_ONCE(other->cpu.tlb_cpu);
    }
    out->bits &= domain_dirty_cpus(d).bits | 1UL << this_cpu();
    return 0;
}
