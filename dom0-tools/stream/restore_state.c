/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore_state.c - make a domain from a stream: everything but memory
 *
 *   I1  contexts and shared info come from outside: frames in them go through restore_mfn(), lengths
 *       are compared, and the hypervisor judges the rest.
 *
 * ABI: the order that libxc keeps: clock, shared info, start_info, vCPUs (before the pins: loading
 * cr3 validates the tables), pins, the guest's P2M.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/unmap.h"
#include "restore.h"

#define PIN_BATCH 512u

static int bad(struct restorer *r, const char *what)
{
    return vane_fail(r->v, -EINVAL, "the file is damaged, or made by another program",
                     "the domain's image is not valid: %s", what);
}

static int fail(struct restorer *r, const char *what)
{
    return vane_fail(r->v, errno ? -errno : -EIO, NULL, "%s: %s", what, strerror(errno));
}

int restore_policy(struct restorer *r)
{
    DECLARE_HYPERCALL_BUFFER(xen_cpuid_leaf_t, leaves);
    DECLARE_HYPERCALL_BUFFER(xen_msr_entry_t, msrs);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_set_cpu_policy, .domain = (domid_t)r->domid };
    int rc = 0;

    if (r->cpuid.length % sizeof(*leaves) || r->msr_policy.length % sizeof(*msrs))
        return bad(r, "the length of its CPU policy");
    if (r->cpuid.length == 0)
        return 0;
    leaves = xc_hypercall_buffer_alloc(r->v->xc, leaves, r->cpuid.length);
    msrs = xc_hypercall_buffer_alloc(r->v->xc, msrs, r->msr_policy.length + sizeof(*msrs));
    if (leaves && msrs) {
        memcpy(leaves, r->cpuid.body, r->cpuid.length);
        if (r->msr_policy.length)
            memcpy(msrs, r->msr_policy.body, r->msr_policy.length);
        op.u.cpu_policy.nr_leaves = r->cpuid.length / (uint32_t)sizeof(*leaves);
        op.u.cpu_policy.nr_msrs = r->msr_policy.length / (uint32_t)sizeof(*msrs);
        set_xen_guest_handle(op.u.cpu_policy.leaves, leaves);
        set_xen_guest_handle(op.u.cpu_policy.msrs, msrs);
        if (xc_domctl(r->v->xc, &op) < 0)
            rc = vane_fail(r->v, -errno, "the host it was saved on has features that this one lacks",
                           "this host's CPU cannot be what the guest saw (leaf %x, %x): %s",
                           op.u.cpu_policy.err_leaf, op.u.cpu_policy.err_subleaf, strerror(errno));
    } else {
        rc = vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    }
    xc_hypercall_buffer_free(r->v->xc, leaves);
    xc_hypercall_buffer_free(r->v->xc, msrs);
    return rc;
}

static void *map_one(struct restorer *r, uint64_t mfn)
{
    xen_pfn_t frame = mfn;

    return xenforeignmemory_map(r->v->fmem, r->domid, PROT_READ | PROT_WRITE, 1, &frame, NULL);
}

static int put_shared_info(struct restorer *r, uint64_t mfn)
{
    const shared_info_t *from = (const void *)r->shared;
    shared_info_t *s = map_one(r, mfn);

    if (!s)
        return fail(r, "cannot map the domain's shared info");
    memcpy(s->vcpu_info, from->vcpu_info, sizeof(s->vcpu_info));
    memcpy(&s->arch, &from->arch, sizeof(s->arch));
    s->arch.pfn_to_mfn_frame_list_list = 0;
    memset(s->evtchn_pending, 0, sizeof(s->evtchn_pending));
    memset(s->evtchn_mask, 0xff, sizeof(s->evtchn_mask));
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        s->vcpu_info[i].evtchn_pending_sel = 0;
    xenforeignmemory_unmap(r->v->fmem, s, 1);
    return 0;
}

/* pfn of vCPU 0's third argument: start_info gets the new machine frames. */
static int put_start_info(struct restorer *r, struct vane_fill *f, uint64_t pfn, uint64_t shared_mfn)
{
    start_info_t *si;
    int rc = 0;

    if (restore_mfn(r, pfn) == ~0ull || r->kind[pfn] != KIND_DATA)
        return bad(r, "where its start info is");
    si = map_one(r, r->mfn[pfn]);
    if (!si)
        return fail(r, "cannot map the domain's start info");
    f->store_mfn = restore_mfn(r, si->store_mfn);               /* pfns while it is suspended */
    f->console_mfn = restore_mfn(r, si->console.domU.mfn);
    if (f->store_mfn == ~0ull || f->console_mfn == ~0ull) {
        rc = bad(r, "where its store and console are");
    } else {
        si->nr_pages = r->max_pfn + 1;
        si->shared_info = shared_mfn << 12;
        si->flags = 0;
        si->store_mfn = f->store_mfn;
        si->store_evtchn = f->store_port;
        si->console.domU.mfn = f->console_mfn;
        si->console.domU.evtchn = f->console_port;
    }
    xenforeignmemory_unmap(r->v->fmem, si, 1);
    return rc;
}

