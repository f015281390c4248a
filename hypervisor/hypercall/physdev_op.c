/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * physdev_op.c - PHYSDEVOP_*: how Dom0 gets its interrupts, and the two calls that every guest may make
 *
 * The table says for each operation who may call it; that is checked before anything else is looked at and before
 * any lock is taken (H98). Arguments are copied in once.
 *
 * Refused on purpose: pirq_eoi_gmfn (a bitmap shared with the guest that saves one call per level interrupt is not
 * worth a page whose contents decide about masking), the HVM pirq calls, the USB debug port.
 *
 * ABI: physdev.h; abi-map 2.13.
 */
#include <string.h>

#include "hypercall/hypercall.h"
#include "irq/chip.h"
#include "irq/irq.h"
#include "print.h"

typedef long physdev_fn(struct vcpu *v, gva_t arg);

static long op_set_iopl(struct vcpu *v, gva_t arg)
{
    struct physdev_set_iopl a;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (a.iopl > 3)
        return -EINVAL;
    v->cpu.iopl = (uint8_t)a.iopl;
    return 0;
}

static long op_set_iobitmap(struct vcpu *v, gva_t arg)
{
    struct physdev_set_iobitmap a;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    const gva_t bitmap = gva((uint64_t)a.bitmap.p);
    if (a.nr_ports > 65536 || (bitmap.n != 0 && !guest_range_ok(bitmap, ROUND_UP(a.nr_ports, 8u) / 8)))
        return -EINVAL;
    v->cpu.iobitmap = bitmap;
    v->cpu.iobitmap_ports = a.nr_ports;
    return 0;
}

static long op_eoi(struct vcpu *v, gva_t arg)
{
    struct physdev_eoi a;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    return pirq_eoi(v->domain, a.irq);
}

static long op_irq_status_query(struct vcpu *v, gva_t arg)
{
    struct physdev_irq_status_query a;
    bool needs;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    const int rc = pirq_needs_eoi(v->domain, a.irq, &needs);
    if (rc != 0)
        return rc;
    a.flags = needs ? XENIRQSTAT_needs_eoi : 0;
    return guest_copy_out(arg, &a, sizeof(a));
}

static long op_apic_read(struct vcpu *v, gva_t arg)
{
    struct physdev_apic a;

    (void)v;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    const int rc = chip_read_ioapic(a.apic_physbase, a.reg, &a.value);
    return rc != 0 ? rc : guest_copy_out(arg, &a, sizeof(a));
}

/* Lines are routed by setup_gsi and bind_pirq; a register written behind our back would undo that. */
static long op_apic_write(struct vcpu *v, gva_t arg)
{
    (void)v;
    (void)arg;
    return -EPERM;
}

/* Vectors are ours to choose; the guest only wants to hear that the line is usable. */
static long op_alloc_irq_vector(struct vcpu *v, gva_t arg)
{
    struct physdev_irq a;

    (void)v;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (a.irq >= MAX_PIRQS)
        return -EINVAL;
    a.vector = a.irq;
    return guest_copy_out(arg, &a, sizeof(a));
}

static long op_nothing_to_do(struct vcpu *v, gva_t arg)
{
    (void)v;
    (void)arg;
    return 0;
}

/* ABI: MSI_SEG carries the PCI segment in the upper half of bus; mechanism 1 reaches segment 0 only. */
static int map_msi(struct domain *d, struct physdev_map_pirq *a)
{
    const struct msi_request req = { .bus = (uint8_t)a->bus,
                                     .devfn = (uint8_t)a->devfn,
                                     .msix = a->table_base != 0,
                                     .entry = a->entry_nr > 0 ? (unsigned)a->entry_nr : 0,
                                     .count = a->type == MAP_PIRQ_TYPE_MULTI_MSI ? (unsigned)a->entry_nr : 1 };
    const uint32_t bus = (uint32_t)a->bus;

    if ((a->type == MAP_PIRQ_TYPE_MSI ? bus : bus >> 16) > (a->type == MAP_PIRQ_TYPE_MSI ? 0xffu : 0u) ||
        (bus & 0xff00) != 0 || a->devfn < 0 || a->devfn > 0xff || a->entry_nr < 0)
        return -EINVAL;
    if (req.msix && a->type == MAP_PIRQ_TYPE_MULTI_MSI)
        return -EINVAL;
    return pirq_map_msi(d, &req, &a->pirq);
}

