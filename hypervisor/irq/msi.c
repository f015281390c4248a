/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msi.c - message-signalled interrupts: where a device keeps them, and what is written there
 *
 * Address and data of a message decide which CPU gets which vector, so they are ours: Dom0 names a device and an
 * entry, we find the capability ourselves and write it. Dom0 only turns the capability on and off.
 *
 *   I1  the MSI-X table is written only where it lies in device memory, never in RAM (a BAR is Dom0's to set).
 *
 * Source: PCI Local Bus 3.0, 6.8 (MSI, MSI-X), 6.7 (capability list); SDM 3A 11.11 (address and data formats).
 */
#include "irq/line.h"

#include "hv_errno.h"
#include "irq/chip.h"
#include "machine.h"
#include "mm/frame.h"

#define PCI_VENDOR 0x00
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x2
#define PCI_STATUS 0x06
#define PCI_STATUS_CAPS 0x10
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR0 0x10
#define PCI_CAP_POINTER 0x34
#define CAP_MSI 0x05
#define CAP_MSIX 0x11
#define MAX_CAPS 48                     /* more cannot fit: a list that goes on has a loop */

#define MSI_CONTROL 2
#define MSI_ENABLE 0x0001u
#define MSI_CAPABLE(c) (1u << (((c) >> 1) & 7))
#define MSI_ENABLED_MASK 0x0070u
#define MSI_64BIT 0x0080u
#define MSI_MASKABLE 0x0100u
#define MSIX_SIZE(c) (((c) & 0x7ffu) + 1)
#define MSIX_TABLE 4
#define MSIX_ENTRY_SIZE 16
#define MSI_ADDRESS_BASE 0xfee00000u

static uint32_t cfg_read(uint8_t bus, uint8_t devfn, unsigned reg, unsigned size)
{
    return machine_pci_read(0x80000000u | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (reg & 0xfc), reg & 3, size);
}

static void cfg_write(uint8_t bus, uint8_t devfn, unsigned reg, unsigned size, uint32_t value)
{
    machine_pci_write(0x80000000u | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (reg & 0xfc), reg & 3, size, value);
}

static uint32_t msi_read(const struct msi_place *p, unsigned at, unsigned size)
{
    return cfg_read(p->bus, p->devfn, p->cap + at, size);
}

static void msi_write(const struct msi_place *p, unsigned at, unsigned size, uint32_t value)
{
    cfg_write(p->bus, p->devfn, p->cap + at, size, value);
}

/* Offset of capability @id, 0: none. The longest one we use must fit into the 256 bytes. */
static uint8_t find_cap(uint8_t bus, uint8_t devfn, uint8_t id)
{
    if (cfg_read(bus, devfn, PCI_VENDOR, 2) == 0xffff || !(cfg_read(bus, devfn, PCI_STATUS, 2) & PCI_STATUS_CAPS))
        return 0;

    unsigned at = cfg_read(bus, devfn, PCI_CAP_POINTER, 1) & 0xfc;
    for (unsigned i = 0; i < MAX_CAPS && at >= 0x40 && at <= 0xe8; i++) {
        if (cfg_read(bus, devfn, at, 1) == id)
            return (uint8_t)at;
        at = cfg_read(bus, devfn, at + 1, 1) & 0xfc;
    }
    return 0;
}

/* Machine address of memory BAR @bir, 0: none. */
static uint64_t bar_address(uint8_t bus, uint8_t devfn, unsigned bir)
{
    const unsigned nr_bars = (cfg_read(bus, devfn, PCI_HEADER_TYPE, 1) & 0x7f) == 0 ? 6 : 2;
    if (bir >= nr_bars)
        return 0;

    const uint32_t low = cfg_read(bus, devfn, PCI_BAR0 + bir * 4, 4);
    if (low & 1)                                                /* I/O space */
        return 0;
    const bool wide = (low & 6) == 4 && bir + 1 < nr_bars;
    const uint64_t high = wide ? cfg_read(bus, devfn, PCI_BAR0 + bir * 4 + 4, 4) : 0;
    return high << 32 | (low & ~0xfu);
}

static bool is_device_memory(uint64_t at)
{
    const mfn_t m = maddr_to_mfn(maddr(at));

    return at != 0 && at < (1UL << MAX_PHYS_BITS) && (!mfn_valid(m) || frame_owner(frame_of(m)) == DOMID_IO);
}

static int locate_msix(const struct msi_request *req, struct msi_place *p)
{
    if (req->entry >= MSIX_SIZE(msi_read(p, MSI_CONTROL, 2)) || req->count != 1)
        return -EINVAL;
    if (!(cfg_read(req->bus, req->devfn, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;

    const uint32_t table = msi_read(p, MSIX_TABLE, 4);
    const uint64_t bar = bar_address(req->bus, req->devfn, table & 7);
    const uint64_t entry = bar + (table & ~7u) + req->entry * MSIX_ENTRY_SIZE;
    if (bar == 0 || !is_device_memory(entry))                   /* I1 */
        return -ENXIO;
    p->table_entry = maddr(entry);
    return chip_prepare_msix(p->table_entry);
}

int msi_locate(const struct msi_request *req, struct msi_place *p)
{
    *p = (struct msi_place){ .bus = req->bus, .devfn = req->devfn, .count = (uint16_t)req->count };
    if (req->count == 0 || req->count > 32 || (req->count & (req->count - 1)) != 0)
        return -EINVAL;
    p->cap = find_cap(req->bus, req->devfn, req->msix ? CAP_MSIX : CAP_MSI);
    if (p->cap == 0)
        return -ENODEV;
    if (req->msix)
        return locate_msix(req, p);
    return req->count <= MSI_CAPABLE(msi_read(p, MSI_CONTROL, 2)) ? 0 : -EINVAL;
}

static uint32_t message_address(const struct irq_line *l)
{
    return MSI_ADDRESS_BASE | chip_cpu_dest(l->cpu) << 12;      /* physical destination, no redirection */
}

static unsigned mask_register(uint32_t control)
{
    return control & MSI_64BIT ? 0x10 : 0x0c;
}

void msi_program(const struct irq_line *l)
{
    const struct msi_place *p = &l->msi;

    if (l->kind == LINE_MSIX) {
        chip_write_msix(p->table_entry, message_address(l), l->vector, true);
        return;
    }
    const uint32_t control = msi_read(p, MSI_CONTROL, 2);
    const uint32_t log2 = (uint32_t)__builtin_ctz(p->count);
    msi_write(p, MSI_CONTROL, 2, (control & ~MSI_ENABLED_MASK) | log2 << 4);
    msi_write(p, 4, 4, message_address(l));
    if (control & MSI_64BIT)
        msi_write(p, 8, 4, 0);
    msi_write(p, control & MSI_64BIT ? 0x0c : 0x08, 2, l->vector);
}

void msi_set_mask(const struct irq_line *l, bool masked)
{
    const struct msi_place *p = &l->msi;

    if (l->kind == LINE_MSIX) {
        chip_write_msix(p->table_entry, message_address(l), l->vector, masked);
        return;
    }
    const uint32_t control = msi_read(p, MSI_CONTROL, 2);
    if (!(control & MSI_MASKABLE))
        return;                                 /* a line that is off drops what arrives: line.c I1 */
    const uint32_t bit = 1u << (p->entry & 31), mask = msi_read(p, mask_register(control), 4);
    msi_write(p, mask_register(control), 4, masked ? mask | bit : mask & ~bit);
}

void msi_retire(const struct irq_line *l)
{
    const struct msi_place *p = &l->msi;

    if (l->kind == LINE_MSIX) {
        /* The table may be out of reach by now: a driver that is gone has turned memory decoding off. */
        if (cfg_read(p->bus, p->devfn, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY)
            chip_write_msix(p->table_entry, 0, 0, true);
        return;
    }
    const uint32_t control = msi_read(p, MSI_CONTROL, 2);
    msi_write(p, MSI_CONTROL, 2, control & ~(MSI_ENABLE | MSI_ENABLED_MASK));
}
