/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apic.c - the local APIC: EOI, IPIs, starting CPUs, and the one-shot timer's registers
 */
#include "cpu/apic.h"

#include "boot/map_boot.h"
#include "cpu/apic_timer.h"
#include "cpu/cpu.h"
#include "cpu/topology.h"
#include "machine.h"
#include "print.h"

#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_SVR 0xf0
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_INIT 0x380
#define APIC_TIMER_COUNT 0x390
#define APIC_TIMER_DIV 0x3e0
#define LVT_MASKED 0x10000
#define LVT_DEADLINE 0x40000

static volatile uint8_t *regs;      /* xAPIC window, NULL with x2APIC */
uint32_t cpu_apic_id[MAX_CPUS];
uint32_t cpu_acpi_id[MAX_CPUS];

static uint32_t apic_read(unsigned reg)
{
    return regs ? *(volatile uint32_t *)(uintptr_t)(regs + reg) : (uint32_t)rdmsr(0x800 + (reg >> 4));
}

static void apic_write(unsigned reg, uint32_t v)
{
    if (regs)
        *(volatile uint32_t *)(uintptr_t)(regs + reg) = v;
    else
        wrmsr(0x800 + (reg >> 4), v);
}

void apic_init_bsp(uint64_t address)
{
    if (cpu_features.x2apic) {
        pr_info("APIC: x2APIC mode\n");
        return;
    }
    regs = map_device(maddr(address ? address : 0xfee00000), PAGE_SIZE);
}

void apic_init_cpu(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0x800 | (regs ? 0 : 0x400));
    cpu_apic_id[this_cpu()] = regs ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, this_cpu() == 0 ? 0x400 : LVT_MASKED);       /* NMI */
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_TIMER_DIV, 0xb);                                        /* divide by 1 */
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (cpu_features.tsc_deadline ? LVT_DEADLINE : 0));
    asm volatile("mfence");
}

uint32_t apic_id_of(unsigned cpu)
{
    return cpu_apic_id[cpu];
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

static void send_icr(uint32_t apic_id, uint32_t low)
{
    const unsigned long flags = machine_irq_save();
    if (!regs) {
        asm volatile("mfence");
        wrmsr(0x830, (uint64_t)apic_id << 32 | low);
    } else {
        while (apic_read(APIC_ICR) & 0x1000)
            machine_cpu_relax();
        apic_write(APIC_ICR_HIGH, apic_id << 24);
        apic_write(APIC_ICR, low);
    }
    machine_irq_restore(flags);
}

void apic_send_ipi(unsigned cpu, uint8_t vector)
{
    send_icr(cpu_apic_id[cpu], vector | 0x4000);
}

static void delay_us(uint64_t us)
{
    const uint64_t end = machine_now() + us * 1000;
    while (machine_now() < end)
        machine_cpu_relax();
}

void apic_start_cpu(uint32_t apic_id, uint8_t page)
{
    send_icr(apic_id, 0x4500);              /* INIT, assert */
    delay_us(10000);
    for (unsigned i = 0; i < 2; i++) {
        send_icr(apic_id, 0x4600 | page);   /* STARTUP */
        delay_us(200);
    }
}

void apic_stop_cpu(uint32_t apic_id)
{
    send_icr(apic_id, 0x4500);
}

void machine_kick(unsigned cpu)
{
    if (cpu != this_cpu())
        apic_send_ipi(cpu, VECTOR_KICK);
}

uint32_t apic_timer_count(void) { return apic_read(APIC_TIMER_COUNT); }
void apic_timer_start(uint32_t count) { apic_write(APIC_TIMER_INIT, count); }
