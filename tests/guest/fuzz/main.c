/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercall fuzzer. Claim: no sequence of plausible and implausible calls from a guest harms anybody else, and
 * the ones that stay within the guest's own rights leave it running.
 *
 *   seed=N    where to start (printed); calls=N per vCPU (default 5000); vcpus=1 for a repeatable run
 *   without=M bit mask of rows of ops[] to leave out
 *   trace     print each call before it is made: the last line names the one that broke something
 *
 * Left out is only what ends or disables the caller itself: shutdown, block, iret, own traps and callbacks, own
 * stack, its base pointer. As the initial domain the control calls are left out too: they may harm by right.
 */
#include "gen.h"
#include <xen/nmi.h>

static struct gen gens[2];
static volatile bool second_done;
static uint64_t calls_wanted;
static bool tracing;
static uint64_t left_out;               /* without=: bit i leaves out ops[i], to look behind a known fault */

typedef long (*op_fn)(struct gen *g);

static long call(struct gen *g, unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    if (tracing)
        printf("v%u #%lu call %u %lx %lx %lx %lx %lx\n", g->vcpu, g->calls, nr, a, b, c, d, e);
    long rc = hypercall(nr, a, b, c, d, e);
    g->done[nr % 64]++;
    g->passed[nr % 64] += rc >= 0;
    return rc;
}

/* ---- memory management ---- */

static long op_mmu_update(struct gen *g)
{
    struct mmu_update *req = (void *)g->scratch;
    unsigned n = 1 + gen_pick(g, 8);
    unsigned *done = (unsigned *)(g->scratch + 2048);

    for (unsigned i = 0; i < n; i++) {
        req[i].ptr = (gen_table_frame(g) << PAGE_SHIFT) + gen_pick(g, 512) * 8;
        if (gen_chance(g, 10))
            req[i].ptr = gen_frame(g) << PAGE_SHIFT | (gen_random(g) & 0xff8);
        static const unsigned cmds[] = { MMU_NORMAL_PT_UPDATE, MMU_NORMAL_PT_UPDATE, MMU_PT_UPDATE_PRESERVE_AD,
                                         MMU_PT_UPDATE_NO_TRANSLATE };
        req[i].ptr |= cmds[gen_pick(g, 4)];
        req[i].val = gen_entry(g);
    }
    return call(g, __HYPERVISOR_mmu_update, gen_pointer(g, req), gen_chance(g, 97) ? n : gen_number(g),
                gen_chance(g, 50) ? 0 : gen_pointer(g, done), gen_domid(g), 0);
}

/* The frames of the pool keep their own numbers, so that our arithmetic stays right. */
static long op_machphys(struct gen *g)
{
    struct mmu_update *req = (void *)g->scratch;
    uint64_t *page = g->pages[gen_pick(g, POOL_PAGES)];

    req->ptr = mm_mfn(page) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;
    req->val = mm_pfn(page);
    if (gen_chance(g, 20))
        req->ptr = (gen_chance(g, 50) ? victim_frame() : FRAME_BEYOND) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;
    return call(g, __HYPERVISOR_mmu_update, HC_ARG(req), 1, 0, gen_domid(g), 0);
}

static long op_va_mapping(struct gen *g)
{
    static const uint64_t flags[] = { 0, UVMF_INVLPG, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH, UVMF_TLB_FLUSH | UVMF_ALL };
    uint64_t flag = gen_chance(g, 90) ? flags[gen_pick(g, 5)] : gen_random(g);

    if (gen_chance(g, 20)) {
        uint64_t *page = gen_chance(g, 50) ? g->pages[gen_pick(g, POOL_PAGES)] : g->tables[gen_pick(g, POOL_TABLES)];
        return call(g, __HYPERVISOR_update_va_mapping, (uintptr_t)page,
                    PTE(mm_mfn(page), gen_chance(g, 50) ? PTE_RO : PTE_KERNEL), flag, 0, 0);
    }
    return call(g, __HYPERVISOR_update_va_mapping, gen_va(g), gen_entry(g), flag, 0, 0);
}

