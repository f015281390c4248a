/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * power.c - reset and halt, port and PCI configuration access
 */
#include "boot/acpi.h"
#include "boot/map_boot.h"
#include "console/console.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "lock.h"
#include "machine.h"
#include "print.h"

uint32_t machine_port_in(uint16_t port, unsigned size)
{
    uint32_t v = 0;
    if (size == 1)
        asm volatile("inb %1, %b0" : "+a"(v) : "Nd"(port));
    else if (size == 2)
        asm volatile("inw %1, %w0" : "+a"(v) : "Nd"(port));
    else
        asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

void machine_port_out(uint16_t port, unsigned size, uint32_t value)
{
    if (size == 1)
        asm volatile("outb %b0, %1" : : "a"(value), "Nd"(port));
    else if (size == 2)
        asm volatile("outw %w0, %1" : : "a"(value), "Nd"(port));
    else
        asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static spinlock_t pci_lock = SPINLOCK_INIT(APIC);

uint32_t machine_pci_read(uint32_t addr, unsigned offset, unsigned size)
{
    const unsigned long flags = spin_lock_irq(&pci_lock);
    machine_port_out(0xcf8, 4, addr);
    const uint32_t v = machine_port_in((uint16_t)(0xcfc + (offset & 3)), size);
    spin_unlock_irq(&pci_lock, flags);
    return v;
}

void machine_pci_write(uint32_t addr, unsigned offset, unsigned size, uint32_t value)
{
    const unsigned long flags = spin_lock_irq(&pci_lock);
    machine_port_out(0xcf8, 4, addr);
    machine_port_out((uint16_t)(0xcfc + (offset & 3)), size, value);
    spin_unlock_irq(&pci_lock, flags);
}

void machine_halt(void)
{
    smp_stop_others();
    console_force();
    for (;;)
        asm volatile("cli; hlt");
}

static void wait_ms(uint64_t ms)
{
    const uint64_t end = machine_now() + ms * 1000000;
    while (machine_now() < end)
        machine_cpu_relax();
}

static volatile uint8_t *reset_mem;

void power_init(void)
{
    if (acpi_info.reset.valid && acpi_info.reset.space == 0)
        reset_mem = map_device(maddr(acpi_info.reset.address), 1);
}

/* The ways to reset a PC, best first; each is given a moment. */
void machine_reboot(void)
{
    irq_disable();
    smp_stop_others();
    console_force();            /* what is still queued goes out now */
    if (acpi_info.reset.valid && acpi_info.reset.space == 1)
        machine_port_out((uint16_t)acpi_info.reset.address, 1, acpi_info.reset.value);
    else if (reset_mem)
        *reset_mem = acpi_info.reset.value;
    wait_ms(50);
    outb(0xcf9, 0x02);
    outb(0xcf9, 0x06);
    wait_ms(50);
    outb(0x64, 0xfe);
    wait_ms(50);
    const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };
    asm volatile("lidt %0; int3" : : "m"(none));
    for (;;)
        asm volatile("hlt");
}

void machine_reboot_after(unsigned seconds)
{
    wait_ms(seconds * 1000UL);
    machine_reboot();
}

unsigned long machine_irq_save(void)
{
    unsigned long flags;
    asm volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

void machine_irq_restore(unsigned long flags)
{
    if (flags & 0x200)
        irq_enable();
}

void machine_cpu_relax(void)
{
    asm volatile("pause" : : : "memory");
}
