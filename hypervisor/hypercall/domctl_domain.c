/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domctl_domain.c - domctl operations on a domain's life: create, run, stop, destroy, look at
 *
 * ABI: domctl.h; abi-map 2.16.
 */
#include <string.h>

#include "domain/domain.h"
#include "emul/emul.h"
#include "hypercall/toolstack.h"
#include "mm/dirty_log.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "print.h"

/* ABI: a negative number of frames means the default, which is also the most we give. */
static int frame_limit(int32_t wanted, unsigned dflt, unsigned *out)
{
    if (wanted > (int32_t)dflt)
        return -EINVAL;
    *out = wanted < 0 ? dflt : (unsigned)wanted;
    return 0;
}

static int check_create(const struct xen_domctl *c, struct domain_create_args *a)
{
    const struct xen_domctl_createdomain *p = &c->u.createdomain;

    /* Anything but a plain PV guest is not here; unknown bits are unknown wishes. */
    if (p->flags != 0 || p->iommu_opts != 0 || p->vmtrace_size != 0 || p->arch.emulation_flags != 0 ||
        (p->arch.misc_flags & ~(uint32_t)XEN_X86_MSR_RELAXED) != 0)
        return -EINVAL;
    if (p->max_vcpus == 0 || p->max_vcpus > MAX_VCPUS || p->cpupool_id != 0 || p->grant_opts != 1)
        return -EINVAL;
    *a = (struct domain_create_args){ .id = c->domain > 0 && c->domain < MAX_DOMID ? c->domain : DOMID_INVALID,
                                      .max_vcpus = p->max_vcpus,
                                      .max_evtchn_port = MIN(p->max_evtchn_port, MAX_EVTCHNS - 1u),
                                      .ssidref = p->ssidref };
    memcpy(a->handle, p->handle, sizeof(a->handle));
    const int rc = frame_limit(p->max_grant_frames, GRANT_FRAMES_DEFAULT, &a->max_grant_frames);
    return rc != 0 ? rc : frame_limit(p->max_maptrack_frames, MAPTRACK_FRAMES_DEFAULT, &a->max_maptrack_frames);
}

long domctl_createdomain(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct domain_create_args args;
    struct domain *made;

    (void)v, (void)d;
    int rc = check_create(c, &args);
    if (rc == 0 && machine_guests_unsafe()) {
        pr_warn("domain: refused: this CPU does not isolate PV guests; xpti=no allows trusted ones\n");
        rc = -EOPNOTSUPP;
    }
    if (rc == 0)
        rc = domain_create(&args, &made);
    if (rc != 0)
        return rc;
    c->domain = made->id;
    domain_put(made);
    *copy_back = true;
    return 0;
}

/* ABI: what createdomain said, or -EINVAL; done before that call, it makes the vCPUs. */
long domctl_max_vcpus(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)copy_back;
    if (c->u.max_vcpus.max != d->max_vcpus)
        return -EINVAL;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (domain_vcpu(d, i))
            continue;
        if (hypercall_preempt())
            return -ERESTART;
        const int rc = domain_create_vcpu(d, i);
        if (rc != 0)
            return rc;
    }
    return 0;
}

long domctl_destroydomain(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)c, (void)copy_back;
    return domain_kill(d);
}

long domctl_pausedomain(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)c, (void)copy_back;
    domain_controller_pause(d);
    return 0;
}

long domctl_unpausedomain(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)c, (void)copy_back;
    return domain_controller_unpause(d);
}

long domctl_resumedomain(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)c, (void)copy_back;
    return domain_resume(d);
}

long domctl_setdomainhandle(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)copy_back;
    spin_lock(&d->lock);
    memcpy(d->handle, c->u.setdomainhandle.handle, sizeof(d->handle));
    spin_unlock(&d->lock);
    return 0;
}

long domctl_getdomaininfo(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v;
    toolstack_domain_info(d, &c->u.getdomaininfo);
    c->domain = d->id;
    *copy_back = true;
    return 0;
}

/* ABI: not compared with what the domain has; a lower limit only keeps it from growing. */
long domctl_max_mem(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const uint64_t pages = c->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    (void)v, (void)copy_back;
    spin_lock(&d->mm.lock);
    d->mm.max_pages = MIN(pages, (uint64_t)INT32_MAX);
    spin_unlock(&d->mm.lock);
    return 0;
}

long domctl_address_size(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)d;
    c->u.address_size.size = 64;
    *copy_back = true;
    return 0;
}

long domctl_set_address_size(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    (void)v, (void)d, (void)copy_back;
    return c->u.address_size.size == 64 ? 0 : -EINVAL;
}

long domctl_hypercall_init(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const mfn_t m = mfn(c->u.hypercall_init.gmfn);

    (void)v, (void)copy_back;
    if (!page_ref_get(m, d))
        return -EINVAL;
    int rc = page_type_get(m, d, PGT_WRITABLE);
    if (rc == 0) {
        hypercall_page_fill(frame_ptr(m));
        dirty_log_mark(d, m);
        page_type_put_leaf(m, d);
    }
    page_ref_put(m);
    return rc == -EBUSY ? -EPERM : rc;
}