static long op_mmuext(struct gen *g)
{
    struct mmuext_op *op = (void *)g->scratch;
    unsigned n = 1 + gen_pick(g, 3);

    memset(op, 0, n * sizeof(*op));
    for (unsigned i = 0; i < n; i++) {
        op[i].cmd = gen_pick(g, 22);
        if (op[i].cmd == MMUEXT_NEW_BASEPTR)
            op[i].cmd = MMUEXT_UNPIN_TABLE;
        op[i].arg1.mfn = gen_chance(g, 80) ? gen_table_frame(g) : gen_frame(g);
        if (op[i].cmd == MMUEXT_CLEAR_PAGE || op[i].cmd == MMUEXT_COPY_PAGE)
            op[i].arg1.mfn = gen_frame(g);
        op[i].arg2.src_mfn = gen_frame(g);
        if (op[i].cmd == MMUEXT_SET_LDT) {
            op[i].arg1.linear_addr = gen_va(g);
            op[i].arg2.nr_ents = (unsigned)gen_number(g);
        }
        if (op[i].cmd == MMUEXT_TLB_FLUSH_MULTI || op[i].cmd == MMUEXT_INVLPG_MULTI) {
            op[i].arg1.linear_addr = gen_va(g);
            set_xen_guest_handle(op[i].arg2.vcpumask, (void *)gen_pointer(g, g->scratch + 1024));
        }
        if (op[i].cmd == MMUEXT_NEW_USER_BASEPTR && gen_chance(g, 50))
            op[i].arg1.mfn = 0;
        if (op[i].cmd == 21)
            op[i].cmd = (unsigned)gen_number(g) | 16;
    }
    return call(g, __HYPERVISOR_mmuext_op, gen_pointer(g, op), n, 0, gen_domid(g), 0);
}

static long op_table_store(struct gen *g)
{
    uint64_t *table = g->tables[gen_pick(g, POOL_TABLES)];

    g->done[1]++;
    return probe_write((uintptr_t)&table[gen_pick(g, 512)], gen_entry(g)) == TRAP_NONE ? 0 : -1;
}

static long op_descriptor(struct gen *g)
{
    unsigned long frames[2] = { gen_frame(g), gen_frame(g) };

    if (gen_chance(g, 60))
        return call(g, __HYPERVISOR_update_descriptor, gen_frame(g) << PAGE_SHIFT | (gen_random(g) & 0xfff),
                    gen_random(g), 0, 0, 0);
    return call(g, __HYPERVISOR_set_gdt, gen_pointer(g, frames), gen_chance(g, 50) ? 0 : gen_number(g), 0, 0, 0);
}

static long op_memory(struct gen *g)
{
    struct xen_memory_reservation *res = (void *)g->scratch;
    xen_pfn_t *list = (void *)(g->scratch + 1024);
    unsigned n = 1 + gen_pick(g, 4);

    memset(res, 0, sizeof(struct xen_memory_exchange));
    set_xen_guest_handle(res->extent_start, (xen_pfn_t *)gen_pointer(g, list));
    res->nr_extents = gen_chance(g, 90) ? n : gen_number(g);
    res->extent_order = gen_chance(g, 85) ? 0 : (unsigned)gen_number(g);
    res->mem_flags = gen_chance(g, 85) ? 0 : (unsigned)gen_random(g);
    res->domid = (domid_t)gen_domid(g);
    switch (gen_pick(g, 4)) {
    case 0: {
        /* Give back what an honest populate gave: frames outside the pools. */
        for (unsigned i = 0; i < n; i++)
            list[i] = 0x100000 + gen_pick(g, 64);
        long rc = call(g, __HYPERVISOR_memory_op, XENMEM_populate_physmap, HC_ARG(res), 0, 0, 0);
        for (long i = 0; i < rc && i < (long)n && res->extent_order == 0; i++) {
            xen_pfn_t mfn = list[i];
            struct xen_memory_reservation back = { .nr_extents = 1, .domid = DOMID_SELF };
            set_xen_guest_handle(back.extent_start, &mfn);
            call(g, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, HC_ARG(&back), 0, 0, 0);
        }
        return rc;
    }
    case 1:
        for (unsigned i = 0; i < n; i++)
            list[i] = gen_chance(g, 50) ? FRAME_BEYOND : victim_frame();
        return call(g, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, HC_ARG(res), 0, 0, 0);
    case 2: {
        struct xen_memory_exchange *x = (void *)g->scratch;
        x->in = *res;
        x->out = *res;
        x->nr_exchanged = gen_chance(g, 70) ? 0 : gen_number(g);
        for (unsigned i = 0; i < n; i++)
            list[i] = gen_chance(g, 50) ? FRAME_BEYOND : victim_frame();
        return call(g, __HYPERVISOR_memory_op, XENMEM_exchange, HC_ARG(x), 0, 0, 0);
    }
    default: {
        static const unsigned harmless[] = { 2, 3, 4, 5, 7, 9, 10, 12, 14, 16, 17, 20, 26, 27, 28, 63 };
        return call(g, __HYPERVISOR_memory_op, harmless[gen_pick(g, ARRAY_SIZE(harmless))] |
                    (gen_chance(g, 90) ? 0 : gen_number(g) << 6), gen_pointer(g, res), 0, 0, 0);
    }
    }
}

