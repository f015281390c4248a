/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events, vCPUs, what a kernel tells about its CPU, multicalls and the small calls. */
#include "gen.h"

#include <xen/nmi.h>

/* ---- events ---- */

static void event_call(struct gen *g, unsigned cmd, const uint32_t *learn)
{
    if (gen_call(g, __HYPERVISOR_event_channel_op, cmd, gen_pointer(g, g->scratch), 0, 0, 0) == 0 && learn)
        gen_learn_port(g, *learn);
}

void op_event(struct gen *g)
{
    const unsigned cmd = gen_pick(g, 15);
    uint32_t *a = (void *)g->scratch;
    uint64_t *gfn = (void *)g->scratch;
    domid_t *dom = (void *)g->scratch;

    memset(a, 0, 64);
    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        dom[0] = (domid_t)gen_domid(g);
        dom[1] = gen_chance(g, 50) ? gen_partner(g) : (domid_t)gen_domid(g);
        event_call(g, cmd, &a[1]);
        return;
    case EVTCHNOP_bind_interdomain:
        dom[0] = gen_chance(g, 50) ? gen_partner(g) : (domid_t)gen_domid(g);
        a[1] = gen_port(g);
        event_call(g, cmd, &a[2]);
        return;
    case EVTCHNOP_bind_virq:
        a[0] = gen_chance(g, 90) ? 1 + gen_pick(g, 23) : (unsigned)gen_number(g);
        a[1] = gen_vcpu(g);
        event_call(g, cmd, &a[2]);
        return;
    case EVTCHNOP_bind_ipi:
        a[0] = gen_vcpu(g);
        event_call(g, cmd, &a[1]);
        return;
    case EVTCHNOP_status:
        dom[0] = (domid_t)gen_domid(g);
        a[1] = gen_port(g);
        break;
    case EVTCHNOP_reset: {
        const bool victims = gen_chance(g, 50), own = gen_chance(g, 20);
        dom[0] = own && world_is_expendable() ? DOMID_SELF : victims ? victim_domid() : 0x7000;
        break;
    }
    case EVTCHNOP_init_control:
        gfn[0] = gen_frame(g);
        a[2] = gen_chance(g, 80) ? 8 * gen_pick(g, 504) : (uint32_t)gen_number(g);
        a[3] = gen_vcpu(g);
        if (!world_is_expendable())
            return;                     /* its events would come where it does not look */
        break;
    case EVTCHNOP_expand_array:
        gfn[0] = gen_frame(g);
        break;
    case EVTCHNOP_set_priority:
        a[0] = gen_port(g);
        a[1] = gen_chance(g, 80) ? gen_pick(g, 16) : (uint32_t)gen_number(g);
        break;
    default:
        a[0] = gen_port(g);
        a[1] = gen_vcpu(g);
        if (a[0] < 4 && !world_is_expendable())
            a[0] = 4095;                /* store, console and timer stay */
        break;
    }
    event_call(g, cmd, NULL);
}

/* ---- vCPUs ---- */

void op_vcpu(struct gen *g)
{
    static const unsigned cmds[] = { VCPUOP_initialise, VCPUOP_up, VCPUOP_is_up, VCPUOP_get_runstate_info,
                                     VCPUOP_set_periodic_timer, VCPUOP_stop_periodic_timer,
                                     VCPUOP_set_singleshot_timer, VCPUOP_stop_singleshot_timer, VCPUOP_get_physid, 14 };
    uint64_t *a = (void *)g->scratch;

    for (unsigned i = 0; i < 8; i++)
        a[i] = gen_number(g);
    const unsigned cmd = cmds[gen_pick(g, ARRAY_SIZE(cmds))];
    if (cmd == VCPUOP_set_periodic_timer && a[0] >= 1000000)
        a[0] |= 1UL << 33;              /* no storm of ticks: it is time we want for calls */
    const unsigned vcpu = gen_vcpu(g);
    gen_call(g, __HYPERVISOR_vcpu_op, cmd, vcpu, gen_pointer(g, a), 0, 0);
}

