/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid_host.c - read the machine's CPUID leaves, once, on the boot CPU
 */
#include "cpu/cpu.h"
#include "cpu/cpuid_policy.h"
#include "print.h"

#define MAX_LEAVES 160
#define SPEED_TRIES 8           /* the least of them counts: an interrupt or a busy host only adds */

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

/* Least cycles that REP MOVS takes for a page, by bytes or by words of eight. */
static uint64_t copy_cycles(bool by_bytes)
{
    static uint8_t from[PAGE_SIZE] ALIGNED(PAGE_SIZE), to[PAGE_SIZE] ALIGNED(PAGE_SIZE);
    uint64_t least = ~0UL;

    for (unsigned i = 0; i < SPEED_TRIES; i++) {
        const uint64_t start = rdtsc_ordered();
        const void *s = from;
        void *d = to;
        uint64_t n = by_bytes ? PAGE_SIZE : PAGE_SIZE / 8;

        if (by_bytes)
            __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
        else
            __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
        least = MIN(least, rdtsc_ordered() - start);
    }
    return least;
}

/*
 * ERMS promises that string operations by bytes are as fast as any. An emulator that executes them byte by byte (QEMU's
 * TCG) shows the bit and is four times slower than by words; a kernel that believes it pays with each page it clears or copies.
 */
static void check_fast_strings(void)
{
    const uint64_t bytes = copy_cycles(true), words = copy_cycles(false);

    if (bytes <= 2 * words)
        return;
    pr_info("CPU: REP MOVSB takes %lu cycles a page, MOVSQ %lu: ERMS is not shown to guests\n", bytes, words);
    cpuid_policy_hide_fast_strings();
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
    check_fast_strings();
}
