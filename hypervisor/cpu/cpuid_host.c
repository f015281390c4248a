/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid_host.c - read the machine's CPUID leaves, once, on the boot CPU
 */
#include "cpu/cpuid_policy.h"

#define MAX_LEAVES 160

static struct cpuid_leaf_entry leaves[MAX_LEAVES];
static unsigned nr_leaves;

static struct cpuid_regs read_leaf(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
    return r;
}

static struct cpuid_regs add(uint32_t leaf, uint32_t subleaf)
{
    const struct cpuid_regs r = read_leaf(leaf, subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : subleaf);

    if (nr_leaves < MAX_LEAVES)
        leaves[nr_leaves++] = (struct cpuid_leaf_entry){ leaf, subleaf, r };
    return r;
}

static void add_subleaves(uint32_t leaf, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        add(leaf, i);
}

void cpuid_host_init(void)
{
    const uint32_t basic = read_leaf(0, 0).a, extd = read_leaf(0x80000000, 0).a;

    for (uint32_t leaf = 0; leaf <= basic && leaf < 0xe; leaf++) {
        switch (leaf) {
        case 0x4: add_subleaves(leaf, 6); break;
        case 0x7: add_subleaves(leaf, MIN(read_leaf(7, 0).a + 1, 3u)); break;
        case 0xb: add_subleaves(leaf, 2); break;
        case 0xd: add_subleaves(leaf, 63); break;
        default: add(leaf, XEN_CPUID_NO_SUBLEAF); break;
        }
    }
    for (uint32_t leaf = 0x80000000; leaf <= extd && leaf < 0x80000022; leaf++)
        add(leaf, XEN_CPUID_NO_SUBLEAF);
    cpuid_policy_init(leaves, nr_leaves);
}
