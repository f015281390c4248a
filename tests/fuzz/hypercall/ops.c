/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of operations, and the one way to the hypervisor. */
#include "gen.h"

long gen_call(struct gen *g, unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    if (g->tracing)
        printf("d%u v%u #%lu call %u %lx %lx %lx %lx %lx\n", own_domid(), g->vcpu, g->calls, nr, a, b, c, d, e);
    long rc = hypercall(nr, a, b, c, d, e);
    g->done[nr % 64]++;
    g->passed[nr % 64] += rc >= 0;
    return rc;
}

static const struct {
    op_fn *fn;
    unsigned weight;
} ops[] = {
    { op_mmu_update, 20 }, { op_machphys, 2 }, { op_va_mapping, 15 }, { op_mmuext, 15 }, { op_table_store, 5 },
    { op_descriptor, 3 }, { op_memory, 6 }, { op_grant_map, 8 }, { op_grant_unmap, 8 }, { op_grant_copy, 5 },
    { op_grant_other, 3 }, { op_event, 10 }, { op_vcpu, 5 }, { op_small, 6 }, { op_control, 6 }, { op_multicall, 3 },
    { op_self, 3 },
};

void gen_step(struct gen *g)
{
    unsigned total = 0, i = 0;

    for (unsigned n = 0; n < ARRAY_SIZE(ops); n++)
        total += ops[n].weight;
    unsigned at = gen_pick(g, total);
    while (at >= ops[i].weight)
        at -= ops[i++].weight;
    if (!(g->left_out & (1UL << i)))
        ops[i].fn(g);
    g->calls++;
}
