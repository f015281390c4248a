/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values for the hypercall fuzzers; owns nothing but what a struct gen holds. */
#include "gen.h"

static const uint64_t edges[] = { 0, 1, 2, 7, 8, 63, 64, 511, 512, 4095, 4096, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
                                  0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, ~0UL };

uint64_t gen_random(struct gen *g)
{
    if (g->input < g->input_end) {      /* splitmix64 of one byte: every small choice is within a byte's reach */
        uint64_t z = (*g->input++ + 1) * 0x9e3779b97f4a7c15UL;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
        z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
        return z ^ z >> 31;
    }
    return random_next(&g->state);
}

unsigned gen_pick(struct gen *g, unsigned n)
{
    return (unsigned)((gen_random(g) >> 32) % n);
}

bool gen_chance(struct gen *g, unsigned percent)
{
    return gen_pick(g, 100) < percent;
}

uint64_t gen_number(struct gen *g)
{
    if (gen_chance(g, 60))
        return gen_pick(g, 16);
    if (gen_chance(g, 60))
        return edges[gen_pick(g, ARRAY_SIZE(edges))];
    const unsigned shift = gen_pick(g, 64);
    return gen_random(g) >> shift;
}

uint64_t gen_table_frame(struct gen *g)
{
    return mm_mfn(g->tables[gen_pick(g, POOL_TABLES)]);
}

uint64_t gen_frame(struct gen *g)
{
    unsigned kind = gen_pick(g, 20);

    if (kind < 11)
        return mm_mfn(g->pages[gen_pick(g, POOL_PAGES)]);
    if (kind < 16)
        return gen_table_frame(g);
    switch (kind) {
    case 16: return victim_frame();
    case 17: return hypervisor_frame();
    case 18: return FRAME_BEYOND + gen_pick(g, 16);
    /* Never a small number: that could be a frame of our own image, which we may clear by right. */
    default: {
        const unsigned shift = 24 + gen_pick(g, 32);
        return gen_random(g) >> shift | 1UL << 26;
    }
    }
}

uint64_t gen_entry(struct gen *g)
{
    static const uint64_t usual[] = { PTE_KERNEL, PTE_RO, PTE_TABLE, PTE_P | PTE_RW, PTE_P, PTE_KERNEL | PTE_NX, 0,
                                      PTE_RO | PTE_A | PTE_D };
    const uint64_t frame = gen_frame(g);
    uint64_t entry = PTE(frame, usual[gen_pick(g, ARRAY_SIZE(usual))]);

    if (gen_chance(g, 15))
        entry ^= 1UL << gen_pick(g, 64);
    return gen_chance(g, 3) ? gen_random(g) : entry;
}

uint64_t gen_va(struct gen *g)
{
    static const uint64_t bad[] = { 0, 8, BAD_NONCANONICAL, BAD_M2P, BAD_HYPERVISOR, BAD_DIRECTMAP, BAD_EDGE,
                                    0xffff87fffffffff8UL, ~7UL };

    if (gen_chance(g, 80))
        return g->window + gen_pick(g, WINDOW_PAGES) * PAGE_SIZE;
    if (gen_chance(g, 70))
        return bad[gen_pick(g, ARRAY_SIZE(bad))];
    return gen_random(g);
}

uint64_t gen_pointer(struct gen *g, const void *good)
{
    if (gen_chance(g, 93))
        return (uintptr_t)good;
    if (gen_chance(g, 30))
        return (uintptr_t)g->scratch + 2 * PAGE_SIZE - gen_pick(g, 64);
    return gen_va(g);
}

unsigned gen_domid(struct gen *g)
{
    static const unsigned some[] = { DOMID_SELF, DOMID_SELF, DOMID_SELF, DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_INVALID,
                                     0x7000, 0xffff, 0x7fff };
    if (gen_chance(g, 60))
        return DOMID_SELF;
    unsigned kind = gen_pick(g, 14);

    if (kind < 10)
        return some[kind];
    if (kind < 12)
        return own_domid();
    return kind == 12 ? victim_domid() : (unsigned)gen_pick(g, 4);
}

domid_t gen_partner(struct gen *g)
{
    return gen_chance(g, 50) ? own_domid() : peer_domid();
}

evtchn_port_t gen_port(struct gen *g)
{
    return gen_chance(g, 85) ? g->ports[gen_pick(g, POOL_PORTS)] : (evtchn_port_t)gen_number(g);
}

grant_ref_t gen_ref(struct gen *g)
{
    return gen_chance(g, 90) ? 64 + 16 * g->vcpu + gen_pick(g, 16) : (grant_ref_t)gen_number(g);
}

grant_handle_t gen_handle(struct gen *g)
{
    return gen_chance(g, 85) ? g->handles[gen_pick(g, POOL_HANDLES)] : (grant_handle_t)gen_number(g);
}

unsigned gen_vcpu(struct gen *g)
{
    return gen_chance(g, 80) ? gen_pick(g, 2) : (unsigned)gen_number(g);
}

/* No draws here: what a call answered must not change the calls that follow. */
void gen_learn_port(struct gen *g, uint64_t port)
{
    if (port > 4 && port < 4096)
        g->ports[g->calls % POOL_PORTS] = (evtchn_port_t)port;
}

void gen_learn_handle(struct gen *g, grant_handle_t handle)
{
    g->handles[g->good % POOL_HANDLES] = handle;
}

void gen_init(struct gen *g, unsigned vcpu, uint64_t seed)
{
    memset(g, 0, sizeof(*g));
    g->state = (seed * 0x9e3779b97f4a7c15UL + vcpu * 0x1000001UL) | 1;
    g->vcpu = vcpu;
    for (unsigned i = 0; i < POOL_PAGES; i++)
        g->pages[i] = page_alloc();
    for (unsigned i = 0; i < POOL_TABLES; i++) {
        g->tables[i] = page_alloc();
        mm_protect(g->tables[i]);
    }
    /* Outputs may be longer than what is left of these two pages: behind them nothing is mapped. */
    g->scratch = page_alloc_run(3);
    mm_unmap((uintptr_t)g->scratch + 2 * PAGE_SIZE);
    g->window = mm_reserve_va(WINDOW_PAGES);
    for (unsigned i = 0; i < WINDOW_PAGES; i++)
        mm_map(g->window + i * PAGE_SIZE, 0, 0);
}