/* What a kernel does to its own vCPUs; what it is left with only matters where nobody executes it. */
static void self_vcpu(struct gen *g)
{
    static const unsigned cmds[] = { VCPUOP_initialise, VCPUOP_initialise, VCPUOP_up, VCPUOP_up, VCPUOP_down,
                                     VCPUOP_register_vcpu_info, VCPUOP_register_vcpu_info,
                                     VCPUOP_register_runstate_memory_area, VCPUOP_register_vcpu_time_memory_area,
                                     VCPUOP_send_nmi };
    const unsigned cmd = cmds[gen_pick(g, ARRAY_SIZE(cmds))], vcpu = gen_pick(g, 4);
    const uint64_t frame = gen_frame(g), offset = gen_number(g), va = gen_va(g), root = gen_table_frame(g);
    const bool own_root = gen_chance(g, 70);
    struct vcpu_guest_context *ctx = (void *)g->scratch;
    uint64_t *a = (void *)g->scratch;

    if (!world_is_expendable())
        return;
    memset(ctx, 0, sizeof(*ctx));
    if (cmd == VCPUOP_initialise) {
        ctx->user_regs.rip = va;
        ctx->ctrlreg[3] = (own_root ? mm_l4_mfn() : root) << PAGE_SHIFT;
        ctx->ctrlreg[1] = offset & 1 ? root << PAGE_SHIFT : 0;
        ctx->flags = VGCF_in_kernel;
    } else if (cmd == VCPUOP_register_vcpu_info) {
        a[0] = frame;
        ((uint32_t *)a)[2] = (uint32_t)offset;
    } else {
        a[0] = va;
    }
    gen_call(g, __HYPERVISOR_vcpu_op, cmd, vcpu, cmd == VCPUOP_send_nmi ? 0 : HC_ARG(a), 0, 0);
}

/* ---- the calls that set a virtual CPU's state ---- */

static void self_traps(struct gen *g)
{
    struct trap_info *t = (void *)g->scratch;
    const unsigned n = gen_pick(g, 120);

    memset(g->scratch, 0, 4096);
    for (unsigned i = 0; i < n; i++) {
        t[i].vector = (uint8_t)gen_pick(g, 256);
        t[i].address = gen_va(g);
    }
    if (world_is_expendable())
        gen_call(g, __HYPERVISOR_set_trap_table, n ? HC_ARG(t) : 0, 0, 0, 0, 0);
}

static void self_iret(struct gen *g)
{
    struct iret_context *f = (void *)g->scratch;

    memset(f, 0, sizeof(*f));
    f->rip = gen_va(g);
    f->rsp = gen_va(g);
    f->cs = gen_number(g);
    f->ss = gen_number(g);
    f->rflags = gen_random(g);
    f->flags = gen_chance(g, 50) ? VGCF_in_syscall : 0;
    const uint64_t stack = gen_pointer(g, f);
    if (world_is_expendable() && world_set_stack(stack))
        gen_call(g, __HYPERVISOR_iret, 0, 0, 0, 0, 0);
}

void op_self(struct gen *g)
{
    const unsigned what = gen_pick(g, 14);
    const uint64_t a = gen_va(g), b = gen_number(g), c = gen_va(g);
    uint64_t *arg = (void *)g->scratch;

    switch (what) {
    case 0: case 1: case 2: case 3:
        self_vcpu(g);
        return;
    case 4: case 5:
        self_traps(g);
        return;
    case 6: case 7:
        self_iret(g);
        return;
    default:
        break;
    }
    if (!world_is_expendable())
        return;
    arg[0] = b;
    arg[1] = a;
    switch (what) {
    case 8: gen_call(g, __HYPERVISOR_set_callbacks, a, c, b, 0, 0); break;
    case 9: gen_call(g, __HYPERVISOR_stack_switch, b, a, 0, 0, 0); break;
    case 10: gen_call(g, __HYPERVISOR_nmi_op, b & 3, HC_ARG(arg), 0, 0, 0); break;
    case 11: gen_call(g, __HYPERVISOR_console_io, b & 3, b & 255, HC_ARG(arg), 0, 0); break;
    case 12: gen_call(g, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0, 0); break;
    default: gen_call(g, __HYPERVISOR_sched_op, b == 6 ? SCHEDOP_shutdown : SCHEDOP_watchdog, HC_ARG(arg), 0, 0, 0); break;
    }
}

/* ---- the rest ---- */

