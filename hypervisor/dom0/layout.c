/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layout.c - where everything of the initial mapping goes
 *
 *   I1  [v_start, v_end) and the P2M's range are canonical, do not wrap, do not touch the hypervisor's range and
 *       do not overlap.
 *   I2  nr_tables pages suffice for exactly [v_start, v_end): the count is the fixed point of its own size.
 */
#include "layout.h"

#include "dom0/builder.h"
#include "hv_errno.h"
#include "limits.h"

#define END_ALIGN (4UL << 20)
#define MIN_SLACK (512UL << 10)         /* Linux uses the mapped padding for its first allocations */

/* How many blocks of 2^shift bytes [va, va + size) touches. */
static uint64_t blocks(uint64_t va, uint64_t size, unsigned shift)
{
    return ((va + size - 1) >> shift) - (va >> shift) + 1;
}

uint64_t layout_tables(uint64_t va, uint64_t size)
{
    return blocks(va, size, 21) + blocks(va, size, 30) + blocks(va, size, 39);
}

/* Guest space only; the last page of the address space is kept free so that no end ever becomes 0. */
static bool range_ok(uint64_t va, uint64_t size)
{
    const uint64_t last = va + size - 1;

    if (size == 0 || last < va || last >= ~0UL - PAGE_SIZE)
        return false;
    if (last < 1UL << 47)
        return true;
    return va >= HV_END || (va >= 0xffff800000000000 && last < HV_START);
}

/* Put the pages after the kernel in order; returns the end, given the number of page tables. */
static uint64_t place(struct dom0_layout *l, uint64_t after_kernel, bool map_initrd, bool map_p2m, uint64_t nr_tables)
{
    uint64_t va = after_kernel;

    if (map_initrd) {
        l->v_initrd = va;
        va += l->nr_initrd << PAGE_SHIFT;
    }
    if (map_p2m) {
        l->v_p2m = va;
        va += l->nr_p2m << PAGE_SHIFT;
    }
    l->v_start_info = va;
    l->v_tables = va + PAGE_SIZE;
    l->v_stack = l->v_tables + (nr_tables << PAGE_SHIFT);
    va = l->v_stack + PAGE_SIZE;
    l->nr_tables = nr_tables;
    const uint64_t end = ROUND_UP(va, END_ALIGN);
    return end - va < MIN_SLACK ? end + END_ALIGN : end;
}

/* pfns behind the initial mapping. */
static void place_unmapped(struct dom0_layout *l, bool map_initrd, bool map_p2m)
{
    uint64_t next = l->nr_mapped;

    if (map_p2m) {
        l->p2m_pfn = (l->v_p2m - l->v_start) >> PAGE_SHIFT;
    } else {
        l->p2m_pfn = next;
        l->nr_p2m_tables = layout_tables(l->v_p2m, l->nr_p2m << PAGE_SHIFT);
        next += l->nr_p2m + l->nr_p2m_tables;
    }
    l->initrd_pfn = map_initrd ? (l->v_initrd - l->v_start) >> PAGE_SHIFT : next;
}

int layout_solve(struct dom0_layout *l, const struct pv_kernel *k, uint64_t nr_pages, uint64_t nr_initrd, const char **why)
{
    const bool map_initrd = nr_initrd != 0 && !k->mod_start_pfn, map_p2m = !k->has_init_p2m;
    const uint64_t kernel_size = k->vend - k->virt_base;
    uint64_t nr_tables = 4, need;

    *l = (struct dom0_layout){ .v_start = k->virt_base, .nr_pages = nr_pages, .nr_initrd = nr_initrd,
                               .nr_p2m = ROUND_UP(nr_pages * sizeof(uint64_t), PAGE_SIZE) >> PAGE_SHIFT };
    *why = "the address ranges that the kernel asks for are not usable";
    if (nr_pages == 0 || nr_pages > 1UL << (MAX_PHYS_BITS - PAGE_SHIFT) || nr_initrd > nr_pages ||
        !range_ok(k->virt_base, kernel_size))
        return -EINVAL;
    if (!map_p2m) {
        l->v_p2m = k->init_p2m;
        if (l->v_p2m & ~PAGE_MASK || !range_ok(l->v_p2m, l->nr_p2m << PAGE_SHIFT))
            return -EINVAL;
    }

    for (;;) {                          /* I2: grows to its fixed point; a table maps 512 pages, so it converges */
        l->v_end = place(l, k->vend, map_initrd, map_p2m, nr_tables);
        if (!range_ok(l->v_start, l->v_end - l->v_start))
            return -EINVAL;
        need = 1 + layout_tables(l->v_start, l->v_end - l->v_start);
        if (need <= nr_tables)
            break;
        nr_tables = need;
    }
    if (!map_p2m && l->v_p2m < l->v_end && l->v_start < l->v_p2m + (l->nr_p2m << PAGE_SHIFT))
        return -EINVAL;

    l->nr_mapped = (l->v_end - l->v_start) >> PAGE_SHIFT;
    place_unmapped(l, map_initrd, map_p2m);
    *why = "too little memory for Dom0: see dom0_mem=";
    if (l->nr_mapped + l->nr_p2m + l->nr_p2m_tables + l->nr_initrd > nr_pages)
        return -ENOMEM;
    *why = NULL;
    return 0;
}
