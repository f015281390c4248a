/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chip_metal.c - PICs, IO-APICs and MSI-X tables of the machine */
#include "irq/chip.h"

#include "boot/acpi.h"
#include "boot/map_boot.h"
#include "cpu/apic.h"
#include "hv_errno.h"
#include "lock.h"
#include "machine.h"
#include "print.h"

#define IOAPIC_WINDOW 0x10              /* data register, bytes from the select register at 0 */
#define IOAPIC_VERSION 1
#define IOAPIC_RTE(pin) (0x10 + 2 * (pin))
#define MAX_TABLE_PAGES 256

static struct ioapic {
    volatile uint32_t *regs;
    uint64_t base;
    unsigned gsi_base, pins;
} ioapics[MAX_IOAPICS];
static unsigned nr_ioapics;
static spinlock_t lock = SPINLOCK_INIT(APIC);

/* Pages of MSI-X tables mapped so far; a mapping is made once and stays. Under lock. */
static struct { uint64_t page; volatile uint32_t *va; } table_pages[MAX_TABLE_PAGES];
static unsigned nr_table_pages;

static uint32_t ioapic_read(const struct ioapic *a, uint32_t reg)
{
    a->regs[0] = reg;
    return a->regs[IOAPIC_WINDOW / 4];
}

static void ioapic_write(const struct ioapic *a, uint32_t reg, uint32_t value)
{
    a->regs[0] = reg;
    a->regs[IOAPIC_WINDOW / 4] = value;
}

/* Masked, and moved off the exception vectors: a masked PIC can still raise a spurious interrupt. */
static void silence_pics(void)
{
    static const struct { uint16_t command; uint8_t base, cascade; } pic[] = { { 0x20, 0x20, 4 }, { 0xa0, 0x28, 2 } };

    for (unsigned i = 0; i < ARRAY_SIZE(pic); i++) {
        machine_port_out(pic[i].command, 1, 0x11);
        machine_port_out((uint16_t)(pic[i].command + 1), 1, pic[i].base);
        machine_port_out((uint16_t)(pic[i].command + 1), 1, pic[i].cascade);
        machine_port_out((uint16_t)(pic[i].command + 1), 1, 1);
        machine_port_out((uint16_t)(pic[i].command + 1), 1, 0xff);
    }
}

static void add_ioapic(const struct acpi_ioapic *found)
{
    struct ioapic *a = &ioapics[nr_ioapics];

    a->regs = map_device(maddr(found->address), 0x20);
    if (!a->regs)
        return;
    a->base = found->address;
    a->gsi_base = found->gsi_base;
    const uint32_t version = ioapic_read(a, IOAPIC_VERSION);
    a->pins = MIN(((version >> 16) & 0xff) + 1, MAX_GSI - found->gsi_base);
    if (version == ~0u) {
        pr_warn("IO-APIC at %lx does not answer\n", found->address);
        return;
    }
    nr_ioapics++;
    for (unsigned pin = 0; pin < a->pins; pin++) {
        ioapic_write(a, IOAPIC_RTE(pin), (uint32_t)RTE_MASKED);
        ioapic_write(a, IOAPIC_RTE(pin) + 1, 0);
    }
    pr_info("IO-APIC %u at %lx: GSI %u-%u\n", found->id, found->address, a->gsi_base, a->gsi_base + a->pins - 1);
}

void chip_init(void)
{
    silence_pics();
    for (unsigned i = 0; i < acpi_info.nr_ioapics; i++)
        add_ioapic(&acpi_info.ioapic[i]);
}

static const struct ioapic *ioapic_of(unsigned gsi)
{
    for (unsigned i = 0; i < nr_ioapics; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

bool chip_has_gsi(unsigned gsi)
{
    return ioapic_of(gsi) != NULL;
}

unsigned chip_nr_gsis(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < nr_ioapics; i++)
        n = MAX(n, ioapics[i].gsi_base + ioapics[i].pins);
    return n;
}

void chip_write_rte(unsigned gsi, uint64_t rte)
{
    const struct ioapic *a = ioapic_of(gsi);
    if (!a)
        return;

    const unsigned pin = gsi - a->gsi_base;
    const unsigned long flags = spin_lock_irq(&lock);
    /* The half with the mask bit last when unmasking, first when masking: never a live entry half written. */
    if (rte & RTE_MASKED)
        ioapic_write(a, IOAPIC_RTE(pin), (uint32_t)rte);
    ioapic_write(a, IOAPIC_RTE(pin) + 1, (uint32_t)(rte >> 32));
    if (!(rte & RTE_MASKED))
        ioapic_write(a, IOAPIC_RTE(pin), (uint32_t)rte);
    spin_unlock_irq(&lock, flags);
}

int chip_read_ioapic(uint64_t base, uint32_t reg, uint32_t *value)
{
    for (unsigned i = 0; i < nr_ioapics; i++) {
        if (ioapics[i].base != base || reg >= IOAPIC_RTE(ioapics[i].pins))
            continue;
        const unsigned long flags = spin_lock_irq(&lock);
        *value = ioapic_read(&ioapics[i], reg);
        spin_unlock_irq(&lock, flags);
        return 0;
    }
    return -EINVAL;
}

/* Under lock. */
static volatile uint32_t *table_page(uint64_t page)
{
    for (unsigned i = 0; i < nr_table_pages; i++)
        if (table_pages[i].page == page)
            return table_pages[i].va;
    return NULL;
}

/* The caller serialises; mapping may allocate, so it is done outside the lock. */
int chip_prepare_msix(maddr_t entry)
{
    const uint64_t page = entry.n & PAGE_MASK;
    unsigned long flags = spin_lock_irq(&lock);
    const bool known = table_page(page) != NULL, full = nr_table_pages == MAX_TABLE_PAGES;

    spin_unlock_irq(&lock, flags);
    if (known)
        return 0;
    volatile uint32_t *va = full ? NULL : map_device(maddr(page), PAGE_SIZE);
    if (!va)
        return -ENOMEM;
    flags = spin_lock_irq(&lock);
    table_pages[nr_table_pages].page = page;
    table_pages[nr_table_pages++].va = va;
    spin_unlock_irq(&lock, flags);
    return 0;
}

void chip_write_msix(maddr_t entry, uint64_t address, uint32_t data, bool masked)
{
    enum { ADDRESS, ADDRESS_HIGH, DATA, CONTROL };
    const unsigned long flags = spin_lock_irq(&lock);
    volatile uint32_t *page = table_page(entry.n & PAGE_MASK);

    if (page) {
        volatile uint32_t *e = page + (entry.n & ~PAGE_MASK) / 4;
        e[CONTROL] = 1;                         /* the message may only change while masked */
        e[ADDRESS] = (uint32_t)address;
        e[ADDRESS_HIGH] = (uint32_t)(address >> 32);
        e[DATA] = data;
        e[CONTROL] = masked;
        (void)e[CONTROL];                       /* posted writes have arrived when this returns */
    }
    spin_unlock_irq(&lock, flags);
}

uint32_t chip_cpu_dest(unsigned cpu)
{
    return apic_id_of(cpu);
}

void chip_eoi(void)
{
    apic_eoi();
}
