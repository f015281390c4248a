/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_info.c - what xl list shows of a domain
 *
 * A snapshot without locks: every field is read once; a list that is a moment old is what the tools expect.
 *
 * ABI: domctl.h struct xen_domctl_getdomaininfo.
 */
#include <string.h>

#include "hypercall/toolstack.h"
#include "mm/frame.h"
#include "sched/sched.h"

/* Flags and sums over the vCPUs. ABI: blocked only if all that are up are. */
static uint32_t sum_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t flags = XEN_DOMINF_blocked;

    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    domain_for_each_vcpu(d, v) {
        const uint32_t pause = atomic_load(&v->pause_flags);
        info->max_vcpu_id = v->id;
        info->cpu_time += sched_vcpu_cpu_time(v);
        if (pause & VPF_DOWN)
            continue;
        info->nr_online_vcpus++;
        if (!(pause & VPF_BLOCKED))
            flags &= ~XEN_DOMINF_blocked;
        if (atomic_load(&v->sched.running))
            flags |= XEN_DOMINF_running;
    }
    return info->nr_online_vcpus > 0 ? flags : 0;
}

void toolstack_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = d->id;
    info->flags = sum_vcpus(d, info) | (uint32_t)READ_ONCE(d->shutdown_code) << XEN_DOMINF_shutdownshift;
    if (domain_is_dying(d))
        info->flags |= XEN_DOMINF_dying;
    if (READ_ONCE(d->is_shut_down))
        info->flags |= XEN_DOMINF_shutdown;
    if (READ_ONCE(d->controller_pause_count) > 0)
        info->flags |= XEN_DOMINF_paused;
    info->tot_pages = READ_ONCE(d->mm.tot_pages);
    info->max_pages = MIN(READ_ONCE(d->mm.max_pages), (uint64_t)UINT32_MAX);       /* ABI: that is "no limit" */
    info->outstanding_pages = READ_ONCE(d->mm.claimed);
    info->shared_info_frame = d->shared_info_mfn.n;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->gpaddr_bits = (uint8_t)(PAGE_SHIFT + __builtin_ctzl(max_maddr_mfn | 1UL << (MAX_PHYS_BITS - PAGE_SHIFT)));
}