static long op_map_pirq(struct vcpu *v, gva_t arg)
{
    struct physdev_map_pirq a;
    struct domain *const d = v->domain;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (a.domid != DOMID_SELF && a.domid != d->id)
        return -EOPNOTSUPP;                     /* device passthrough is out of scope */

    int rc;
    switch (a.type) {
    case MAP_PIRQ_TYPE_GSI:
        if (a.index < 0 || (a.pirq >= 0 && a.pirq != a.index))
            return -EINVAL;
        rc = pirq_map_gsi(d, (unsigned)a.index);
        a.pirq = a.index;
        break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        rc = map_msi(d, &a);
        break;
    default:
        return -EINVAL;
    }
    if (rc != 0)
        return rc;
    return guest_copy_out(arg, &a, sizeof(a));
}

static long op_unmap_pirq(struct vcpu *v, gva_t arg)
{
    struct physdev_unmap_pirq a;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (a.domid != DOMID_SELF && a.domid != v->domain->id)
        return -EOPNOTSUPP;
    return a.pirq < 0 ? -EINVAL : pirq_unmap(v->domain, (unsigned)a.pirq);
}

static long op_setup_gsi(struct vcpu *v, gva_t arg)
{
    struct physdev_setup_gsi a;

    (void)v;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (a.gsi < 0 || a.triggering > 1 || a.polarity > 1)
        return -EINVAL;
    return irq_setup_gsi((unsigned)a.gsi, a.triggering == 1, a.polarity == 1);
}

static long op_pci_device_add(struct vcpu *v, gva_t arg)
{
    struct physdev_pci_device_add a;

    (void)v;
    if (guest_copy_in(&a, arg, offsetof(struct physdev_pci_device_add, optarr)) != 0)
        return -EFAULT;
    pr_info("PCI add device %04x:%02x:%02x.%u\n", a.seg, a.bus, a.devfn >> 3u, a.devfn & 7u);
    return 0;
}

static long op_pci_device_remove(struct vcpu *v, gva_t arg)
{
    struct physdev_pci_device a;

    (void)v;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    pr_info("PCI remove device %04x:%02x:%02x.%u\n", a.seg, a.bus, a.devfn >> 3u, a.devfn & 7u);
    return 0;
}

static long op_restore_msi_ext(struct vcpu *v, gva_t arg)
{
    struct physdev_pci_device a;

    (void)v;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    return a.seg != 0 ? -ESRCH : pirq_restore_msi(a.bus, a.devfn);
}

static long op_restore_msi(struct vcpu *v, gva_t arg)
{
    struct physdev_restore_msi a;

    (void)v;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    return pirq_restore_msi(a.bus, a.devfn);
}

static const struct physdev_entry {
    physdev_fn *fn;
    bool any_domain;
} ops[] = {
    [PHYSDEVOP_irq_status_query] = { op_irq_status_query, false },
    [PHYSDEVOP_set_iopl] = { op_set_iopl, true },
    [PHYSDEVOP_set_iobitmap] = { op_set_iobitmap, true },
    [PHYSDEVOP_apic_read] = { op_apic_read, false },
    [PHYSDEVOP_apic_write] = { op_apic_write, false },
    [PHYSDEVOP_alloc_irq_vector] = { op_alloc_irq_vector, false },
    [PHYSDEVOP_free_irq_vector] = { op_nothing_to_do, false },
    [PHYSDEVOP_eoi] = { op_eoi, false },
    [PHYSDEVOP_map_pirq] = { op_map_pirq, false },
    [PHYSDEVOP_unmap_pirq] = { op_unmap_pirq, false },
    [PHYSDEVOP_restore_msi] = { op_restore_msi, false },
    [PHYSDEVOP_setup_gsi] = { op_setup_gsi, false },
    [PHYSDEVOP_pci_mmcfg_reserved] = { op_nothing_to_do, false },
    [PHYSDEVOP_pci_device_add] = { op_pci_device_add, false },
    [PHYSDEVOP_pci_device_remove] = { op_pci_device_remove, false },
    [PHYSDEVOP_restore_msi_ext] = { op_restore_msi_ext, false },
};

long do_physdev_op(struct vcpu *v, struct hcall *h)
{
    const uint32_t cmd = (uint32_t)h->arg[0];

    if (cmd >= ARRAY_SIZE(ops) || !ops[cmd].fn)
        return -ENOSYS;
    if (!ops[cmd].any_domain && !v->domain->privileged)
        return -EPERM;
    return ops[cmd].fn(v, gva(h->arg[1]));
}
