/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_caps.c - rights to device memory, ports and interrupt lines
 *
 * A right is there if the domain was granted it and the host list does not forbid it; the host list is written at
 * boot only and read without a lock.
 *
 *   I1  what the host list forbids, no grant can give: it is checked at every use, not at the grant alone.
 */
#include "domain/io_caps.h"

#include "boot/acpi.h"
#include "console/console.h"
#include "heap.h"
#include "hv_errno.h"
#include "lib/lib.h"
#include "limits.h"

#define MAX_DENIED 32
#define LAST_MFN ((1UL << (MAX_PHYS_BITS - PAGE_SHIFT)) - 1)

struct io_caps {
    spinlock_t lock;            /* RANK_IOCAPS */
    struct rangeset *mem, *ports;
    uint64_t irqs[BITMAP_WORDS(MAX_PIRQS)];
};

/* fixed after boot */
static struct { uint64_t first, last; } denied_mem[MAX_DENIED];
static struct { unsigned first, last; } denied_ports[MAX_DENIED];
static uint64_t readonly_mem[MAX_DENIED];
static unsigned nr_denied_mem, nr_denied_ports, nr_readonly;
static uint64_t denied_irqs[BITMAP_WORDS(MAX_PIRQS)];

void io_caps_deny_all_mem(uint64_t first_mfn, uint64_t last_mfn)
{
    BUG_ON(nr_denied_mem == MAX_DENIED);        /* our own list at boot, not a guest's */
    denied_mem[nr_denied_mem].first = first_mfn;
    denied_mem[nr_denied_mem++].last = last_mfn;
}

void io_caps_deny_all_ports(unsigned first, unsigned last)
{
    BUG_ON(nr_denied_ports == MAX_DENIED);
    denied_ports[nr_denied_ports].first = first;
    denied_ports[nr_denied_ports++].last = last;
}

void io_caps_deny_all_irq(unsigned pirq)
{
    if (pirq < MAX_PIRQS)
        bitmap_set(denied_irqs, pirq);
}

void io_caps_readonly_mem(uint64_t mfn)
{
    BUG_ON(nr_readonly == MAX_DENIED);
    readonly_mem[nr_readonly++] = mfn;
}

bool io_caps_denied_mem(unsigned i, uint64_t *first, uint64_t *last)
{
    if (i >= nr_denied_mem)
        return false;
    *first = denied_mem[i].first;
    *last = denied_mem[i].last;
    return true;
}

void io_caps_init_host(void)
{
    const uint64_t lapic = acpi_info.lapic_address >> PAGE_SHIFT;

    /* Messages written here are interrupts of our choosing; the local APIC page lies inside on most machines. */
    io_caps_deny_all_mem(0xfee00, 0xfeeff);
    if (lapic != 0 && (lapic < 0xfee00 || lapic > 0xfeeff))
        io_caps_deny_all_mem(lapic, lapic);
    for (unsigned i = 0; i < acpi_info.nr_ioapics; i++)
        io_caps_deny_all_mem(acpi_info.ioapic[i].address >> PAGE_SHIFT, acpi_info.ioapic[i].address >> PAGE_SHIFT);
    if (acpi_info.hpet_address != 0)
        io_caps_readonly_mem(acpi_info.hpet_address >> PAGE_SHIFT);

    io_caps_deny_all_ports(0x20, 0x21);         /* PICs */
    io_caps_deny_all_ports(0xa0, 0xa1);
    io_caps_deny_all_ports(0x40, 0x43);         /* PIT; channel 2 is emulated by emul/ */
    if (acpi_info.pm_timer_port != 0)
        io_caps_deny_all_ports(acpi_info.pm_timer_port, acpi_info.pm_timer_port + 3u);
    if (console_uart_port() != 0)
        io_caps_deny_all_ports(console_uart_port(), console_uart_port() + 7u);
    if (console_uart_gsi() >= 0)
        io_caps_deny_all_irq((unsigned)console_uart_gsi());
    io_caps_deny_all_irq(acpi_isa_gsi(0));      /* the PIT's line */
}

