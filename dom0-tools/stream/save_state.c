/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save_state.c - CPU policy, clock, shared info and vCPUs of a domain that is saved
 *
 * ABI: the order of records that libxc writes and expects: TSC_INFO, SHARED_INFO, then for every
 * online vCPU its contexts, machine frames rewritten to pfns.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/handle.h"
#include "save.h"

int save_policy(struct vane *v, uint32_t domid, struct stream_out *o)
{
    DECLARE_HYPERCALL_BUFFER(xen_cpuid_leaf_t, leaves);
    DECLARE_HYPERCALL_BUFFER(xen_msr_entry_t, msrs);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_get_cpu_policy, .domain = (domid_t)domid };
    struct iovec part;
    int rc = 0;

    op.u.cpu_policy.nr_leaves = 256;
    op.u.cpu_policy.nr_msrs = 64;
    leaves = xc_hypercall_buffer_alloc(v->xc, leaves, 256 * sizeof(*leaves));
    msrs = xc_hypercall_buffer_alloc(v->xc, msrs, 64 * sizeof(*msrs));
    if (leaves && msrs) {
        set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
        set_xen_guest_handle(op.u.cpu_policy.msrs, msrs);
    }
    if (!leaves || !msrs || xc_domctl(v->xc, &op) < 0) {
        rc = vane_fail(v, -errno, NULL, "cannot read the domain's CPU policy: %s", strerror(errno));
    } else {
        part = (struct iovec){ leaves, op.u.cpu_policy.nr_leaves * sizeof(*leaves) };
        rc = out_record(o, REC_CPUID_POLICY, &part, 1);
        part = (struct iovec){ msrs, op.u.cpu_policy.nr_msrs * sizeof(*msrs) };
        if (rc == 0 && op.u.cpu_policy.nr_msrs)
            rc = out_record(o, REC_MSR_POLICY, &part, 1);
    }
    xc_hypercall_buffer_free(v->xc, leaves);
    xc_hypercall_buffer_free(v->xc, msrs);
    return rc;
}

/* A frame number in a register to a pfn; what is not the guest's is an error. */
static int to_pfn(const struct guest_view *g, uint64_t mfn, uint64_t *pfn)
{
    *pfn = view_pfn(g, mfn);
    return *pfn != ~0ull ? 0 : vane_fail(g->v, -EINVAL, NULL,
                                         "a vcpu's state names frame %llx, which is not the guest's",
                                         (unsigned long long)mfn);
}

static int save_basic(struct vane *v, uint32_t domid, uint32_t vcpu, const struct guest_view *g,
                      struct stream_out *o)
{
    vcpu_guest_context_any_t *any = calloc(1, sizeof(*any));
    struct rec_vcpu h = { vcpu, 0 };
    struct iovec part[2] = { { &h, sizeof(h) }, { NULL, sizeof(any->c) } };
    uint64_t pfn;
    int rc = 0;

    if (!any || xc_vcpu_getcontext(v->xc, domid, vcpu, any) < 0) {
        rc = vane_fail(v, any ? -errno : -ENOMEM, NULL, "cannot read vcpu %u", vcpu);
    } else {
        vcpu_guest_context_t *c = &any->c;

        if (vcpu == 0) {                        /* start_info: the suspend call's third argument */
            rc = to_pfn(g, c->user_regs.rdx, &pfn);
            c->user_regs.rdx = pfn;
        }
        if (rc == 0 && (rc = to_pfn(g, c->ctrlreg[3] >> 12, &pfn)) == 0)
            c->ctrlreg[3] = pfn << 12;
        if (rc == 0 && c->ctrlreg[1] && (rc = to_pfn(g, c->ctrlreg[1] >> 12, &pfn)) == 0)
            c->ctrlreg[1] = 1 | pfn << 12;
        for (unsigned i = 0; rc == 0 && i * 512 < c->gdt_ents && i < 14; i++) {
            rc = to_pfn(g, c->gdt_frames[i], &pfn);
            c->gdt_frames[i] = pfn;
        }
        part[1].iov_base = c;
        if (rc == 0)
            rc = out_record(o, REC_VCPU_BASIC, part, 2);
    }
    free(any);
    return rc;
}

static int save_extended(struct vane *v, uint32_t domid, uint32_t vcpu, struct stream_out *o)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_get_ext_vcpucontext, .domain = (domid_t)domid };
    struct rec_vcpu h = { vcpu, 0 };
    struct iovec part[2] = { { &h, sizeof(h) }, { &op.u.ext_vcpucontext, 0 } };

    op.u.ext_vcpucontext.vcpu = vcpu;
    if (xc_domctl(v->xc, &op) < 0)
        return vane_fail(v, -errno, NULL, "cannot read vcpu %u's callbacks: %s", vcpu, strerror(errno));
    part[1].iov_len = op.u.ext_vcpucontext.size;
    if (part[1].iov_len == 0 || part[1].iov_len > sizeof(op.u.ext_vcpucontext))
        return 0;
    return out_record(o, REC_VCPU_EXTENDED, part, 2);
}

