/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables, frames, descriptors. One draw a statement: the order of draws must not depend on the compiler. */
#include "gen.h"

void op_mmu_update(struct gen *g)
{
    static const unsigned cmds[] = { MMU_NORMAL_PT_UPDATE, MMU_NORMAL_PT_UPDATE, MMU_PT_UPDATE_PRESERVE_AD,
                                     MMU_PT_UPDATE_NO_TRANSLATE };
    struct mmu_update *req = (void *)g->scratch;
    const unsigned n = 1 + gen_pick(g, 8);

    for (unsigned i = 0; i < n; i++) {
        uint64_t frame = gen_table_frame(g), offset = gen_pick(g, 512) * 8;
        if (gen_chance(g, 10)) {
            frame = gen_frame(g);
            offset = gen_random(g) & 0xff8;
        }
        req[i].ptr = (frame << PAGE_SHIFT) + offset + cmds[gen_pick(g, ARRAY_SIZE(cmds))];
        req[i].val = gen_entry(g);
    }
    const uint64_t list = gen_pointer(g, req), count = gen_chance(g, 97) ? n : gen_number(g);
    const uint64_t done = gen_chance(g, 50) ? 0 : gen_pointer(g, g->scratch + 2048);
    gen_call(g, __HYPERVISOR_mmu_update, list, count, done, gen_domid(g), 0);
}

/* The frames of the pool keep their own numbers, so that our arithmetic stays right. */
void op_machphys(struct gen *g)
{
    struct mmu_update *req = (void *)g->scratch;
    const uint64_t *page = g->pages[gen_pick(g, POOL_PAGES)];
    const bool wrong = gen_chance(g, 20), victims = gen_chance(g, 50);

    req->ptr = (wrong ? victims ? victim_frame() : FRAME_BEYOND : mm_mfn(page)) << PAGE_SHIFT | MMU_MACHPHYS_UPDATE;
    req->val = mm_pfn(page);
    gen_call(g, __HYPERVISOR_mmu_update, HC_ARG(req), 1, 0, gen_domid(g), 0);
}

void op_va_mapping(struct gen *g)
{
    static const uint64_t flags[] = { 0, UVMF_INVLPG, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH, UVMF_TLB_FLUSH | UVMF_ALL };
    const uint64_t flag = gen_chance(g, 90) ? flags[gen_pick(g, ARRAY_SIZE(flags))] : gen_random(g);

    if (gen_chance(g, 20)) {
        const uint64_t *page = gen_chance(g, 50) ? g->pages[gen_pick(g, POOL_PAGES)] : g->tables[gen_pick(g, POOL_TABLES)];
        const uint64_t entry = PTE(mm_mfn(page), gen_chance(g, 50) ? PTE_RO : PTE_KERNEL);
        gen_call(g, __HYPERVISOR_update_va_mapping, (uintptr_t)page, entry, flag, 0, 0);
        return;
    }
    const uint64_t va = gen_va(g), entry = gen_entry(g);
    if (gen_chance(g, 15))
        gen_call(g, __HYPERVISOR_update_va_mapping_otherdomain, va, entry, flag, gen_domid(g), 0);
    else
        gen_call(g, __HYPERVISOR_update_va_mapping, va, entry, flag, 0, 0);
}

static void one_mmuext(struct gen *g, struct mmuext_op *op)
{
    memset(op, 0, sizeof(*op));
    op->cmd = gen_pick(g, 22);
    if (op->cmd == MMUEXT_NEW_BASEPTR && !world_is_expendable())
        op->cmd = MMUEXT_UNPIN_TABLE;
    op->arg1.mfn = gen_chance(g, 80) ? gen_table_frame(g) : gen_frame(g);
    op->arg2.src_mfn = gen_frame(g);
    switch (op->cmd) {
    case MMUEXT_CLEAR_PAGE:
    case MMUEXT_COPY_PAGE:
        op->arg1.mfn = gen_frame(g);
        break;
    case MMUEXT_SET_LDT:
        op->arg1.linear_addr = gen_va(g);
        op->arg2.nr_ents = (unsigned)gen_number(g);
        break;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        op->arg1.linear_addr = gen_va(g);
        set_xen_guest_handle(op->arg2.vcpumask, (void *)gen_pointer(g, g->scratch + 1024));
        break;
    case MMUEXT_NEW_USER_BASEPTR:
        if (gen_chance(g, 50))
            op->arg1.mfn = 0;
        break;
    case 21:
        op->cmd = (unsigned)gen_number(g) | 16;
        break;
    default:
        break;
    }
}

void op_mmuext(struct gen *g)
{
    struct mmuext_op *op = (void *)g->scratch;
    const unsigned n = 1 + gen_pick(g, 3);

    for (unsigned i = 0; i < n; i++)
        one_mmuext(g, &op[i]);
    /* Where gen_pointer() may put the list: leftovers there have loaded one of our tables, in which nobody can execute. */
    memset(g->scratch + 2 * PAGE_SIZE - 64, 0, 64);
    const uint64_t list = gen_pointer(g, op);
    gen_call(g, __HYPERVISOR_mmuext_op, list, n, 0, gen_domid(g), 0);
}

