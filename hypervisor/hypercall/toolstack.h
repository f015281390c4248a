/* SPDX-License-Identifier: GPL-2.0-or-later */
/* toolstack.h - between the files of sysctl and domctl; nobody else includes it */
#ifndef PARAVANE_TOOLSTACK_H
#define PARAVANE_TOOLSTACK_H

#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "hypercall/hypercall.h"

/* ---- bitmap.c: sets of CPUs or nodes as the tools pass them ---- */

/* Copy in; bits we have no CPU for are dropped. -EFAULT, -EINVAL: longer than any machine's. */
MUST_CHECK int toolstack_bitmap_in(const struct xenctl_bitmap *b, uint64_t *bits);
/* Copy out, the rest of the caller's buffer zeroed. Errors as above. */
MUST_CHECK int toolstack_bitmap_out(const struct xenctl_bitmap *b, uint64_t bits);

/* ---- domain_info.c ---- */

void toolstack_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/*
 * CPU policies in their serialised form. @export writes at most @max leaves and returns how many there are, or -errno.
 * NULL handles ask for sizes. On success the counts have been updated.
 */
struct policy_out {
    XEN_GUEST_HANDLE_64(xen_cpuid_leaf_t) leaves;
    XEN_GUEST_HANDLE_64(xen_msr_entry_t) msrs;
    uint32_t *nr_leaves, *nr_msrs;
};
MUST_CHECK int toolstack_policy_out(struct policy_out *p, struct domain *d, unsigned system_index);

/* ---- sysctl operations: @s is our copy; *@copy_back asks for it to be copied out ---- */

typedef long sysctl_fn(struct vcpu *v, struct xen_sysctl *s, bool *copy_back);

sysctl_fn sysctl_physinfo, sysctl_cputopoinfo, sysctl_numainfo, sysctl_getcpuinfo, sysctl_availheap,    /* sysctl_host.c */
    sysctl_sched_id, sysctl_scheduler_op, sysctl_cpupool_op, sysctl_pcitopoinfo,
    sysctl_cpu_policy, sysctl_cpu_featureset, sysctl_levelling_caps;                                    /* sysctl_cpuid.c */

/*
 * ---- domctl operations ----
 * @d is referenced and is what op->domain named (NULL for createdomain); @c is our copy. *@copy_back asks for it to be
 * copied out, on errors too. -ERESTART: call again with the same arguments. All under the DOMCTL lock.
 */
typedef long domctl_fn(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back);

domctl_fn domctl_createdomain, domctl_max_vcpus, domctl_destroydomain, domctl_pausedomain, domctl_unpausedomain,
    domctl_resumedomain, domctl_setdomainhandle, domctl_getdomaininfo, domctl_max_mem, domctl_address_size,
    domctl_set_address_size, domctl_hypercall_init,                                             /* domctl_domain.c */
    domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo, domctl_setvcpuaffinity, domctl_getvcpuaffinity,
    domctl_sendtrigger,                                                                         /* domctl_vcpu.c */
    domctl_set_ext_vcpucontext, domctl_get_ext_vcpucontext, domctl_setvcpuextstate, domctl_getvcpuextstate,
    domctl_set_vcpu_msrs, domctl_get_vcpu_msrs,                                                 /* domctl_vcpu_state.c */
    domctl_scheduler_op, domctl_setnodeaffinity, domctl_getnodeaffinity, domctl_settscinfo, domctl_gettscinfo,
    domctl_settimeoffset, domctl_irq_permission, domctl_iomem_permission, domctl_ioport_permission,
    domctl_set_cpu_policy, domctl_get_cpu_policy, domctl_getpageframeinfo3,                     /* domctl_settings.c */
    domctl_shadow_op;                                                                           /* domctl_shadow.c */

#endif
