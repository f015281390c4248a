/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map_boot.c - the hypervisor's sixteen slots (layout.h)
 *
 * All sixteen L4 entries exist before any guest does and never change, so every address space has them by one copy.
 * Tables are reached one to one until address_space_seal(), through the direct map afterwards.
 */
#include "boot/map_boot.h"

#include "boot/boot_info.h"
#include "boot/memory.h"
#include "boot/percpu_map.h"
#include "boot/trampoline.h"
#include "cpu/cpu.h"
#include "entry/current.h"
#include "heap.h"
#include "layout.h"
#include "machine.h"
#include "mm/frame.h"
#include "mm/frame_alloc.h"
#include "mm/pt_update.h"
#include "mm/roots.h"
#include "print.h"

#include <string.h>

#define SIZE_2M 0x200000UL
#define SIZE_1G 0x40000000UL
#define TABLE (PTE_P | PTE_RW | PTE_A | PTE_D)
#define DATA (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define FRAMES_PER_M2P_CHUNK (SIZE_2M / 8)
#define FRAMES_PER_TABLE_CHUNK (SIZE_2M / sizeof(struct frame))

extern uint64_t boot_l4[512];
extern const char image_start[], text_end[], rodata_end[], image_end[];

uint64_t hv_l4_entries[16];
static bool sealed;
static uint64_t *m2p_chunks;        /* machine addresses */
static unsigned nr_m2p_chunks;
static uint64_t ioremap_next = IOREMAP_START;

static uint64_t image_maddr(const void *p) { return (uint64_t)p - IMAGE_START; }
mfn_t image_mfn(const void *p) { return mfn(image_maddr(p) >> PAGE_SHIFT); }

void *frame_ptr(mfn_t m) { return (void *)(DIRECTMAP_START + (m.n << PAGE_SHIFT)); }

mfn_t ptr_frame(const void *p)
{
    const uint64_t a = (uint64_t)p;
    if (a - IMAGE_START < SIZE_1G)
        return mfn((a - IMAGE_START) >> PAGE_SHIFT);
    return mfn((a - DIRECTMAP_START) >> PAGE_SHIFT);
}

/* ---- tables ---- */

static uint64_t *table_at(uint64_t ma)
{
    return (uint64_t *)(sealed ? DIRECTMAP_START + ma : ma);
}

static uint64_t new_table(void)
{
    uint64_t ma;
    if (sealed) {
        void *p = heap_alloc_pages(0);
        if (!p)
            machine_panic("out of memory for page tables");
        return ptr_frame(p).n << PAGE_SHIFT;
    }
    ma = boot_alloc(PAGE_SIZE, PAGE_SIZE, 1UL << 32);
    if (!ma)
        machine_panic("too little memory below 4 GiB to map this machine");
    memset(table_at(ma), 0, PAGE_SIZE);
    return ma;
}

static uint64_t *next_level(uint64_t *entry, uint64_t flags)
{
    if (!(*entry & PTE_P))
        *entry = new_table() | TABLE | (flags & PTE_US);
    return table_at(*entry & PTE_ADDR);
}

/* Largest pages that alignment and @max_page allow. Later calls never change what an earlier one mapped. */
static void map_range(uint64_t *l4, uint64_t va, uint64_t ma, uint64_t size, uint64_t flags, uint64_t max_page)
{
    for (const uint64_t end = va + size; va < end;) {
        uint64_t *l3e = next_level(&l4[va >> 39 & 511], flags) + (va >> 30 & 511);
        if (max_page >= SIZE_1G && !((va | ma) & (SIZE_1G - 1)) && end - va >= SIZE_1G) {
            *l3e = ma | flags | PTE_PS;
            va += SIZE_1G, ma += SIZE_1G;
            continue;
        }
        uint64_t *l2e = next_level(l3e, flags) + (va >> 21 & 511);
        if (max_page >= SIZE_2M && !((va | ma) & (SIZE_2M - 1)) && end - va >= SIZE_2M) {
            *l2e = ma | flags | PTE_PS;
            va += SIZE_2M, ma += SIZE_2M;
            continue;
        }
        next_level(l2e, flags)[va >> 12 & 511] = ma | flags;
        va += PAGE_SIZE, ma += PAGE_SIZE;
    }
}

/* ---- the regions ---- */

static void map_direct(void)
{
    const uint64_t large = cpu_features.page1gb ? SIZE_1G : SIZE_2M;
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->type != E820_RAM || e->addr >= 1UL << MAX_PHYS_BITS)
            continue;
        const uint64_t end = MIN(e->addr + e->size, 1UL << MAX_PHYS_BITS);
        map_range(boot_l4, DIRECTMAP_START + e->addr, e->addr, end - e->addr, DATA, large);
    }
}

/* A chunk of 2 MiB, reached through the direct map, which is live already. */
static uint64_t new_chunk(uint8_t fill)
{
    const uint64_t ma = boot_alloc(SIZE_2M, SIZE_2M, ~0UL);
    if (!ma)
        machine_panic("too little memory for the tables of machine frames");
    memset((void *)(DIRECTMAP_START + ma), fill, SIZE_2M);
    return ma;
}