/* A table in a context: a pfn whose kind is an L4 table. */
static int table_to_mfn(struct restorer *r, uint64_t *cr)
{
    uint64_t pfn = *cr >> 12, mfn = restore_mfn(r, pfn);

    if (mfn == ~0ull || kind_level(r->kind[pfn]) != 4)
        return bad(r, "a vcpu's page table");
    *cr = mfn << 12;
    return 0;
}

static int put_basic(struct restorer *r, uint32_t id)
{
    const struct record *rec = &r->vcpu[id].basic;
    vcpu_guest_context_any_t *any = calloc(1, sizeof(*any));
    vcpu_guest_context_t *c;
    int rc;

    if (!any)
        return vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    c = &any->c;
    if (rec->length != sizeof(struct rec_vcpu) + sizeof(*c)) {
        free(any);
        return bad(r, "the length of a vcpu's state");
    }
    memcpy(c, rec->body + sizeof(struct rec_vcpu), sizeof(*c));
    c->flags |= VGCF_online;
    if (id == 0 && restore_mfn(r, c->user_regs.rdx) != ~0ull)
        c->user_regs.rdx = r->mfn[c->user_regs.rdx];
    rc = table_to_mfn(r, &c->ctrlreg[3]);
    if (rc == 0 && (c->ctrlreg[1] & 1)) {
        c->ctrlreg[1] &= ~1ull;
        rc = table_to_mfn(r, &c->ctrlreg[1]);
    }
    for (unsigned i = 0; rc == 0 && i < 14 && i * 512 < c->gdt_ents; i++) {
        uint64_t pfn = c->gdt_frames[i];

        if (restore_mfn(r, pfn) == ~0ull || r->kind[pfn] != KIND_DATA)
            rc = bad(r, "a vcpu's descriptor table");
        else
            c->gdt_frames[i] = r->mfn[pfn];
    }
    if (rc == 0 && xc_vcpu_setcontext(r->v->xc, r->domid, id, any) < 0)
        rc = fail(r, "the hypervisor refuses a vcpu's state");
    free(any);
    return rc;
}

static int put_extended(struct restorer *r, uint32_t id)
{
    const struct record *rec = &r->vcpu[id].extended;
    struct xen_domctl op = { .cmd = XEN_DOMCTL_set_ext_vcpucontext, .domain = (domid_t)r->domid };
    size_t n = rec->length - sizeof(struct rec_vcpu);

    if (!rec->body)
        return 0;
    if (n > sizeof(op.u.ext_vcpucontext))
        return bad(r, "the length of a vcpu's callbacks");
    memcpy(&op.u.ext_vcpucontext, rec->body + sizeof(struct rec_vcpu), n);
    op.u.ext_vcpucontext.vcpu = id;
    return xc_domctl(r->v->xc, &op) < 0 ? fail(r, "the hypervisor refuses a vcpu's callbacks") : 0;
}

static int put_xsave(struct restorer *r, uint32_t id)
{
    DECLARE_HYPERCALL_BUFFER(void, buf);
    const struct record *rec = &r->vcpu[id].xsave;
    struct xen_domctl op = { .cmd = XEN_DOMCTL_setvcpuextstate, .domain = (domid_t)r->domid };
    size_t n = rec->length - sizeof(struct rec_vcpu);
    int rc = 0;

    if (!rec->body || n == 0)
        return 0;
    if (n > 65536)
        return bad(r, "the length of a vcpu's extended state");
    buf = xc_hypercall_buffer_alloc(r->v->xc, buf, n);
    if (!buf)
        return vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    memcpy(buf, rec->body + sizeof(struct rec_vcpu), n);
    op.u.vcpuextstate.vcpu = id;
    op.u.vcpuextstate.size = n;
    set_xen_guest_handle(op.u.vcpuextstate.buffer, buf);
    if (xc_domctl(r->v->xc, &op) < 0)
        rc = fail(r, "the hypervisor refuses a vcpu's extended state");
    xc_hypercall_buffer_free(r->v->xc, buf);
    return rc;
}

