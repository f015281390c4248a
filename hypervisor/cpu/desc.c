/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * desc.c - GDT page 14, TSS and IDT of each CPU
 *
 * The GDT a CPU runs on is its window (window.h): 14 pages of the guest's descriptors and one of ours behind them at
 * selector 0xe000, so our selectors are valid whatever the guest's are (ABI: FLAT_KERNEL_CS 0xe033 and so on).
 */
#include "cpu/cpu.h"
#include "cpu/window_priv.h"
#include "entry/current.h"
#include "heap.h"
#include "machine.h"

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

struct idt_gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, reserved;
};

static struct idt_gate idt[256] ALIGNED(4096);
static struct tss tss[MAX_CPUS] ALIGNED(128);
extern const char idt_stubs[];

#define SEL_HV_CS 0xe008
#define SEL_TSS 0xe040

static void set_gate(unsigned vector, unsigned ist, unsigned dpl)
{
    const uint64_t entry = (uint64_t)idt_stubs + vector * 16;
    idt[vector] = (struct idt_gate){
        .offset0 = (uint16_t)entry,
        .selector = SEL_HV_CS,
        .ist = (uint8_t)ist,
        .type = (uint8_t)(0x8e | dpl << 5),     /* always interrupt gates (XSA-259) */
        .offset1 = (uint16_t)(entry >> 16),
        .offset2 = (uint32_t)(entry >> 32),
    };
}

static void fill_idt(void)
{
    for (unsigned v = 0; v < 256; v++)
        set_gate(v, 0, 0);
    set_gate(X86_TRAP_DB, 1, 0);
    set_gate(X86_TRAP_NMI, 2, 0);
    set_gate(X86_TRAP_DF, 3, 0);
    set_gate(X86_TRAP_MC, 3, 0);
    set_gate(3, 0, 3);      /* INT3, INTO: guest code may execute them (abi-map 3.2) */
    set_gate(4, 0, 3);
}

/* Our descriptors, at entry (selector - 0xe000) / 8 of page 14. */
void desc_fill_page14(uint64_t *page, unsigned cpu)
{
    const uint64_t base = (uint64_t)&tss[cpu], limit = sizeof(struct tss) - 1;
    page[1] = 0x00af9b000000ffff;       /* 0xe008 ring 0 code, 64-bit */
    page[2] = 0x00cf93000000ffff;       /* 0xe010 ring 0 data */
    page[4] = 0x00cffb000000ffff;       /* 0xe023 ring 3 code, 32-bit */
    page[5] = 0x00cff3000000ffff;       /* 0xe02b ring 3 data */
    page[6] = 0x00affb000000ffff;       /* 0xe033 ring 3 code, 64-bit */
    page[8] = 0x0000890000000000 | limit | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    page[9] = base >> 32;               /* 0xe040 TSS */
}

void desc_init_cpu(unsigned cpu)
{
    struct cpu_info *info = cpu_info_of(cpu);
    const uint64_t stack = PERCPU_STACKS + cpu * STACK_SIZE;
    struct tss *t = &tss[cpu];

    if (cpu == 0)
        fill_idt();
    t->rsp[0] = (uint64_t)&info->regs.es;
    t->ist[0] = stack + 1 * PAGE_SIZE;
    t->ist[1] = stack + 2 * PAGE_SIZE;
    t->ist[2] = stack + 3 * PAGE_SIZE;
    t->iomap = sizeof(*t);

    window_init_cpu(cpu);
    struct { uint16_t limit; uint64_t base; } __attribute__((packed))
        gdtr = { 15 * 4096 - 1, PERCPU_WINDOWS + cpu * WINDOW_STRIDE }, idtr = { sizeof(idt) - 1, (uint64_t)idt };
    asm volatile("lgdt %0" : : "m"(gdtr));
    asm volatile("pushq %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" : : "i"(SEL_HV_CS) : "rax", "memory");
    asm volatile("mov %0, %%ss" : : "r"(0xe010));
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
    asm volatile("lidt %0" : : "m"(idtr));
    asm volatile("ltr %w0" : : "r"(SEL_TSS));
    asm volatile("lldt %w0" : : "r"(0));
}
