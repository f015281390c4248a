/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domctl_vcpu_state.c - the parts of a vCPU that a saved image carries apart from its context: callbacks, XSAVE, MSRs
 *
 * What comes in was written by another host, or by anybody: it is judged as if the guest itself had asked for it.
 *
 * ABI: domctl.h ext_vcpucontext, vcpuextstate, vcpu_msrs; abi-map 2.16, 7.7.
 */
#include <string.h>

#include "cpu/cpuid_policy.h"
#include "cpu/fpu_state.h"
#include "entry/guest_address.h"
#include "heap.h"
#include "hypercall/toolstack.h"

/* ---- callbacks ---- */

#define EXT_CONTEXT_MIN offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)
#define EXT_CONTEXT_MAX 128u

long domctl_get_ext_vcpucontext(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_ext_vcpucontext *e = &c->u.ext_vcpucontext;
    struct vcpu *v = domain_vcpu(d, e->vcpu);

    (void)caller;
    if (!v)
        return -ESRCH;
    vcpu_pause(v);
    *e = (struct xen_domctl_ext_vcpucontext){ .vcpu = v->id,
                                              .size = sizeof(*e),
                                              .syscall32_callback_eip = v->cpu.syscall32_callback,
                                              .sysenter_callback_eip = v->cpu.sysenter_callback,
                                              .syscall32_callback_cs = FLAT_KERNEL_CS,
                                              .sysenter_callback_cs = FLAT_KERNEL_CS,
                                              .syscall32_disables_events = v->cpu.syscall32_mask_events,
                                              .sysenter_disables_events = v->cpu.sysenter_mask_events };
    vcpu_unpause(v);
    *copy_back = true;
    return 0;
}

/* The selectors are always the flat kernel's; machine-check banks do not exist here: both are read past. */
long domctl_set_ext_vcpucontext(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_ext_vcpucontext *e = &c->u.ext_vcpucontext;
    struct vcpu *v = domain_vcpu(d, e->vcpu);

    (void)caller, (void)copy_back;
    if (!v)
        return -ESRCH;
    if (e->size < EXT_CONTEXT_MIN || e->size > EXT_CONTEXT_MAX)
        return -EINVAL;
    if (!guest_address_ok(e->syscall32_callback_eip) || !guest_address_ok(e->sysenter_callback_eip))
        return -EINVAL;
    domain_pause(d);
    v->cpu.syscall32_callback = e->syscall32_callback_eip;
    v->cpu.sysenter_callback = e->sysenter_callback_eip;
    v->cpu.syscall32_mask_events = e->syscall32_disables_events != 0;
    v->cpu.sysenter_mask_events = e->sysenter_disables_events != 0;
    domain_unpause(d);
    return 0;
}

/* ---- XSAVE ----
 * ABI: xcr0, xcr0_accum, then the image in the standard format. SDM 1, 13.4: the header is at 512, its first word
 * XSTATE_BV, its second XCOMP_BV (0 in this format), the rest reserved.
 */

#define XSTATE_HEADER 512u
#define XSTATE_MIN (XSTATE_HEADER + 64u)
#define MXCSR_OFFSET 24u
#define MXCSR_MASK_OFFSET 28u

struct xstate_record {
    uint64_t xcr0, xcr0_accum;
    uint8_t area[] ALIGNED(64);
};
#define RECORD_PREFIX 16u

static uint64_t read_u64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

long domctl_getvcpuextstate(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_vcpuextstate *x = &c->u.vcpuextstate;
    struct vcpu *v = domain_vcpu(d, x->vcpu);
    const gva_t buffer = gva((uint64_t)x->buffer.p);

    (void)caller;
    if (!v)
        return -ESRCH;
    if (fpu_host_mask == 0)
        return -EOPNOTSUPP;
    const uint64_t size = RECORD_PREFIX + fpu_area_size;
    if (buffer.n == 0 || (x->size == 0 && x->xfeature_mask == 0)) {
        x->xfeature_mask = fpu_host_mask;
        x->size = size;
        *copy_back = true;
        return 0;
    }
    if (x->size < size || x->xfeature_mask != fpu_host_mask)
        return -EINVAL;
    vcpu_pause(v);
    const uint64_t head[2] = { v->cpu.xcr0, v->cpu.fpu->xcr0_accum };
    int rc = guest_copy_out(buffer, head, sizeof(head));
    if (rc == 0)
        rc = guest_copy_out(gva(buffer.n + RECORD_PREFIX), v->cpu.fpu->area, fpu_area_size);
    /* A CPU may call parts in use that the guest never had on; restoring would refuse those. */
    const uint64_t in_use = read_u64(v->cpu.fpu->area + XSTATE_HEADER) & v->cpu.fpu->xcr0_accum;
    if (rc == 0)
        rc = guest_copy_out(gva(buffer.n + RECORD_PREFIX + XSTATE_HEADER), &in_use, sizeof(in_use));
    vcpu_unpause(v);
    x->size = size;
    *copy_back = rc == 0;
    return rc;
}