/* ---- grants ---- */

static void write_grant(struct gen *g)
{
    grant_ref_t ref = 64 + 16 * g->vcpu + gen_pick(g, 16);
    struct grant_entry_v1 *e = grant_entry(ref);

    if (gen_chance(g, 30))
        return;
    e->frame = (uint32_t)gen_frame(g);
    e->domid = gen_chance(g, 90) ? own_domid() : (domid_t)gen_domid(g);
    WRITE_ONCE(e->flags, gen_chance(g, 80) ? GTF_permit_access | (gen_chance(g, 30) ? GTF_readonly : 0)
                                           : (uint16_t)gen_random(g));
}

static long op_grant_map(struct gen *g)
{
    struct gnttab_map_grant_ref *m = (void *)g->scratch;
    unsigned n = 1 + gen_pick(g, 3);

    for (unsigned i = 0; i < n; i++) {
        static const unsigned kinds[] = { GNTMAP_host_map, GNTMAP_host_map | GNTMAP_readonly,
                                          GNTMAP_host_map | GNTMAP_device_map, GNTMAP_device_map,
                                          GNTMAP_host_map | GNTMAP_contains_pte };
        write_grant(g);
        m[i] = (struct gnttab_map_grant_ref){ .host_addr = gen_va(g), .flags = kinds[gen_pick(g, 5)],
                                              .ref = gen_ref(g), .dom = own_domid() };
        if (m[i].flags & GNTMAP_contains_pte)
            m[i].host_addr = gen_table_frame(g) << PAGE_SHIFT | gen_pick(g, 512) * 8;
        if (gen_chance(g, 10))
            m[i].dom = (domid_t)gen_domid(g);
        if (gen_chance(g, 5))
            m[i].flags = (unsigned)gen_random(g);
    }
    long rc = call(g, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, gen_pointer(g, m), n, 0, 0);
    for (unsigned i = 0; i < n && rc == 0; i++)
        if (m[i].status == GNTST_okay) {
            gen_learn_handle(g, m[i].handle);
            g->good++;
        }
    return rc;
}

static long op_grant_unmap(struct gen *g)
{
    struct gnttab_unmap_grant_ref *u = (void *)g->scratch;
    unsigned n = 1 + gen_pick(g, 3);

    for (unsigned i = 0; i < n; i++)
        u[i] = (struct gnttab_unmap_grant_ref){ .host_addr = gen_chance(g, 80) ? gen_va(g) : 0,
                                                .dev_bus_addr = gen_chance(g, 80) ? 0 : gen_frame(g) << PAGE_SHIFT,
                                                .handle = gen_handle(g) };
    return call(g, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, gen_pointer(g, u), n, 0, 0);
}

static long op_grant_copy(struct gen *g)
{
    struct gnttab_copy *c = (void *)g->scratch;
    unsigned n = 1 + gen_pick(g, 6);

    for (unsigned i = 0; i < n; i++) {
        write_grant(g);
        c[i].flags = (uint16_t)(gen_chance(g, 90) ? gen_pick(g, 4) : gen_random(g));
        c[i].source.u.gmfn = c[i].flags & GNTCOPY_source_gref ? gen_ref(g) : gen_frame(g);
        c[i].dest.u.gmfn = c[i].flags & GNTCOPY_dest_gref ? gen_ref(g) : gen_frame(g);
        c[i].source.domid = c[i].flags & GNTCOPY_source_gref ? own_domid() : (domid_t)gen_domid(g);
        c[i].dest.domid = c[i].flags & GNTCOPY_dest_gref ? own_domid() : (domid_t)gen_domid(g);
        c[i].source.offset = (uint16_t)(gen_pick(g, 4200));
        c[i].dest.offset = (uint16_t)(gen_pick(g, 4200));
        c[i].len = (uint16_t)gen_pick(g, 300);
    }
    return call(g, __HYPERVISOR_grant_table_op, GNTTABOP_copy, gen_pointer(g, c), n, 0, 0);
}