static void small_poll(struct gen *g)
{
    struct sched_poll *p = (void *)g->scratch;

    p->nr_ports = (unsigned)gen_number(g);
    p->timeout = 1;
    set_xen_guest_handle(p->ports, (evtchn_port_t *)gen_pointer(g, g->scratch + 512));
    /* a poll with a stranger's timeout may never end */
    gen_call(g, __HYPERVISOR_sched_op, SCHEDOP_poll, gen_chance(g, 95) ? HC_ARG(p) : BAD_DIRECTMAP, 0, 0, 0);
}

static void small_callback(struct gen *g)
{
    struct callback_register *r = (void *)g->scratch;

    r->type = (uint16_t)(8 + gen_pick(g, 100));
    r->flags = (uint16_t)gen_random(g);
    r->address = gen_va(g);
    gen_call(g, __HYPERVISOR_callback_op, gen_pick(g, 4), HC_ARG(r), 0, 0, 0);
}

void op_small(struct gen *g)
{
    static const unsigned absent[] = { 11, 27, 31, 34, 37, 38, 39, 40, 41, 42, 43, 48, 49, 55, 63 };
    const unsigned what = gen_pick(g, 12);
    const uint64_t a = gen_number(g), b = gen_number(g), va = gen_va(g), pointer = gen_pointer(g, g->scratch);

    switch (what) {
    case 0: gen_call(g, __HYPERVISOR_xen_version, a, pointer, 0, 0, 0); break;
    case 1: gen_call(g, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0, 0); break;
    case 2: small_poll(g); break;
    case 3: gen_call(g, __HYPERVISOR_set_segment_base, a & 1 ? SEGBASE_FS : SEGBASE_GS_USER, va, 0, 0, 0); break;
    case 4: gen_call(g, __HYPERVISOR_set_debugreg, a, b & 1 ? va : 0x400, 0, 0, 0); break;
    case 5: gen_call(g, __HYPERVISOR_get_debugreg, a, 0, 0, 0, 0); break;
    case 6: gen_call(g, __HYPERVISOR_vm_assist, a & 3, b, 0, 0, 0); break;
    case 7: gen_call(g, __HYPERVISOR_fpu_taskswitch, world_is_expendable() ? a & 1 : 0, 0, 0, 0, 0); break;
    case 8: gen_call(g, __HYPERVISOR_physdev_op, a, pointer, 0, 0, 0); break;
    case 9: small_callback(g); break;
    case 10: gen_call(g, absent[gen_pick(g, ARRAY_SIZE(absent))], a, b, va, a, b); break;
    default: gen_call(g, __HYPERVISOR_set_timer_op, a & 1 ? 0 : gen_random(g), 0, 0, 0, 0); break;
    }
}

void op_multicall(struct gen *g)
{
    static const unsigned numbers[] = { __HYPERVISOR_update_va_mapping, __HYPERVISOR_update_va_mapping,
                                        __HYPERVISOR_xen_version, __HYPERVISOR_multicall, 63,
                                        __HYPERVISOR_update_descriptor, __HYPERVISOR_mmu_update };
    struct multicall_entry *list = (void *)(g->scratch + PAGE_SIZE);
    const unsigned n = 1 + gen_pick(g, 12);

    memset(list, 0, n * sizeof(*list));
    for (unsigned i = 0; i < n; i++) {
        list[i].op = numbers[gen_pick(g, ARRAY_SIZE(numbers))];
        list[i].args[0] = gen_va(g);
        list[i].args[1] = gen_entry(g);
        list[i].args[2] = gen_pick(g, 8);
        if (list[i].op == __HYPERVISOR_xen_version)
            list[i].args[0] = gen_number(g);
        if (list[i].op == __HYPERVISOR_mmu_update) {
            struct mmu_update *req = (void *)(g->scratch + 256 + i * 16);
            req->ptr = gen_table_frame(g) << PAGE_SHIFT;
            req->ptr += gen_pick(g, 512) * 8;
            req->val = gen_entry(g);
            list[i].args[0] = (uintptr_t)req;
            list[i].args[1] = 1;
            list[i].args[2] = 0;
            list[i].args[3] = gen_domid(g);
        }
    }
    /* Not from any page: one full of zeros is a list of "clear my trap table". */
    gen_call(g, __HYPERVISOR_multicall, gen_chance(g, 95) ? HC_ARG(list) : BAD_HYPERVISOR, n, 0, 0, 0);
}
