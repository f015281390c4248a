/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * window.c - the running vCPU's GDT and LDT at this CPU's fixed addresses
 *
 * Unused GDT pages map one shared page of zeroes, read-only: every selector in them is "not present" and raises #GP
 * in the guest. Unused LDT pages are not mapped: the fault is how they are filled on demand.
 *
 *   I1  only the CPU that owns a window writes its entries, with interrupts off or while nothing uses them.
 */
#include "cpu/window.h"

#include "boot/map_boot.h"
#include "boot/percpu_map.h"
#include "cpu/cpu.h"
#include "cpu/window_priv.h"
#include "entry/current.h"
#include "heap.h"
#include "machine.h"
#include "mm/pt_update.h"

#define LDT_FIRST 16
#define SEL_LDT 0xe050

static uint64_t *page14[MAX_CPUS];
static const uint64_t zero_page[512] ALIGNED(4096);
static mfn_t loaded_gdt[MAX_CPUS][GDT_FRAMES];

static uint64_t *window_pte(unsigned cpu, unsigned page)
{
    return percpu_pte(PERCPU_WINDOWS + cpu * WINDOW_STRIDE + page * PAGE_SIZE);
}

static void invlpg(uint64_t va)
{
    asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static void map_page(unsigned cpu, unsigned page, uint64_t pte)
{
    WRITE_ONCE(*window_pte(cpu, page), pte);
    invlpg(PERCPU_WINDOWS + cpu * WINDOW_STRIDE + page * PAGE_SIZE);
}

static uint64_t zero_pte(void)
{
    return image_mfn(zero_page).n << PAGE_SHIFT | PTE_P | PTE_A | PTE_NX;
}

static uint64_t rw_pte(mfn_t m)
{
    return m.n << PAGE_SHIFT | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX;
}

void window_init_cpu(unsigned cpu)
{
    page14[cpu] = heap_alloc_pages(0);
    BUG_ON(!page14[cpu]);
    desc_fill_page14(page14[cpu], cpu);
    for (unsigned i = 0; i < GDT_FRAMES; i++) {
        loaded_gdt[cpu][i] = MFN_INVALID;
        map_page(cpu, i, zero_pte());
    }
    map_page(cpu, GDT_FRAMES, rw_pte(ptr_frame(page14[cpu])));
}

void window_load_gdt(struct vcpu *v)
{
    const unsigned cpu = this_cpu();
    for (unsigned i = 0; i < GDT_FRAMES; i++) {
        const mfn_t want = i * 512 < v->cpu.gdt_entries ? v->cpu.gdt_frames[i] : MFN_INVALID;
        if (mfn_eq(loaded_gdt[cpu][i], want))
            continue;
        loaded_gdt[cpu][i] = want;
        map_page(cpu, i, mfn_eq(want, MFN_INVALID) ? zero_pte() : rw_pte(want));
    }
    window_load_ldt(v);
}

void window_set_ldt_page(unsigned idx, mfn_t m)
{
    if (idx < 16)
        map_page(this_cpu(), LDT_FIRST + idx, mfn_eq(m, MFN_INVALID) ? 0 : rw_pte(m));
}

mfn_t window_ldt_page(unsigned idx)
{
    const uint64_t pte = idx < 16 ? *window_pte(this_cpu(), LDT_FIRST + idx) : 0;
    return pte & PTE_P ? pte_mfn(pte) : MFN_INVALID;
}

void window_load_ldt(const struct vcpu *v)
{
    const unsigned entries = v->cpu.ldt_entries;
    const unsigned cpu = this_cpu();
    if (v != current_vcpu())
        return;
    if (!entries) {
        asm volatile("lldt %w0" : : "r"(0));
        return;
    }
    const uint64_t base = PERCPU_WINDOWS + cpu * WINDOW_STRIDE + LDT_FIRST * PAGE_SIZE;
    const uint64_t limit = entries * 8UL - 1;
    page14[cpu][10] = 0x0000820000000000 | (limit & 0xffff) | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    page14[cpu][11] = base >> 32;
    asm volatile("lldt %w0" : : "r"(SEL_LDT));
}
