/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Grants: entries written by hand, mapped, unmapped, copied. */
#include "gen.h"

static void write_grant(struct gen *g)
{
    const grant_ref_t ref = 64 + 16 * g->vcpu + gen_pick(g, 16);
    struct grant_entry_v1 *e = grant_entry(ref);

    if (gen_chance(g, 30))
        return;
    WRITE_ONCE(e->frame, (uint32_t)gen_frame(g));
    WRITE_ONCE(e->domid, gen_chance(g, 90) ? gen_partner(g) : (domid_t)gen_domid(g));
    const uint16_t usual = (uint16_t)(GTF_permit_access | (gen_chance(g, 30) ? GTF_readonly : 0));
    WRITE_ONCE(e->flags, gen_chance(g, 80) ? usual : (uint16_t)gen_random(g));
}

void op_grant_map(struct gen *g)
{
    static const unsigned kinds[] = { GNTMAP_host_map, GNTMAP_host_map | GNTMAP_readonly,
                                      GNTMAP_host_map | GNTMAP_device_map, GNTMAP_device_map,
                                      GNTMAP_host_map | GNTMAP_contains_pte };
    struct gnttab_map_grant_ref *m = (void *)g->scratch;
    const unsigned n = 1 + gen_pick(g, 3);

    for (unsigned i = 0; i < n; i++) {
        write_grant(g);
        memset(&m[i], 0, sizeof(m[i]));
        m[i].host_addr = gen_va(g);
        m[i].flags = kinds[gen_pick(g, ARRAY_SIZE(kinds))];
        m[i].ref = gen_ref(g);
        m[i].dom = gen_partner(g);
        if (m[i].flags & GNTMAP_contains_pte) {
            m[i].host_addr = gen_table_frame(g) << PAGE_SHIFT;
            m[i].host_addr |= gen_pick(g, 512) * 8;
        }
        if (gen_chance(g, 10))
            m[i].dom = (domid_t)gen_domid(g);
        if (gen_chance(g, 5))
            m[i].flags = (unsigned)gen_random(g);
    }
    const long rc = gen_call(g, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, gen_pointer(g, m), n, 0, 0);
    for (unsigned i = 0; i < n && rc == 0; i++)
        if (m[i].status == GNTST_okay) {
            gen_learn_handle(g, m[i].handle);
            g->good++;
        }
}

void op_grant_unmap(struct gen *g)
{
    struct gnttab_unmap_grant_ref *u = (void *)g->scratch;
    const unsigned n = 1 + gen_pick(g, 3);

    for (unsigned i = 0; i < n; i++) {
        u[i].host_addr = gen_chance(g, 80) ? gen_va(g) : 0;
        u[i].dev_bus_addr = gen_chance(g, 80) ? 0 : gen_frame(g) << PAGE_SHIFT;
        u[i].handle = gen_handle(g);
    }
    gen_call(g, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, gen_pointer(g, u), n, 0, 0);
}

static void copy_end(struct gen *g, uint64_t *gmfn, domid_t *domid, uint16_t *offset, bool by_ref)
{
    *gmfn = by_ref ? gen_ref(g) : gen_frame(g);
    *domid = by_ref ? gen_partner(g) : (domid_t)gen_domid(g);
    *offset = (uint16_t)gen_pick(g, 4200);
}

void op_grant_copy(struct gen *g)
{
    struct gnttab_copy *c = (void *)g->scratch;
    const unsigned n = 1 + gen_pick(g, 6);

    for (unsigned i = 0; i < n; i++) {
        write_grant(g);
        c[i].flags = (uint16_t)(gen_chance(g, 90) ? gen_pick(g, 4) : gen_random(g));
        copy_end(g, &c[i].source.u.gmfn, &c[i].source.domid, &c[i].source.offset, c[i].flags & GNTCOPY_source_gref);
        copy_end(g, &c[i].dest.u.gmfn, &c[i].dest.domid, &c[i].dest.offset, c[i].flags & GNTCOPY_dest_gref);
        c[i].len = (uint16_t)gen_pick(g, 300);
    }
    gen_call(g, __HYPERVISOR_grant_table_op, GNTTABOP_copy, gen_pointer(g, c), n, 0, 0);
}

void op_grant_other(struct gen *g)
{
    static const unsigned cmds[] = { GNTTABOP_setup_table, GNTTABOP_query_size, GNTTABOP_set_version,
                                     GNTTABOP_get_version, GNTTABOP_unmap_and_replace, GNTTABOP_get_status_frames,
                                     GNTTABOP_cache_flush, GNTTABOP_swap_grant_ref, 77 };
    const unsigned cmd = cmds[gen_pick(g, ARRAY_SIZE(cmds))];
    uint64_t *a = (void *)g->scratch;

    memset(a, 0, 64);
    for (unsigned i = 0; i < 4; i++)
        a[i] = gen_number(g);
    if (cmd == GNTTABOP_set_version)
        *(uint32_t *)(void *)a = 1;
    if (cmd == GNTTABOP_setup_table) {
        struct gnttab_setup_table *s = (void *)a;
        s->dom = (domid_t)gen_domid(g);
        set_xen_guest_handle(s->frame_list, (xen_pfn_t *)gen_pointer(g, g->scratch + 1024));
    }
    if (cmd == GNTTABOP_swap_grant_ref) {
        struct gnttab_swap_grant_ref *s = (void *)a;
        s->ref_a = gen_ref(g);
        s->ref_b = gen_ref(g);
    }
    gen_call(g, __HYPERVISOR_grant_table_op, cmd, gen_pointer(g, a), 1, 0, 0);
}
