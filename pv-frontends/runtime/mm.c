/* SPDX-License-Identifier: MIT */
/*
 * Frames and page tables of a tiny guest. Owns the free list and the reserved va counter.
 *
 * I1  a page on the free list is mapped writable at mm_va(pfn) and named by nothing else.
 * I2  a page used as a table is mapped read-only there while it is one: "make it read-only, then use it"
 *     is the order the hypervisor insists on.
 */
#include "mm.h"
#include "suspend.h"

#define RESERVED_BASE 0xffffc00000000000UL

extern char image_end[];

static uint64_t mapped_pfns;
static uint64_t free_head;          /* va of the first free page; each holds the next's va */
static uint64_t free_count;
static uint64_t reserved_next = RESERVED_BASE;
static uint64_t l4_mfn;

static unsigned index_at(uint64_t va, unsigned level)
{
    return (unsigned)(va >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
}

uint64_t mm_l4_mfn(void)
{
    return l4_mfn;
}

uint64_t mm_mapped_pfns(void)
{
    return mapped_pfns;
}

void mm_set_mfn(uint64_t pfn, uint64_t mfn)
{
    ((volatile uint64_t *)start_info->mfn_list)[pfn] = mfn;
}

void *mm_mfn_va(uint64_t mfn)
{
    uint64_t pfn = M2P[mfn];

    if (pfn >= mapped_pfns || mm_pfn_to_mfn(pfn) != mfn)
        return NULL;
    return mm_va(pfn);
}

const volatile uint64_t *mm_entry(uint64_t l4, uint64_t va, unsigned level)
{
    uint64_t mfn = l4;

    for (unsigned at = 4;; at--) {
        const volatile uint64_t *table = mm_mfn_va(mfn);

        if (table == NULL)
            return NULL;
        if (at == level)
            return &table[index_at(va, at)];
        if (!(table[index_at(va, at)] & PTE_P))
            return NULL;
        mfn = PTE_MFN(table[index_at(va, at)]);
    }
}

uint64_t mm_entry_maddr(uint64_t l4, uint64_t va, unsigned level)
{
    const volatile uint64_t *entry = mm_entry(l4, va, level);

    if (entry == NULL)
        return 0;
    return (mm_mfn((const void *)(uintptr_t)entry) << PAGE_SHIFT) |
           ((uintptr_t)entry & (PAGE_SIZE - 1));
}

int mm_write_entry(uint64_t maddr, uint64_t value)
{
    struct mmu_update req = { .ptr = maddr | MMU_NORMAL_PT_UPDATE, .val = value };

    return (int)hc_mmu_update(&req, 1, NULL, DOMID_SELF);
}

int mm_protect(void *page)
{
    return (int)hc_update_va_mapping((uintptr_t)page, PTE(mm_mfn(page), PTE_RO | PTE_NX),
                                     UVMF_INVLPG | UVMF_ALL);
}

int mm_unprotect(void *page)
{
    return (int)hc_update_va_mapping((uintptr_t)page, PTE(mm_mfn(page), PTE_KERNEL), UVMF_INVLPG | UVMF_ALL);
}

/* Make the table of level @level - 1 under the entry for @va: 0 or -errno. */
static int grow_tree(uint64_t l4, uint64_t va, unsigned level)
{
    uint64_t maddr = mm_entry_maddr(l4, va, level);
    void *page = page_alloc();
    int rc;

    if (maddr == 0 || page == NULL)
        return -XEN_ENOMEM;
    rc = mm_protect(page);
    if (rc == 0)
        rc = mm_write_entry(maddr, PTE(mm_mfn(page), PTE_TABLE));
    return rc;
}

int mm_map_in(uint64_t l4, uint64_t va, uint64_t mfn, uint64_t flags)
{
    for (unsigned level = 4; level > 1; level--) {
        const volatile uint64_t *entry = mm_entry(l4, va, level);
        int rc = 0;

        if (entry == NULL)
            return -XEN_EINVAL;
        if (!(*entry & PTE_P))
            rc = grow_tree(l4, va, level);
        if (rc != 0)
            return rc;
    }
    return mm_write_entry(mm_entry_maddr(l4, va, 1), PTE(mfn, flags));
}

int mm_map(uint64_t va, uint64_t mfn, uint64_t flags)
{
    return mm_map_in(l4_mfn, va, mfn, flags);
}

int mm_unmap(uint64_t va)
{
    return (int)hc_update_va_mapping(va, 0, UVMF_INVLPG | UVMF_ALL);
}

uint64_t mm_reserve_va(unsigned pages)
{
    uint64_t va = reserved_next;

    reserved_next += (uint64_t)(pages + 1) << PAGE_SHIFT;   /* a hole behind each range */
    return va;
}

int mm_pin(unsigned op, uint64_t mfn)
{
    struct mmuext_op pin = { .cmd = op, .arg1.mfn = mfn };

    return (int)hc_mmuext_op(&pin, 1, NULL, DOMID_SELF);
}

uint64_t mm_new_l4(bool kernel_half)
{
    const volatile uint64_t *old = mm_mfn_va(l4_mfn);
    uint64_t *page = page_alloc();

    if (page == NULL)
        return 0;
    for (unsigned i = 272; kernel_half && i < 512; i++)
        page[i] = old[i];
    if (mm_protect(page) != 0 || mm_pin(MMUEXT_PIN_L4_TABLE, mm_mfn(page)) != 0)
        return 0;
    return mm_mfn(page);
}

void page_free(void *page)
{
    *(uint64_t *)page = free_head;
    free_head = (uintptr_t)page;
    free_count++;
}

void *page_alloc(void)
{
    void *page = (void *)free_head;

    if (page == NULL)
        return NULL;
    free_head = *(uint64_t *)page;
    free_count--;
    memset(page, 0, PAGE_SIZE);
    return page;
}

uint64_t page_free_count(void)
{
    return free_count;
}

/* The list is in ascending order at start, so runs sit together; take the first that is long enough. */
void *page_alloc_run(unsigned n)
{
    uint64_t *before = &free_head;

    while (*before != 0) {
        uint64_t first = *before, last = first;
        unsigned have = 1;

        while (have < n && *(uint64_t *)last == last + PAGE_SIZE) {
            last += PAGE_SIZE;
            have++;
        }
        if (have == n) {
            *before = *(uint64_t *)last;
            free_count -= n;
            memset((void *)first, 0, n * PAGE_SIZE);
            return (void *)first;
        }
        before = (uint64_t *)last;
    }
    return NULL;
}

void *mem_alloc(size_t size)
{
    static uint64_t at, end;

    size = (size + 15) & ~15UL;
    if (at + size > end) {
        unsigned pages = (unsigned)((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
        uint64_t run = (uintptr_t)page_alloc_run(pages);

        if (run == 0)
            return NULL;
        at = run;
        end = run + pages * PAGE_SIZE;
    }
    at += size;
    return (void *)(at - size);
}

/* The ramdisk may lie unmapped among the domain's frames. */
static bool in_module(uint64_t pfn)
{
    uint64_t pages = (start_info->mod_len + PAGE_SIZE - 1) >> PAGE_SHIFT;

    return (start_info->flags & SIF_MOD_START_PFN) && pfn >= start_info->mod_start &&
           pfn < start_info->mod_start + pages;
}

int mm_extend(uint64_t pfns)
{
    uint64_t start = mapped_pfns;

    if (pfns > start_info->nr_pages)
        pfns = start_info->nr_pages;
    for (uint64_t pfn = start; pfn < pfns; pfn++) {
        /* The list is only known in part while it grows: tables come from pages mapped before. */
        int rc = mm_map((uintptr_t)mm_va(pfn), mm_pfn_to_mfn(pfn), PTE_KERNEL);

        if (rc != 0)
            return rc;
        mapped_pfns = pfn + 1;
    }
    /* Downwards: the list is in ascending order, so that runs can be found in it. */
    for (uint64_t pfn = mapped_pfns; pfn-- > start;)
        if (!in_module(pfn))
            page_free(mm_va(pfn));
    return 0;
}

void mm_resume(void)
{
    l4_mfn = mm_mfn((void *)start_info->pt_base);
}

/*
 * What lies behind the image: start_info, tables, boot stack, the list of frames (or the ramdisk). All
 * builders put those in one run, so pages that are free begin behind the last of them and end where the
 * mapping ends.
 */
void mm_init(void)
{
    uint64_t used = (uintptr_t)image_end;
    uint64_t ends[] = {
        (uintptr_t)start_info + PAGE_SIZE,
        start_info->pt_base + (start_info->nr_pt_frames + 1) * PAGE_SIZE,  /* and the boot stack */
        start_info->mfn_list + start_info->nr_pages * sizeof(uint64_t),
        start_info->flags & SIF_MOD_START_PFN ? 0 : start_info->mod_start + start_info->mod_len,
    };
    uint64_t top;

    for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
        if (ends[i] > used)
            used = ends[i];
    used = (used + PAGE_SIZE - 1) & PAGE_MASK;

    /* pt_base names the L4; everything mapped now counts as the region while tables are walked. */
    l4_mfn = mm_mfn((void *)start_info->pt_base);
    mapped_pfns = start_info->nr_pages;
    for (top = used; mm_pfn((void *)top) < start_info->nr_pages; top += PAGE_SIZE) {
        const volatile uint64_t *entry = mm_entry(l4_mfn, top, 1);

        if (entry == NULL || !(*entry & PTE_P))
            break;
    }
    mapped_pfns = mm_pfn((void *)top);
    while (top > used) {
        top -= PAGE_SIZE;
        page_free((void *)top);
    }
}
