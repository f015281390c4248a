/* SPDX-License-Identifier: MIT */
/*
 * mm.h - frames, page tables and a page allocator for a tiny guest
 *
 * The builder maps the image and some slack at va = VIRT_BASE + pfn * 4096; pages from page_alloc() lie
 * in that region, so mm_va(pfn) and mm_pfn(va) are arithmetic. Tables are read through the same mapping
 * (they are mapped read-only) and changed by hypercalls. Page-table pages come from page_alloc() too.
 */
#ifndef RUNTIME_MM_H
#define RUNTIME_MM_H

#include "runtime.h"

#define VIRT_BASE 0xffffffff80000000UL
#define M2P ((const volatile uint64_t *)0xffff800000000000UL)
#define HYPERVISOR_START 0xffff800000000000UL
#define HYPERVISOR_END 0xffff880000000000UL

#define PTE_P 1UL
#define PTE_RW 2UL
#define PTE_US 4UL
#define PTE_PWT 8UL
#define PTE_PCD 0x10UL
#define PTE_A 0x20UL
#define PTE_D 0x40UL
#define PTE_PSE 0x80UL
#define PTE_G 0x100UL
#define PTE_NX (1UL << 63)
#define PTE_KERNEL (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_RO (PTE_P | PTE_US | PTE_A)
#define PTE_TABLE (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_MFN(pte) (((pte) >> PAGE_SHIFT) & 0xffffffffffUL)
#define PTE(mfn, flags) (((uint64_t)(mfn) << PAGE_SHIFT) | (flags))

void mm_init(void);

static inline void *mm_va(uint64_t pfn)
{
    return (void *)(VIRT_BASE + (pfn << PAGE_SHIFT));
}
static inline uint64_t mm_pfn(const void *va)
{
    return ((uintptr_t)va - VIRT_BASE) >> PAGE_SHIFT;
}
static inline uint64_t mm_pfn_to_mfn(uint64_t pfn)
{
    return ((const volatile uint64_t *)start_info->mfn_list)[pfn];
}
/* Record that @pfn is now frame @mfn in the guest's own list (the M2P is the hypervisor's). */
void mm_set_mfn(uint64_t pfn, uint64_t mfn);
static inline uint64_t mm_mfn(const void *va)
{
    return mm_pfn_to_mfn(mm_pfn(va));
}
/* Number of pfns mapped by arithmetic. */
uint64_t mm_mapped_pfns(void);
/* Map further pfns of the domain behind the region, up to @pfns in all: 0 or -errno. */
int mm_extend(uint64_t pfns);

/* One zeroed page, or NULL. */
void *page_alloc(void);
void page_free(void *page);
uint64_t page_free_count(void);
/* @n pages, consecutive in va; never given back. NULL if there is no such run. */
void *page_alloc_run(unsigned n);
/* Small objects, 16-byte aligned, zeroed; never given back. */
void *mem_alloc(size_t size);

/* Frame of the kernel's L4. */
uint64_t mm_l4_mfn(void);
/* The page of frame @mfn if it is one the region maps, else NULL. */
void *mm_mfn_va(uint64_t mfn);
/* Read-only pointer to the level-@level entry for @va in the tree at @l4, or NULL if one above is absent. */
const volatile uint64_t *mm_entry(uint64_t l4, uint64_t va, unsigned level);
/* Machine address of that entry, or 0. */
uint64_t mm_entry_maddr(uint64_t l4, uint64_t va, unsigned level);
/* Write one entry by mmu_update: 0 or -errno. */
int mm_write_entry(uint64_t maddr, uint64_t value);
/* Map @va to @mfn in the kernel's tree, making missing tables: 0 or -errno. */
int mm_map(uint64_t va, uint64_t mfn, uint64_t flags);
int mm_map_in(uint64_t l4, uint64_t va, uint64_t mfn, uint64_t flags);
int mm_unmap(uint64_t va);
/* Change how the region maps @page: read-only or writable. 0 or -errno. */
int mm_protect(void *page);
int mm_unprotect(void *page);
/* A new L4 with the kernel's upper half when @kernel_half, pinned: its mfn, or 0. */
uint64_t mm_new_l4(bool kernel_half);
int mm_pin(unsigned op, uint64_t mfn);
/* A virtual address range nobody uses, @pages long (only the address, nothing is mapped). */
uint64_t mm_reserve_va(unsigned pages);

#endif