static long op_grant_other(struct gen *g)
{
    static const unsigned cmds[] = { GNTTABOP_setup_table, GNTTABOP_query_size, GNTTABOP_set_version,
                                     GNTTABOP_get_version, GNTTABOP_unmap_and_replace, GNTTABOP_get_status_frames,
                                     GNTTABOP_cache_flush, GNTTABOP_swap_grant_ref, 77 };
    unsigned cmd = cmds[gen_pick(g, ARRAY_SIZE(cmds))];

    memset(g->scratch, 0, 64);
    for (unsigned i = 0; i < 4; i++)
        ((uint64_t *)(void *)g->scratch)[i] = gen_number(g);
    if (cmd == GNTTABOP_set_version)
        *(uint32_t *)(void *)g->scratch = 1;
    if (cmd == GNTTABOP_setup_table) {
        struct gnttab_setup_table *s = (void *)g->scratch;
        s->dom = (domid_t)gen_domid(g);
        set_xen_guest_handle(s->frame_list, (xen_pfn_t *)gen_pointer(g, g->scratch + 1024));
    }
    if (cmd == GNTTABOP_swap_grant_ref) {
        struct gnttab_swap_grant_ref *s = (void *)g->scratch;
        s->ref_a = gen_ref(g);
        s->ref_b = gen_ref(g);
    }
    return call(g, __HYPERVISOR_grant_table_op, cmd, gen_pointer(g, g->scratch), 1, 0, 0);
}

/* ---- events, vCPUs, the rest ---- */

static long op_event(struct gen *g)
{
    unsigned cmd = gen_pick(g, 14);
    uint32_t *a = (void *)g->scratch;
    long rc;

    memset(a, 0, 64);
    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        ((domid_t *)(void *)a)[0] = (domid_t)gen_domid(g);
        ((domid_t *)(void *)a)[1] = (domid_t)gen_domid(g);
        rc = call(g, __HYPERVISOR_event_channel_op, cmd, gen_pointer(g, a), 0, 0, 0);
        if (rc == 0)
            gen_learn_port(g, a[1]);
        return rc;
    case EVTCHNOP_bind_interdomain:
        ((domid_t *)(void *)a)[0] = (domid_t)gen_domid(g);
        a[1] = gen_port(g);
        rc = call(g, __HYPERVISOR_event_channel_op, cmd, gen_pointer(g, a), 0, 0, 0);
        if (rc == 0)
            gen_learn_port(g, a[2]);
        return rc;
    case EVTCHNOP_bind_virq:
        a[0] = gen_chance(g, 90) ? 1 + gen_pick(g, 23) : (unsigned)gen_number(g);
        a[1] = gen_vcpu(g);
        rc = call(g, __HYPERVISOR_event_channel_op, cmd, gen_pointer(g, a), 0, 0, 0);
        if (rc == 0)
            gen_learn_port(g, a[2]);
        return rc;
    case EVTCHNOP_bind_ipi:
        a[0] = gen_vcpu(g);
        rc = call(g, __HYPERVISOR_event_channel_op, cmd, gen_pointer(g, a), 0, 0, 0);
        if (rc == 0)
            gen_learn_port(g, a[1]);
        return rc;
    case EVTCHNOP_status:
        ((domid_t *)(void *)a)[0] = (domid_t)gen_domid(g);
        a[1] = gen_port(g);
        break;
    case EVTCHNOP_reset:
        ((domid_t *)(void *)a)[0] = gen_chance(g, 50) ? victim_domid() : 0x7000;
        break;
    case EVTCHNOP_init_control:
        return 0;                       /* would move our own upcalls where they exist */
    default:
        a[0] = gen_port(g);
        a[1] = gen_vcpu(g);
        if (a[0] < 4)                   /* store, console and timer stay */
            return 0;
        break;
    }
    return call(g, __HYPERVISOR_event_channel_op, cmd, gen_pointer(g, a), 0, 0, 0);
}