static int put_msrs(struct restorer *r, uint32_t id)
{
    DECLARE_HYPERCALL_BUFFER(xen_domctl_vcpu_msr_t, buf);
    const struct record *rec = &r->vcpu[id].msrs;
    struct xen_domctl op = { .cmd = XEN_DOMCTL_set_vcpu_msrs, .domain = (domid_t)r->domid };
    size_t n = rec->length - sizeof(struct rec_vcpu);
    int rc = 0;

    if (!rec->body || n == 0)
        return 0;
    if (n % sizeof(*buf) || n > 65536)
        return bad(r, "the length of a vcpu's MSRs");
    buf = xc_hypercall_buffer_alloc(r->v->xc, buf, n);
    if (!buf)
        return vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    memcpy(buf, rec->body + sizeof(struct rec_vcpu), n);
    op.u.vcpu_msrs.vcpu = id;
    op.u.vcpu_msrs.msr_count = (uint32_t)(n / sizeof(*buf));
    set_xen_guest_handle(op.u.vcpu_msrs.msrs, buf);
    if (xc_domctl(r->v->xc, &op) < 0)
        rc = fail(r, "the hypervisor refuses a vcpu's MSRs");
    xc_hypercall_buffer_free(r->v->xc, buf);
    return rc;
}

static int put_vcpus(struct restorer *r)
{
    int rc = 0;

    for (uint32_t i = 0; i < VANE_MAX_VCPUS && rc == 0; i++) {
        if (!r->vcpu[i].basic.body)
            continue;
        rc = put_basic(r, i);
        if (rc == 0)
            rc = put_extended(r, i);
        if (rc == 0)
            rc = put_xsave(r, i);
        if (rc == 0)
            rc = put_msrs(r, i);
    }
    return rc;
}

static int pin_tables(struct restorer *r)
{
    static const unsigned cmds[] = { 0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                     MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE };
    struct mmuext_op pin[PIN_BATCH];
    unsigned n = 0;

    for (uint64_t pfn = 0; pfn <= r->max_pfn; pfn++) {
        if (!kind_level(r->kind[pfn]) || !(r->kind[pfn] & KIND_PINNED))
            continue;
        memset(&pin[n], 0, sizeof(pin[n]));
        pin[n].cmd = cmds[kind_level(r->kind[pfn])];
        pin[n++].arg1.mfn = r->mfn[pfn];
        if (n == PIN_BATCH) {
            if (xc_mmuext_op(r->v->xc, pin, n, r->domid) < 0)
                return fail(r, "the hypervisor refuses the guest's page tables");
            n = 0;
        }
    }
    if (n && xc_mmuext_op(r->v->xc, pin, n, r->domid) < 0)
        return fail(r, "the hypervisor refuses the guest's page tables");
    return 0;
}

static int put_p2m(struct restorer *r)
{
    xen_pfn_t *frame = calloc(r->p2m_frames, sizeof(*frame));
    uint64_t *w = NULL;
    int rc = frame ? 0 : vane_fail(r->v, -ENOMEM, NULL, "out of memory");

    for (uint64_t i = 0; rc == 0 && i < r->p2m_frames; i++) {
        frame[i] = restore_mfn(r, r->p2m_pfn[i]);
        if (frame[i] == ~0ull)
            rc = bad(r, "its memory map is not among its pages");
    }
    if (rc == 0 && !(w = xenforeignmemory_map(r->v->fmem, r->domid, PROT_READ | PROT_WRITE,
                                              r->p2m_frames, frame, NULL)))
        rc = fail(r, "cannot map the guest's memory map");
    for (uint64_t i = 0; w && i < r->p2m_frames * 512; i++)
        w[i] = i <= r->max_pfn ? r->mfn[i] : ~0ull;
    vane_unmap(r->v, w, r->p2m_frames);
    free(frame);
    return rc;
}

int restore_finish(struct restorer *r, struct vane_fill *f)
{
    const vcpu_guest_context_t *c = (const void *)(r->vcpu[0].basic.body + sizeof(struct rec_vcpu));
    struct vane_dom d;
    int rc = vane_dom_get(r->v, r->domid, &d);

    if (rc == 0 && r->vcpu[0].basic.length != sizeof(struct rec_vcpu) + sizeof(*c))
        rc = bad(r, "the length of a vcpu's state");
    if (rc == 0 && r->have_tsc &&
        xc_domain_set_tsc_info(r->v->xc, r->domid, r->tsc.mode, r->tsc.nsec, r->tsc.khz,
                               r->tsc.incarnation) < 0)
        rc = fail(r, "cannot set the domain's clock");
    if (rc == 0)
        rc = put_shared_info(r, d.shared_info_mfn);
    if (rc == 0)
        rc = put_start_info(r, f, c->user_regs.rdx, d.shared_info_mfn);
    if (rc == 0)
        rc = restore_give_back(r);
    if (rc == 0)
        rc = put_vcpus(r);
    if (rc == 0)
        rc = pin_tables(r);
    return rc == 0 ? put_p2m(r) : rc;
}
