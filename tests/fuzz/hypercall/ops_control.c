/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control calls: those of a toolstack that means no good, or of a domain that has no right to any.
 *
 * The structure is filled with numbers first; what makes an operation plausible (handles that lead to memory, sizes that
 * fit, a domain that exists) follows by operation.
 */
#include "gen.h"

#include <xen/domctl.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define BUFFER 1024                     /* of the scratch pages: what handles lead to */

static void fill(struct gen *g, void *to, size_t n)
{
    uint32_t *a = to;

    for (size_t i = 0; i < n / sizeof(*a); i++)
        a[i] = gen_chance(g, 70) ? gen_pick(g, 4) : (uint32_t)gen_number(g);
}

static void *buffer(struct gen *g)
{
    return (void *)gen_pointer(g, g->scratch + BUFFER);
}

static void bitmap(struct gen *g, struct xenctl_bitmap *b)
{
    set_xen_guest_handle(b->bitmap, buffer(g));
    b->nr_bits = gen_chance(g, 80) ? 64 : (uint32_t)gen_number(g);
}

static void create(struct gen *g, struct xen_domctl_createdomain *c)
{
    const unsigned vcpus = 1 + gen_pick(g, 4);

    memset(c, 0, sizeof(*c));
    c->max_vcpus = vcpus;
    c->max_evtchn_port = 255;
    c->max_grant_frames = c->max_maptrack_frames = 2;
    c->grant_opts = 1;
    if (gen_chance(g, 10))
        c->flags = (uint32_t)gen_number(g);
}

static void context(struct gen *g, struct xen_domctl_vcpucontext *x)
{
    struct vcpu_guest_context *ctx = (void *)(g->scratch + BUFFER);
    const bool reset = gen_chance(g, 20);

    x->vcpu = gen_pick(g, 4);
    memset(ctx, 0, sizeof(*ctx));
    ctx->flags = VGCF_in_kernel | (gen_chance(g, 50) ? VGCF_online : 0);
    ctx->ctrlreg[3] = (gen_chance(g, 50) ? victim_root() : victim_frame()) << PAGE_SHIFT;
    if (gen_chance(g, 20))
        ctx->gdt_ents = gen_number(g);
    set_xen_guest_handle(x->ctxt, reset ? NULL : (vcpu_guest_context_t *)buffer(g));
}

/* What @op needs in order to come further than its first check. */
static void make_plausible(struct gen *g, struct xen_domctl *c)
{
    switch (c->cmd) {
    case XEN_DOMCTL_createdomain:
        create(g, &c->u.createdomain);
        break;
    case XEN_DOMCTL_setvcpucontext:
    case XEN_DOMCTL_getvcpucontext:
        context(g, &c->u.vcpucontext);
        break;
    case XEN_DOMCTL_setvcpuaffinity:
    case XEN_DOMCTL_getvcpuaffinity:
        bitmap(g, &c->u.vcpuaffinity.cpumap_hard);
        bitmap(g, &c->u.vcpuaffinity.cpumap_soft);
        break;
    case XEN_DOMCTL_setnodeaffinity:
    case XEN_DOMCTL_getnodeaffinity:
        bitmap(g, &c->u.nodeaffinity.nodemap);
        break;
    case XEN_DOMCTL_max_vcpus:
        c->u.max_vcpus.max = 1 + gen_pick(g, 4);
        break;
    case XEN_DOMCTL_max_mem:
        c->u.max_mem.max_memkb = gen_chance(g, 70) ? 2048 : gen_number(g);
        break;
    case XEN_DOMCTL_scheduler_op:
        c->u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
        c->u.scheduler_op.cmd = gen_pick(g, 3);
        break;
    case XEN_DOMCTL_shadow_op: {
        static const unsigned ops[] = { XEN_DOMCTL_SHADOW_OP_OFF, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY,
                                        XEN_DOMCTL_SHADOW_OP_CLEAN, XEN_DOMCTL_SHADOW_OP_CLEAN,
                                        XEN_DOMCTL_SHADOW_OP_PEEK, 77 };
        c->u.shadow_op.op = ops[gen_pick(g, ARRAY_SIZE(ops))];
        c->u.shadow_op.pages = gen_chance(g, 80) ? 1024 : gen_number(g);
        set_xen_guest_handle(c->u.shadow_op.dirty_bitmap, buffer(g));
        break;
    }
    case XEN_DOMCTL_getpageframeinfo3: {
        uint64_t *list = (void *)(g->scratch + BUFFER);
        for (unsigned i = 0; i < 8; i++)
            list[i] = gen_chance(g, 50) ? victim_frame() : gen_frame(g);
        c->u.getpageframeinfo3.num = gen_chance(g, 80) ? 8 : gen_number(g);
        set_xen_guest_handle(c->u.getpageframeinfo3.array, buffer(g));
        break;
    }
    case XEN_DOMCTL_hypercall_init:
        c->u.hypercall_init.gmfn = victim_frame();
        break;
    case XEN_DOMCTL_set_ext_vcpucontext:
        c->u.ext_vcpucontext.size = sizeof(c->u.ext_vcpucontext);
        break;
    case XEN_DOMCTL_setvcpuextstate:
    case XEN_DOMCTL_getvcpuextstate: {
        static const uint64_t sizes[] = { 0, 576 + 16, 832 + 16, 4096 };
        c->u.vcpuextstate.xfeature_mask = gen_chance(g, 70) ? 7 : gen_number(g);
        c->u.vcpuextstate.size = gen_chance(g, 90) ? sizes[gen_pick(g, ARRAY_SIZE(sizes))] : gen_number(g);
        memset(g->scratch + BUFFER, 0, 1024);
        g->scratch[BUFFER] = g->scratch[BUFFER + 8] = (uint8_t)gen_pick(g, 8);
        set_xen_guest_handle(c->u.vcpuextstate.buffer, buffer(g));
        break;
    }
    case XEN_DOMCTL_set_vcpu_msrs:
    case XEN_DOMCTL_get_vcpu_msrs:
        set_xen_guest_handle(c->u.vcpu_msrs.msrs, buffer(g));
        break;
    case XEN_DOMCTL_set_cpu_policy:
    case XEN_DOMCTL_get_cpu_policy:
        set_xen_guest_handle(c->u.cpu_policy.leaves, buffer(g));
        set_xen_guest_handle(c->u.cpu_policy.msrs, buffer(g));
        break;
    default:
        break;
    }
}