/* An ordinary store to a table: emulated when it is mapped read-only. */
void op_table_store(struct gen *g)
{
    uint64_t *table = g->tables[gen_pick(g, POOL_TABLES)];
    const unsigned slot = gen_pick(g, 512);

    g->done[1]++;
    g->passed[1] += probe_write((uintptr_t)&table[slot], gen_entry(g)) == TRAP_NONE;
}

void op_descriptor(struct gen *g)
{
    unsigned long *frames = (void *)g->scratch;

    frames[0] = gen_frame(g);
    frames[1] = gen_frame(g);
    if (gen_chance(g, 60)) {
        const uint64_t at = frames[0] << PAGE_SHIFT | (gen_random(g) & 0xfff);
        gen_call(g, __HYPERVISOR_update_descriptor, at, gen_random(g), 0, 0, 0);
        return;
    }
    const uint64_t list = gen_pointer(g, frames);
    gen_call(g, __HYPERVISOR_set_gdt, list, gen_chance(g, 50) ? 0 : gen_number(g), 0, 0, 0);
}

/* ---- memory_op ---- */

static long give_back(struct gen *g, uint64_t mfn)
{
    struct xen_memory_reservation *r = (void *)(g->scratch + 3072);
    xen_pfn_t *one = (void *)(g->scratch + 3072 + 256);

    memset(r, 0, sizeof(*r));
    *one = mfn;
    set_xen_guest_handle(r->extent_start, one);
    r->nr_extents = 1;
    r->domid = DOMID_SELF;
    return gen_call(g, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, HC_ARG(r), 0, 0, 0);
}

/* An honest guest's ballooning, frames outside the pools. */
static void populate(struct gen *g, struct xen_memory_reservation *res, xen_pfn_t *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        list[i] = 0x100000 + gen_pick(g, 64);
    const long rc = gen_call(g, __HYPERVISOR_memory_op, XENMEM_populate_physmap, HC_ARG(res), 0, 0, 0);
    for (long i = 0; i < rc && i < (long)n && res->extent_order == 0; i++)
        give_back(g, list[i]);
}

/* A pool's page goes and comes back as another frame, or is exchanged for one. */
static void swap_page(struct gen *g, struct xen_memory_reservation *res, xen_pfn_t *list)
{
    const uint64_t *page = g->pages[gen_pick(g, POOL_PAGES)];
    const bool exchange = gen_chance(g, 50);

    if (!world_is_expendable())
        return;
    memset(res, 0, sizeof(struct xen_memory_exchange));
    set_xen_guest_handle(res->extent_start, list);
    res->nr_extents = 1;
    res->domid = DOMID_SELF;
    list[0] = mm_mfn(page);
    list[1] = mm_pfn(page);
    if (exchange) {
        struct xen_memory_exchange *x = (void *)res;
        x->out = x->in;
        set_xen_guest_handle(x->out.extent_start, list + 1);
        if (gen_call(g, __HYPERVISOR_memory_op, XENMEM_exchange, HC_ARG(x), 0, 0, 0) == 0)
            mm_set_mfn(mm_pfn(page), list[1]);
        return;
    }
    (void)give_back(g, list[0]);
    list[0] = mm_pfn(page);
    if (gen_call(g, __HYPERVISOR_memory_op, XENMEM_populate_physmap, HC_ARG(res), 0, 0, 0) == 1)
        mm_set_mfn(mm_pfn(page), list[0]);
}

void op_memory(struct gen *g)
{
    static const unsigned others[] = { 2, 3, 4, 5, 7, 9, 10, 12, 14, 16, 17, 20, 26, 27, 28, 63 };
    struct xen_memory_reservation *res = (void *)g->scratch;
    struct xen_memory_exchange *x = (void *)g->scratch;
    xen_pfn_t *list = (void *)(g->scratch + 1024);
    const unsigned n = 1 + gen_pick(g, 4), what = gen_pick(g, 5);

    memset(x, 0, sizeof(*x));
    set_xen_guest_handle(res->extent_start, (xen_pfn_t *)gen_pointer(g, list));
    res->nr_extents = gen_chance(g, 90) ? n : gen_number(g);
    res->extent_order = gen_chance(g, 85) ? 0 : (unsigned)gen_number(g);
    res->mem_flags = gen_chance(g, 85) ? 0 : (unsigned)gen_random(g);
    res->domid = (domid_t)gen_domid(g);
    switch (what) {
    case 0:
        populate(g, res, list, n);
        break;
    case 1:
    case 2:
        for (unsigned i = 0; i < n; i++)
            list[i] = gen_chance(g, 50) ? FRAME_BEYOND : victim_frame();
        if (what == 2) {
            x->out = x->in;
            x->nr_exchanged = gen_chance(g, 70) ? 0 : gen_number(g);
        }
        gen_call(g, __HYPERVISOR_memory_op, what == 1 ? XENMEM_decrease_reservation : XENMEM_exchange, HC_ARG(res), 0, 0, 0);
        break;
    case 3:
        swap_page(g, res, list);
        break;
    default: {
        const unsigned cmd = others[gen_pick(g, ARRAY_SIZE(others))];
        const uint64_t start = gen_chance(g, 90) ? 0 : gen_number(g) << 6;
        gen_call(g, __HYPERVISOR_memory_op, cmd | start, gen_pointer(g, res), 0, 0, 0);
        break;
    }
    }
}