int io_caps_create(struct domain *d)
{
    struct io_caps *c = heap_alloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    spin_lock_init(&c->lock, RANK_IOCAPS);
    c->mem = rangeset_create();
    c->ports = rangeset_create();
    d->io = c;
    int rc = c->mem && c->ports ? 0 : -ENOMEM;
    if (rc == 0 && d->privileged) {
        rc = rangeset_add(c->mem, 0, LAST_MFN);
        if (rc == 0)
            rc = rangeset_add(c->ports, 0, 0xffff);
        for (unsigned i = 0; i < MAX_PIRQS; i++)
            bitmap_set(c->irqs, i);
    }
    if (rc != 0)
        io_caps_destroy(d);
    return rc;
}

void io_caps_destroy(struct domain *d)
{
    struct io_caps *c = d->io;

    if (!c)
        return;
    d->io = NULL;
    if (c->mem)
        rangeset_destroy(c->mem);
    if (c->ports)
        rangeset_destroy(c->ports);
    heap_free(c);
}

static bool mem_denied(uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < nr_denied_mem; i++)
        if (first <= denied_mem[i].last && denied_mem[i].first <= last)
            return true;
    return false;
}

static bool ports_denied(unsigned first, unsigned last)
{
    for (unsigned i = 0; i < nr_denied_ports; i++)
        if (first <= denied_ports[i].last && denied_ports[i].first <= last)
            return true;
    return false;
}

bool io_caps_mem_ok(struct domain *d, uint64_t first_mfn, uint64_t last_mfn)
{
    if (first_mfn > last_mfn || last_mfn > LAST_MFN || mem_denied(first_mfn, last_mfn))         /* I1 */
        return false;
    if (d->privileged)                          /* granted all at creation, and nothing is ever taken from it */
        return true;

    struct io_caps *c = d->io;
    spin_lock(&c->lock);
    const bool ok = rangeset_contains(c->mem, first_mfn, last_mfn);
    spin_unlock(&c->lock);
    return ok;
}

bool io_caps_mem_readonly(uint64_t mfn)
{
    for (unsigned i = 0; i < nr_readonly; i++)
        if (readonly_mem[i] == mfn)
            return true;
    return false;
}

bool io_caps_port_ok(struct domain *d, unsigned first, unsigned last)
{
    if (first > last || last > 0xffff || ports_denied(first, last))                             /* I1 */
        return false;
    if (d->privileged)
        return true;

    struct io_caps *c = d->io;
    spin_lock(&c->lock);
    const bool ok = rangeset_contains(c->ports, first, last);
    spin_unlock(&c->lock);
    return ok;
}

bool io_caps_irq_ok(struct domain *d, unsigned pirq)
{
    return pirq < MAX_PIRQS && !bitmap_test(denied_irqs, pirq) && bitmap_test(d->io->irqs, pirq);
}

bool io_caps_any(struct domain *d)
{
    if (d->privileged)
        return true;

    struct io_caps *c = d->io;
    spin_lock(&c->lock);
    const bool any = !rangeset_empty(c->mem);
    spin_unlock(&c->lock);
    return any;
}

static int change(struct io_caps *c, struct rangeset *r, uint64_t first, uint64_t last, bool allow)
{
    spin_lock(&c->lock);
    const int rc = allow ? rangeset_add(r, first, last) : rangeset_remove(r, first, last);
    spin_unlock(&c->lock);
    return rc;
}

int io_caps_mem_set(struct domain *d, uint64_t first, uint64_t last, bool allow)
{
    if (first > last || last > LAST_MFN)
        return -EINVAL;
    if (d->privileged || (allow && mem_denied(first, last)))
        return -EPERM;
    return change(d->io, d->io->mem, first, last, allow);
}

int io_caps_port_set(struct domain *d, unsigned first, unsigned last, bool allow)
{
    if (first > last || last > 0xffff)
        return -EINVAL;
    if (d->privileged || (allow && ports_denied(first, last)))
        return -EPERM;
    return change(d->io, d->io->ports, first, last, allow);
}

int io_caps_irq_set(struct domain *d, unsigned pirq, bool allow)
{
    if (pirq >= MAX_PIRQS)
        return -EINVAL;
    if (d->privileged || (allow && bitmap_test(denied_irqs, pirq)))
        return -EPERM;
    spin_lock(&d->io->lock);
    if (allow)
        bitmap_set(d->io->irqs, pirq);
    else
        bitmap_clear(d->io->irqs, pirq);
    spin_unlock(&d->io->lock);
    return 0;
}