/* Would XRSTOR of @area, and running with @xcr0, be fine for a guest of @v's domain? */
static bool xstate_ok(struct vcpu *v, const uint64_t head[2], const uint8_t *area, uint64_t size)
{
    const uint64_t xcr0 = head[0], accum = head[1], allowed = guest_xcr0_allowed(v);
    const uint64_t xstate_bv = read_u64(area + XSTATE_HEADER);
    uint32_t mxcsr, mask;

    if (!(xcr0 & 1) || (xcr0 & ~accum) != 0 || (accum & ~allowed) != 0 || (accum & ~fpu_host_mask) != 0)
        return false;
    if ((xcr0 & 6) == 4 || (xstate_bv & ~accum) != 0)           /* AVX needs SSE: SDM 1, 13.3 */
        return false;
    for (unsigned i = 8; i < 64; i += 8)                        /* XCOMP_BV and the reserved words */
        if (read_u64(area + XSTATE_HEADER + i) != 0)
            return false;
    memcpy(&mxcsr, area + MXCSR_OFFSET, sizeof(mxcsr));
    memcpy(&mask, v->cpu.fpu->area + MXCSR_MASK_OFFSET, sizeof(mask));
    (void)size;
    return (mxcsr & ~(mask != 0 ? mask : 0xffbfu)) == 0;        /* SDM 1, 11.6.6: a zero mask means the old default */
}

static void install_xstate(struct vcpu *v, const uint64_t head[2], const uint8_t *area, uint64_t size)
{
    domain_pause(v->domain);
    v->cpu.xcr0 = head[0];
    v->cpu.fpu->xcr0_accum = head[1];
    memset(v->cpu.fpu->area, 0, fpu_area_size);
    memcpy(v->cpu.fpu->area, area, MIN(size, (uint64_t)fpu_area_size));
    fpu_image_changed(v);
    domain_unpause(v->domain);
}

long domctl_setvcpuextstate(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    const struct xen_domctl_vcpuextstate *x = &c->u.vcpuextstate;
    struct vcpu *v = domain_vcpu(d, x->vcpu);
    const gva_t buffer = gva((uint64_t)x->buffer.p);
    uint64_t head[2];

    (void)caller, (void)copy_back;
    if (!v)
        return -ESRCH;
    if (fpu_host_mask == 0)
        return -EOPNOTSUPP;
    if (x->size < RECORD_PREFIX + XSTATE_MIN)
        return -EINVAL;
    if (guest_copy_in(head, buffer, sizeof(head)) != 0)
        return -EFAULT;
    /* An image from a host with more state than ours is fine as long as what we lack was never used. */
    const uint64_t size = MIN(x->size - RECORD_PREFIX, (uint64_t)fpu_area_size);
    uint8_t *area = heap_alloc(fpu_area_size);
    if (!area)
        return -ENOMEM;
    int rc = guest_copy_in(area, gva(buffer.n + RECORD_PREFIX), size);
    if (rc == 0 && !xstate_ok(v, head, area, size))
        rc = -EINVAL;
    if (rc == 0)
        install_xstate(v, head, area, size);
    heap_free(area);
    return rc;
}

/* ---- MSRs ---- */

#define MSR_MISC_FEATURES_ENABLES 0x140u
#define MSR_TSC_AUX 0xc0000103u
#define MAX_VCPU_MSRS 2u

long domctl_get_vcpu_msrs(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_vcpu_msrs *m = &c->u.vcpu_msrs;
    struct vcpu *v = domain_vcpu(d, m->vcpu);
    const gva_t buffer = gva((uint64_t)m->msrs.p);
    struct xen_domctl_vcpu_msr list[MAX_VCPU_MSRS] = { 0 };
    uint32_t n = 0;
    int rc = 0;

    (void)caller;
    if (!v)
        return -ESRCH;
    *copy_back = true;
    if (buffer.n == 0) {
        m->msr_count = MAX_VCPU_MSRS;
        return 0;
    }
    vcpu_pause(v);
    if (v->cpu.misc_features != 0)
        list[n++] = (struct xen_domctl_vcpu_msr){ .index = MSR_MISC_FEATURES_ENABLES, .value = v->cpu.misc_features };
    if (v->cpu.tsc_aux != 0)
        list[n++] = (struct xen_domctl_vcpu_msr){ .index = MSR_TSC_AUX, .value = v->cpu.tsc_aux };
    vcpu_unpause(v);
    if (m->msr_count < n)
        rc = -ENOBUFS;
    else
        rc = guest_copy_out(buffer, list, n * sizeof(list[0]));
    m->msr_count = n;
    return rc;
}

/* CPUID faulting is not offered, so its enable bit cannot be on; TSC_AUX has 32 bits. 0 means "as at reset". */
static bool msr_ok(const struct xen_domctl_vcpu_msr *m)
{
    if (m->reserved != 0)
        return false;
    return m->index == MSR_TSC_AUX ? m->value <= UINT32_MAX : m->value == 0;
}

long domctl_set_vcpu_msrs(struct vcpu *caller, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_vcpu_msrs *m = &c->u.vcpu_msrs;
    struct vcpu *v = domain_vcpu(d, m->vcpu);
    const gva_t buffer = gva((uint64_t)m->msrs.p);
    uint64_t tsc_aux = 0;

    (void)caller;
    if (!v)
        return -ESRCH;
    if (m->msr_count > 32)                      /* more than any host has */
        return -EINVAL;
    for (uint32_t i = 0; i < m->msr_count; i++) {
        struct xen_domctl_vcpu_msr msr;
        if (guest_copy_in(&msr, gva(buffer.n + i * sizeof(msr)), sizeof(msr)) != 0)
            return -EFAULT;
        if (!msr_ok(&msr)) {
            m->msr_count = i;
            *copy_back = true;
            return -EINVAL;
        }
        if (msr.index == MSR_TSC_AUX)
            tsc_aux = msr.value;
    }
    domain_pause(d);
    v->cpu.tsc_aux = tsc_aux;
    domain_unpause(d);
    return 0;
}