static bool any_ram(uint64_t first_mfn, uint64_t end_mfn)
{
    for (unsigned i = 0; i < boot_info.nr_e820; i++) {
        const struct e820_entry *e = &boot_info.e820[i];
        if (e->type == E820_RAM && e->addr >> PAGE_SHIFT < end_mfn && (e->addr + e->size) >> PAGE_SHIFT > first_mfn)
            return true;
    }
    return false;
}

static void map_m2p(uint64_t frames)
{
    uint64_t hole = 0;
    nr_m2p_chunks = (unsigned)((frames + FRAMES_PER_M2P_CHUNK - 1) / FRAMES_PER_M2P_CHUNK);
    const uint64_t list = boot_alloc(ROUND_UP(nr_m2p_chunks * 8UL, PAGE_SIZE), PAGE_SIZE, ~0UL);
    if (!list)
        machine_panic("too little memory");
    m2p_chunks = (uint64_t *)(DIRECTMAP_START + list);
    for (uint64_t i = 0; i < nr_m2p_chunks; i++) {
        const bool ram = any_ram(i * FRAMES_PER_M2P_CHUNK, (i + 1) * FRAMES_PER_M2P_CHUNK);
        if (!ram && !hole)
            hole = new_chunk(0xff);
        const uint64_t ma = ram ? new_chunk(0xff) : hole;
        m2p_chunks[i] = ma;
        map_range(boot_l4, M2P_RO_START + i * SIZE_2M, ma, SIZE_2M, (DATA & ~PTE_RW) | PTE_US, SIZE_2M);
        map_range(boot_l4, M2P_RW_START + i * SIZE_2M, ma, SIZE_2M, DATA, SIZE_2M);
    }
}

/*
 * ABI: the guest's window is 256 GiB whatever the machine has, and kernels read it for device frames too (Linux once per
 * page of an ioremap). All of it that has no entries of its own reads "no pfn" from one page, so those reads do
 * not fault: a q35's 256 MiB of PCI configuration space alone would be 131,072 page faults in Dom0's boot.
 */
static void map_m2p_holes(void)
{
    const uint64_t page = new_table(), l1 = new_table(), l2 = new_table();
    uint64_t *l3 = next_level(&boot_l4[HV_L4_FIRST], PTE_US);

    memset(table_at(page), 0xff, PAGE_SIZE);
    for (unsigned i = 0; i < 512; i++) {
        table_at(l1)[i] = page | (DATA & ~PTE_RW) | PTE_US;
        table_at(l2)[i] = l1 | TABLE | PTE_US;
    }
    for (unsigned i = 0; i < (M2P_RO_END - M2P_RO_START) / SIZE_1G; i++) {
        if (!(l3[i] & PTE_P)) {
            l3[i] = l2 | TABLE | PTE_US;
            continue;
        }
        uint64_t *t = table_at(l3[i] & PTE_ADDR);
        for (unsigned k = 0; k < 512; k++) {
            if (!(t[k] & PTE_P))
                t[k] = l1 | TABLE | PTE_US;
        }
    }
}

static void map_frame_table(uint64_t frames)
{
    for (uint64_t at = 0; at < frames * sizeof(struct frame); at += SIZE_2M)
        map_range(boot_l4, FRAME_TABLE_START + at, new_chunk(0), SIZE_2M, DATA, SIZE_2M);
}

void address_space_init(void)
{
    const uint64_t frames = e820_ram_end() >> PAGE_SHIFT;

    for (unsigned i = HV_L4_FIRST; i <= HV_L4_LAST; i++)
        next_level(&boot_l4[i], i == HV_L4_FIRST ? PTE_US : 0);
    map_direct();
    map_m2p(frames);
    map_m2p_holes();
    map_frame_table(frames);
    percpu_map_cpu(0);
    memcpy(hv_l4_entries, &boot_l4[HV_L4_FIRST], sizeof(hv_l4_entries));
    idle_cr3 = image_maddr(boot_l4);
    write_cr3(idle_cr3);

    frame_table_init((struct frame *)FRAME_TABLE_START, (uint64_t *)M2P_RW_START, frames, cpu_features.phys_bits);
    boot_alloc_finish();
    sealed = true;
}

/*
 * The image gets its final rights in a fresh subtree; slot 261's L3 stays the one that hv_l4_entries names, only its
 * entry changes. Guests have copied the L4 entries by value, so those must not.
 */