static long op_vcpu(struct gen *g)
{
    static const unsigned cmds[] = { VCPUOP_initialise, VCPUOP_up, VCPUOP_is_up, VCPUOP_get_runstate_info,
                                     VCPUOP_set_periodic_timer, VCPUOP_stop_periodic_timer,
                                     VCPUOP_set_singleshot_timer, VCPUOP_stop_singleshot_timer, VCPUOP_get_physid, 14 };
    uint64_t *a = (void *)g->scratch;

    for (unsigned i = 0; i < 8; i++)
        a[i] = gen_number(g);
    unsigned cmd = cmds[gen_pick(g, ARRAY_SIZE(cmds))];
    if (cmd == VCPUOP_set_periodic_timer && a[0] >= 1000000)
        a[0] |= 1UL << 33;              /* no storm of ticks: it is time we want for calls */
    return call(g, __HYPERVISOR_vcpu_op, cmd, gen_vcpu(g), gen_pointer(g, a), 0, 0);
}

static long op_small(struct gen *g)
{
    switch (gen_pick(g, 12)) {
    case 0:
        return call(g, __HYPERVISOR_xen_version, gen_number(g), gen_pointer(g, g->scratch), 0, 0, 0);
    case 1:
        return call(g, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0, 0);
    case 2: {
        struct sched_poll *p = (void *)g->scratch;
        p->nr_ports = (unsigned)gen_number(g);
        p->timeout = 1;
        set_xen_guest_handle(p->ports, (evtchn_port_t *)gen_pointer(g, g->scratch + 512));
        return call(g, __HYPERVISOR_sched_op, SCHEDOP_poll, gen_chance(g, 95) ? HC_ARG(p) : BAD_DIRECTMAP, 0, 0,
                    0);                 /* a poll with a stranger's timeout may never end */
    }
    case 3:
        return call(g, __HYPERVISOR_set_segment_base, gen_chance(g, 50) ? SEGBASE_FS : SEGBASE_GS_USER, gen_va(g), 0, 0,
                    0);
    case 4:
        return call(g, __HYPERVISOR_set_debugreg, gen_number(g), gen_pick(g, 2) ? gen_va(g) : 0x400, 0, 0, 0);
    case 5:
        return call(g, __HYPERVISOR_get_debugreg, gen_number(g), 0, 0, 0, 0);
    case 6:
        return call(g, __HYPERVISOR_vm_assist, gen_pick(g, 3), gen_number(g), 0, 0, 0);
    case 7:
        return call(g, __HYPERVISOR_fpu_taskswitch, 0, 0, 0, 0, 0);
    case 8:
        return call(g, __HYPERVISOR_physdev_op, gen_number(g), gen_pointer(g, g->scratch), 0, 0, 0);
    case 9: {
        struct callback_register *r = (void *)g->scratch;
        r->type = (uint16_t)(8 + gen_pick(g, 100));
        r->flags = (uint16_t)gen_random(g);
        r->address = gen_va(g);
        return call(g, __HYPERVISOR_callback_op, gen_pick(g, 4), HC_ARG(r), 0, 0, 0);
    }
    case 10: {
        static const unsigned numbers[] = { 11, 27, 31, 34, 37, 38, 39, 40, 41, 42, 43, 48, 49, 55, 63 };
        return call(g, numbers[gen_pick(g, ARRAY_SIZE(numbers))], gen_number(g), gen_number(g), gen_va(g), gen_number(g),
                    gen_number(g));
    }
    default:
        return call(g, __HYPERVISOR_set_timer_op, gen_chance(g, 50) ? 0 : gen_random(g), 0, 0, 0, 0);
    }
}

/* Only for a domain that has no right to any of it. */
static long op_control(struct gen *g)
{
    static const unsigned numbers[] = { __HYPERVISOR_domctl, __HYPERVISOR_sysctl, __HYPERVISOR_platform_op };
    uint32_t *a = (void *)g->scratch;
    unsigned nr = numbers[gen_pick(g, 3)];

    if (is_initial_domain())
        return 0;
    for (unsigned i = 0; i < 32; i++)
        a[i] = (uint32_t)gen_number(g);
    a[0] = gen_pick(g, 90);
    a[1] = nr == __HYPERVISOR_platform_op ? XENPF_INTERFACE_VERSION : 0x15;
    *(uint16_t *)(void *)&a[2] = (uint16_t)gen_domid(g);
    return call(g, nr, gen_pointer(g, a), 0, 0, 0, 0);
}