static int save_xsave(struct vane *v, uint32_t domid, uint32_t vcpu, struct stream_out *o)
{
    DECLARE_HYPERCALL_BUFFER(void, buf);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_getvcpuextstate, .domain = (domid_t)domid };
    struct rec_vcpu h = { vcpu, 0 };
    struct iovec part[2] = { { &h, sizeof(h) }, { NULL, 0 } };
    uint64_t size;
    int rc = 0;

    op.u.vcpuextstate.vcpu = vcpu;
    if (xc_domctl(v->xc, &op) < 0)
        return errno == EOPNOTSUPP || errno == EINVAL ? 0 : vane_fail(v, -errno, NULL, "cannot size vcpu "
                                                                      "%u's state", vcpu);
    size = op.u.vcpuextstate.size;
    if (size == 0 || size > 65536)
        return 0;
    buf = xc_hypercall_buffer_alloc(v->xc, buf, size);
    if (!buf)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    set_xen_guest_handle(op.u.vcpuextstate.buffer, buf);
    if (xc_domctl(v->xc, &op) < 0) {
        rc = vane_fail(v, -errno, NULL, "cannot read vcpu %u's state: %s", vcpu, strerror(errno));
    } else if (op.u.vcpuextstate.size) {
        part[1] = (struct iovec){ buf, op.u.vcpuextstate.size };
        rc = out_record(o, REC_VCPU_XSAVE, part, 2);
    }
    xc_hypercall_buffer_free(v->xc, buf);
    return rc;
}

static int save_msrs(struct vane *v, uint32_t domid, uint32_t vcpu, struct stream_out *o)
{
    DECLARE_HYPERCALL_BUFFER(xen_domctl_vcpu_msr_t, buf);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_get_vcpu_msrs, .domain = (domid_t)domid };
    struct rec_vcpu h = { vcpu, 0 };
    struct iovec part[2] = { { &h, sizeof(h) }, { NULL, 0 } };
    int rc = 0;

    op.u.vcpu_msrs.vcpu = vcpu;
    if (xc_domctl(v->xc, &op) < 0 || op.u.vcpu_msrs.msr_count == 0)
        return 0;                               /* none to save */
    buf = xc_hypercall_buffer_alloc(v->xc, buf, op.u.vcpu_msrs.msr_count * sizeof(*buf));
    if (!buf)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    set_xen_guest_handle(op.u.vcpu_msrs.msrs, buf);
    if (xc_domctl(v->xc, &op) < 0)
        rc = vane_fail(v, -errno, NULL, "cannot read vcpu %u's MSRs: %s", vcpu, strerror(errno));
    else if (op.u.vcpu_msrs.msr_count) {
        part[1] = (struct iovec){ buf, op.u.vcpu_msrs.msr_count * sizeof(*buf) };
        rc = out_record(o, REC_VCPU_MSRS, part, 2);
    }
    xc_hypercall_buffer_free(v->xc, buf);
    return rc;
}

int save_tail(struct vane *v, const struct vane_dom *d, const struct guest_view *g, struct stream_out *o)
{
    struct rec_tsc tsc = {0};
    struct iovec part = { &tsc, sizeof(tsc) };
    int rc;

    if (xc_domain_get_tsc_info(v->xc, d->domid, &tsc.mode, &tsc.nsec, &tsc.khz, &tsc.incarnation) < 0)
        return vane_fail(v, -errno, NULL, "cannot read the domain's clock: %s", strerror(errno));
    rc = out_record(o, REC_TSC_INFO, &part, 1);
    part = (struct iovec){ g->shared, 4096 };
    if (rc == 0)
        rc = out_record(o, REC_SHARED_INFO, &part, 1);
    for (uint32_t i = 0; i <= d->vcpu_max_id && rc == 0; i++) {
        xc_vcpuinfo_t info;

        if (xc_vcpu_getinfo(v->xc, d->domid, i, &info) < 0 || !info.online)
            continue;
        rc = save_basic(v, d->domid, i, g, o);
        if (rc == 0)
            rc = save_extended(v, d->domid, i, o);
        if (rc == 0)
            rc = save_xsave(v, d->domid, i, o);
        if (rc == 0)
            rc = save_msrs(v, d->domid, i, o);
    }
    return rc;
}