void address_space_seal(void)
{
    const uint64_t start = (uint64_t)image_start, text = (uint64_t)text_end - start;
    const uint64_t ro = (uint64_t)rodata_end - (uint64_t)text_end, rw = (uint64_t)image_end - (uint64_t)rodata_end;
    static uint64_t fresh[512] ALIGNED(4096);
    memset(fresh, 0, sizeof(fresh));
    map_range(fresh, start, image_maddr(image_start), text, PTE_P | PTE_A, PAGE_SIZE);
    map_range(fresh, (uint64_t)text_end, image_maddr(text_end), ro, PTE_P | PTE_A | PTE_NX, PAGE_SIZE);
    map_range(fresh, (uint64_t)rodata_end, image_maddr(rodata_end), rw, DATA, PAGE_SIZE);

    const uint64_t *new_l3 = table_at(fresh[IMAGE_START >> 39 & 511] & PTE_ADDR);
    table_at(boot_l4[IMAGE_START >> 39 & 511] & PTE_ADDR)[IMAGE_START >> 30 & 511] = new_l3[IMAGE_START >> 30 & 511];
    boot_l4[0] = 0;
    write_cr3(idle_cr3);
}

/* ---- mappings of devices and firmware ---- */

static void *ioremap(maddr_t start, size_t size, uint64_t flags)
{
    const uint64_t first = start.n & PAGE_MASK, len = ROUND_UP(start.n + size, PAGE_SIZE) - first;
    const uint64_t va = ioremap_next;
    if (len > IOREMAP_END - va)
        return NULL;
    ioremap_next += len + PAGE_SIZE;
    map_range(boot_l4, va, first, len, flags, PAGE_SIZE);
    return (void *)(va + (start.n & ~PAGE_MASK));
}

void *map_device(maddr_t start, size_t size)
{
    return ioremap(start, size, DATA | PTE_PCD | PTE_PWT);
}

const void *map_firmware(maddr_t start, size_t size)
{
    return ioremap(start, size, DATA & ~PTE_RW);
}

unsigned m2p_chunk_count(void) { return nr_m2p_chunks; }

mfn_t m2p_chunk_frame(uint64_t chunk)
{
    return chunk < nr_m2p_chunks ? mfn(m2p_chunks[chunk] >> PAGE_SHIFT) : MFN_INVALID;
}

bool m2p_is_frame(mfn_t m)
{
    for (unsigned i = 0; i < nr_m2p_chunks; i++) {
        if (m.n - (m2p_chunks[i] >> PAGE_SHIFT) < SIZE_2M >> PAGE_SHIFT)
            return true;
    }
    return false;
}

/* ---- per CPU ---- */

static uint64_t *percpu_walk(uint64_t va, bool make)
{
    uint64_t *l3e = table_at(boot_l4[va >> 39 & 511] & PTE_ADDR) + (va >> 30 & 511);
    uint64_t *l2e = (make ? next_level(l3e, 0) : table_at(*l3e & PTE_ADDR)) + (va >> 21 & 511);
    uint64_t *l1 = make ? next_level(l2e, 0) : table_at(*l2e & PTE_ADDR);
    return l1 + (va >> 12 & 511);
}

uint64_t *percpu_pte(uint64_t va) { return percpu_walk(va, false); }

void percpu_map_cpu(unsigned cpu)
{
    for (unsigned page = 0; page < STACK_SIZE / PAGE_SIZE; page++) {
        uint64_t *pte = percpu_walk(PERCPU_STACKS + cpu * STACK_SIZE + page * PAGE_SIZE, true);
        if (page != 3)                  /* the guard */
            *pte = new_table() | DATA;
    }
    for (unsigned page = 0; page < WINDOW_STRIDE / PAGE_SIZE; page++)
        percpu_walk(PERCPU_WINDOWS + cpu * WINDOW_STRIDE + page * PAGE_SIZE, true);
}

/* ---- the trampoline's address space: ours, and its page one to one ---- */

extern const char trampoline_start[], trampoline_end[];
extern const uint64_t tr_cr3, tr_stack;
static uint64_t *trampoline_l4;

void trampoline_prepare(uint64_t stack)
{
    char *page = frame_ptr(mfn(TRAMPOLINE_PAGE));
    if (!trampoline_l4) {
        const uint64_t at = TRAMPOLINE_PAGE << PAGE_SHIFT;
        /* The CPU loads CR3 in 32-bit mode: this one table must lie below 4 GiB. */
        const mfn_t low = frame_alloc_hv(0, 32);
        if (low.n == MFN_INVALID.n)
            machine_panic("no memory below 4 GiB to start other CPUs");
        trampoline_l4 = frame_ptr(low);
        memcpy(trampoline_l4, boot_l4, PAGE_SIZE);
        trampoline_l4[0] = 0;
        map_range(trampoline_l4, at, at, PAGE_SIZE, PTE_P | PTE_RW | PTE_A | PTE_D, PAGE_SIZE);
        memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    }
    *(uint64_t *)(void *)(page + ((const char *)&tr_cr3 - trampoline_start)) = ptr_frame(trampoline_l4).n << PAGE_SHIFT;
    *(uint64_t *)(void *)(page + ((const char *)&tr_stack - trampoline_start)) = stack;
    atomic_thread_fence(memory_order_seq_cst);
}

void trampoline_done(void)
{
    trampoline_l4 = NULL;       /* a page or three; CPUs that come late would need it */
}