static long op_multicall(struct gen *g)
{
    struct multicall_entry *list = (void *)(g->scratch + PAGE_SIZE);
    unsigned n = 1 + gen_pick(g, 12);

    memset(list, 0, n * sizeof(*list));
    for (unsigned i = 0; i < n; i++) {
        static const unsigned numbers[] = { __HYPERVISOR_update_va_mapping, __HYPERVISOR_update_va_mapping,
                                            __HYPERVISOR_xen_version, __HYPERVISOR_multicall, 63,
                                            __HYPERVISOR_update_descriptor, __HYPERVISOR_mmu_update };
        list[i].op = numbers[gen_pick(g, ARRAY_SIZE(numbers))];
        list[i].args[0] = gen_va(g);
        list[i].args[1] = gen_entry(g);
        list[i].args[2] = gen_pick(g, 8);
        if (list[i].op == __HYPERVISOR_xen_version)
            list[i].args[0] = gen_number(g);
        if (list[i].op == __HYPERVISOR_mmu_update) {
            struct mmu_update *req = (void *)(g->scratch + 256 + i * 16);
            req->ptr = (gen_table_frame(g) << PAGE_SHIFT) + gen_pick(g, 512) * 8;
            req->val = gen_entry(g);
            list[i].args[0] = (uintptr_t)req;
            list[i].args[1] = 1;
            list[i].args[2] = 0;
            list[i].args[3] = gen_domid(g);
        }
    }
    /* Not from any page: one full of zeros is a list of "clear my trap table". */
    return call(g, __HYPERVISOR_multicall, gen_chance(g, 95) ? HC_ARG(list) : BAD_HYPERVISOR, n, 0, 0, 0);
}

static const struct {
    op_fn fn;
    unsigned weight;
} ops[] = {
    { op_mmu_update, 20 }, { op_machphys, 2 }, { op_va_mapping, 15 }, { op_mmuext, 15 }, { op_table_store, 5 },
    { op_descriptor, 3 }, { op_memory, 5 }, { op_grant_map, 8 }, { op_grant_unmap, 8 }, { op_grant_copy, 5 },
    { op_grant_other, 3 }, { op_event, 10 }, { op_vcpu, 4 }, { op_small, 5 }, { op_control, 2 }, { op_multicall, 3 },
};

static void run(struct gen *g)
{
    unsigned total = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        total += ops[i].weight;
    for (g->calls = 0; g->calls < calls_wanted; g->calls++) {
        unsigned at = gen_pick(g, total), i = 0;

        while (at >= ops[i].weight)
            at -= ops[i++].weight;
        if (!(left_out & (1UL << i)))
            ops[i].fn(g);
    }
}

static void second(void *arg)
{
    (void)arg;
    event_save_mask();
    run(&gens[1]);
    second_done = true;
}

static bool skip_stray(struct trap_frame *f)
{
    /* Debug registers we set at random may fire; an NMI may be sent. */
    return f->vector == 1 || f->vector == 2;
}

void guest_test(void)
{
    uint64_t seed = cmdline_number("seed", 1);
    unsigned vcpus = (unsigned)cmdline_number("vcpus", smp_vcpu_count() > 1 ? 2 : 1);

    calls_wanted = cmdline_number("calls", 5000);
    tracing = cmdline_has("trace");
    left_out = cmdline_number("without", 0);
    item("fuzz");
    own_domid();
    trap_set_hook(skip_stray);
    if (!grant_init())
        return;
    for (unsigned i = 0; i < vcpus && i < 2; i++)
        gen_init(&gens[i], i, seed);
    printf("seed=%lu calls=%lu vcpus=%u\n", seed, calls_wanted, vcpus);
    if (vcpus > 1)
        RC(smp_start(1, second, NULL), 0);
    uint64_t start = time_now();
    event_save_mask();
    run(&gens[0]);
    if (vcpus > 1)
        CHECK(wait_for(second_done, 20 * SECOND), "vCPU 1 does not end");
    uint64_t took = time_now() - start;
    hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    event_enable();
    uint64_t all = calls_wanted * vcpus;
    printf("%lu calls in %lu ms, %lu a second; %lu grants mapped\n", all, took / MS, all * SECOND / (took + 1),
           gens[0].good + gens[1].good);
    for (unsigned nr = 0; nr < 64; nr++)
        if (gens[0].done[nr] != 0 && (nr == 1 || nr == 14 || nr == 20 || nr == 26 || nr == 32))
            printf("  call %u: %lu made, %lu succeeded\n", nr, gens[0].done[nr], gens[0].passed[nr]);
    CHECK(M2P[mm_mfn(mm_va(0))] == 0, "the M2P is wrong");
}
