/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * line.c - interrupt lines: routing, arrival, masking
 *
 * What happens when an interrupt arrives:
 *   edge, MSI  acknowledge, raise the guest's event.
 *   level      mask the line, acknowledge, raise the event; unmask when the guest says EOI. The line stays silent as
 *              long as the guest needs, whatever it does to the event's mask, and no local APIC is held up meanwhile.
 *
 *   I1  a line that nobody enabled is masked; an interrupt of it that comes late is acknowledged, counted, dropped.
 *   I2  in_service implies level and masked.
 *   I3  only one of handler and guest is set.
 *
 * Source: 82093AA data sheet (RTE), SDM 3A 11.8.5 (EOI).
 */
#include "irq/line.h"

#include "boot/acpi.h"
#include "event/event.h"
#include "hv_errno.h"
#include "irq/chip.h"
#include "machine.h"
#include "print.h"

struct irq_line irq_lines[NR_LINES];

void irq_init(void)
{
    chip_init();
    for (unsigned i = 0; i < NR_LINES; i++) {
        struct irq_line *l = &irq_lines[i];
        spin_lock_init(&l->lock, RANK_IRQ);
        if (i >= MAX_GSI || !chip_has_gsi(i))
            continue;
        l->kind = LINE_GSI;
        acpi_gsi_mode(i, &l->level, &l->active_low);
    }
}

unsigned irq_nr_gsis(void)
{
    return chip_nr_gsis();
}

static void write_rte(const struct irq_line *l, bool masked)
{
    const uint64_t dest = l->vector ? chip_cpu_dest(l->cpu) : 0;

    chip_write_rte(line_number(l), l->vector | (l->level ? RTE_LEVEL : 0) | (l->active_low ? RTE_LOW : 0) |
                                       (masked ? RTE_MASKED : 0) | dest << RTE_DEST_SHIFT);
}

void line_set_mask(struct irq_line *l, bool masked)
{
    if (l->kind == LINE_GSI)
        write_rte(l, masked);
    else if (l->kind == LINE_MSI || l->kind == LINE_MSIX)
        msi_set_mask(l, masked);
}

int line_route(struct irq_line *l)
{
    if (l->vector == 0 && (l->vector = vector_alloc(line_number(l), 1, &l->cpu)) == 0)
        return -ENOSPC;
    line_set_mask(l, true);
    return 0;
}

/* Under the line's lock; returns the event to raise, 0 for none. */
static uint32_t arrived(struct irq_line *l)
{
    if (!l->enabled || l->port == 0) {          /* I1 */
        l->stray++;
        line_set_mask(l, true);
        return 0;
    }
    l->count++;
    if (l->level) {
        line_set_mask(l, true);
        l->in_service = true;                   /* I2 */
    }
    return l->port;
}

void irq_handle_vector(uint8_t vector)
{
    const unsigned n = vector_line(this_cpu(), vector);

    if (n == LINE_NONE) {
        chip_eoi();
        return;
    }
    struct irq_line *l = &irq_lines[n];
    const unsigned long flags = spin_lock_irq(&l->lock);
    if (l->handler) {
        void (*const handler)(void *) = l->handler;
        void *const data = l->data;
        l->count++;
        spin_unlock_irq(&l->lock, flags);
        handler(data);
        chip_eoi();
        return;
    }
    const uint32_t port = arrived(l);
    struct domain *const d = l->guest;          /* Dom0: never goes away */
    spin_unlock_irq(&l->lock, flags);
    chip_eoi();
    if (port != 0)
        evtchn_send_pirq(d, port);
}

int irq_request_gsi(unsigned gsi, void (*handler)(void *data), void *data)
{
    if (gsi >= MAX_GSI || irq_lines[gsi].kind != LINE_GSI)
        return -EINVAL;

    struct irq_line *l = &irq_lines[gsi];
    const unsigned long flags = spin_lock_irq(&l->lock);
    int rc = l->handler || l->guest ? -EBUSY : line_route(l);
    if (rc == 0) {
        l->handler = handler;
        l->data = data;
        l->enabled = true;
        line_set_mask(l, false);
    }
    spin_unlock_irq(&l->lock, flags);
    return rc;
}

int irq_setup_gsi(unsigned gsi, bool level, bool active_low)
{
    if (gsi >= MAX_GSI || irq_lines[gsi].kind != LINE_GSI)
        return -EINVAL;

    struct irq_line *l = &irq_lines[gsi];
    int rc = 0;
    const unsigned long flags = spin_lock_irq(&l->lock);
    const bool same = l->level == level && l->active_low == active_low;
    if (l->handler) {
        rc = -EPERM;
    } else if (!same && l->enabled) {
        rc = -EEXIST;
    } else if (!same) {
        l->level = level;
        l->active_low = active_low;
        write_rte(l, true);
    }
    spin_unlock_irq(&l->lock, flags);
    return rc;
}

void irq_dump(void)
{
    static const char *const kinds[] = { "-", "GSI", "MSI", "MSI-X" };

    pr_info("interrupt lines in use:\n");
    for (unsigned i = 0; i < NR_LINES; i++) {
        const struct irq_line *l = &irq_lines[i];
        if (l->vector == 0)
            continue;
        pr_info(" %3u %-5s %s vec %02x cpu %u %s%s%s port %u count %lu stray %lu\n", i, kinds[l->kind],
                l->level ? "level" : "edge ", l->vector, l->cpu, l->enabled ? "on" : "off", l->in_service ? " in-service" : "",
                l->handler ? " hypervisor" : "", l->port, l->count, l->stray);
    }
}

void irq_audit(void)
{
    for (unsigned i = 0; i < NR_LINES; i++) {
        const struct irq_line *l = &irq_lines[i];
        BUG_ON(l->handler && l->guest);                                         /* I3 */
        BUG_ON(l->in_service && !l->level);                                     /* I2 */
        BUG_ON(l->enabled && l->vector == 0);
        BUG_ON(l->vector != 0 && vector_line(l->cpu, l->vector) != i);
        BUG_ON(l->port != 0 && (!l->guest || !l->enabled));
        BUG_ON(i >= MAX_GSI && l->kind == LINE_GSI);
    }
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        for (unsigned v = 0; v < 256; v++) {
            const unsigned n = vector_line(cpu, (uint8_t)v);
            BUG_ON(n != LINE_NONE && (n >= NR_LINES || irq_lines[n].cpu != cpu || irq_lines[n].vector != v));
        }
}