static void op_domctl(struct gen *g)
{
    struct xen_domctl *c = (void *)g->scratch;

    fill(g, c, sizeof(*c));
    c->cmd = gen_pick(g, 90);
    c->interface_version = gen_chance(g, 98) ? XEN_DOMCTL_INTERFACE_VERSION : gen_pick(g, 64);
    c->domain = gen_chance(g, 70) ? victim_domid() : (domid_t)gen_domid(g);
    make_plausible(g, c);
    /* Often enough, but the others shall live for a while. */
    const bool kill = gen_chance(g, 5);
    if (c->cmd == XEN_DOMCTL_destroydomain && !kill)
        c->cmd = XEN_DOMCTL_unpausedomain;
    if (c->cmd == XEN_DOMCTL_pausedomain && !kill)
        c->cmd = XEN_DOMCTL_resumedomain;
    if (world_may_control())
        gen_call(g, __HYPERVISOR_domctl, gen_pointer(g, c), 0, 0, 0, 0);
    else
        (void)gen_pointer(g, c);
}

static void op_sysctl(struct gen *g)
{
    struct xen_sysctl *s = (void *)g->scratch;

    fill(g, s, sizeof(*s));
    s->cmd = gen_pick(g, 32);
    s->interface_version = gen_chance(g, 98) ? XEN_SYSCTL_INTERFACE_VERSION : gen_pick(g, 64);
    /* Most have their handles in the first words after a count. */
    uint64_t *words = (void *)&s->u;
    for (unsigned i = 0; i < 4; i++)
        if (gen_chance(g, 50))
            words[i] = (uintptr_t)buffer(g);
    if (world_may_control())
        gen_call(g, __HYPERVISOR_sysctl, HC_ARG(s), 0, 0, 0, 0);
}

static void op_platform(struct gen *g)
{
    struct xen_platform_op *p = (void *)g->scratch;

    fill(g, p, sizeof(*p));
    p->cmd = gen_pick(g, 70);
    if (p->cmd == XENPF_enter_acpi_sleep)
        p->cmd = 0;                     /* ends the machine, by right */
    p->interface_version = XENPF_INTERFACE_VERSION;
    if (world_may_control())
        gen_call(g, __HYPERVISOR_platform_op, HC_ARG(p), 0, 0, 0, 0);
}

void op_control(struct gen *g)
{
    const unsigned which = gen_pick(g, 8);

    if (which < 5)
        op_domctl(g);
    else if (which < 7)
        op_sysctl(g);
    else
        op_platform(g);
}
