/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pirq.c - lines given to Dom0: map, bind to an event channel, EOI, unmap
 *
 *   I1  a line is mapped to at most one domain, and only to one that io_caps allows it.
 *   I2  an MSI line exists (kind MSI, MSI-X) exactly while it is mapped; lines of one block live and die together.
 *
 * Locks: mapping changes under map_lock (rank PIRQ), then each line's own lock; bind, unbind and EOI take the line's
 * lock only, because event/ calls them with its ports locked.
 *
 * ABI: physdev.h map_pirq, unmap_pirq, eoi, irq_status_query; event_channel.h bind_pirq.
 */
#include "irq/line.h"

#include "domain/io_caps.h"
#include "hv_errno.h"
#include "machine.h"
#include "print.h"

static spinlock_t map_lock = SPINLOCK_INIT(PIRQ);

int pirq_domain_create(struct domain *d)
{
    (void)d;                    /* what there is to know is in the lines */
    return 0;
}

void pirq_domain_destroy(struct domain *d)
{
    (void)d;
}

static struct irq_line *line_of(unsigned pirq)
{
    return pirq < NR_LINES && READ_ONCE(irq_lines[pirq].kind) != LINE_ABSENT ? &irq_lines[pirq] : NULL;
}

int pirq_bind(struct domain *d, unsigned pirq, uint32_t port, bool share)
{
    (void)share;
    if (!io_caps_irq_ok(d, pirq))
        return -EPERM;
    struct irq_line *l = line_of(pirq);
    if (!l || port == 0)
        return -EINVAL;

    int rc;
    const unsigned long flags = spin_lock_irq(&l->lock);
    if (l->guest != d)
        rc = -EINVAL;
    else if (l->port != 0)
        rc = -EEXIST;
    else
        rc = line_route(l);
    if (rc == 0) {
        l->port = port;
        l->enabled = true;
        l->in_service = false;
        line_set_mask(l, false);
    }
    spin_unlock_irq(&l->lock, flags);
    return rc;
}

/* Lock held. */
static void silence(struct irq_line *l)
{
    line_set_mask(l, true);
    l->enabled = l->in_service = false;
    l->port = 0;
}

void pirq_unbind(struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_of(pirq);
    if (!l)
        return;

    const unsigned long flags = spin_lock_irq(&l->lock);
    if (l->guest == d && l->port != 0)
        silence(l);
    spin_unlock_irq(&l->lock, flags);
}

int pirq_eoi(struct domain *d, unsigned pirq)
{
    struct irq_line *l = line_of(pirq);
    if (!l)
        return -EINVAL;

    const unsigned long flags = spin_lock_irq(&l->lock);
    const int rc = l->guest == d ? 0 : -EINVAL;
    if (rc == 0 && l->in_service) {
        l->in_service = false;
        if (l->enabled)
            line_set_mask(l, false);
    }
    spin_unlock_irq(&l->lock, flags);
    return rc;
}

int pirq_needs_eoi(struct domain *d, unsigned pirq, bool *needs)
{
    struct irq_line *l = line_of(pirq);
    if (!l)
        return -EINVAL;

    const unsigned long flags = spin_lock_irq(&l->lock);
    const int rc = l->guest == d ? 0 : -EINVAL;
    *needs = l->level;
    spin_unlock_irq(&l->lock, flags);
    return rc;
}

int pirq_map_gsi(struct domain *d, unsigned gsi)
{
    if (gsi >= MAX_GSI || irq_lines[gsi].kind != LINE_GSI)
        return -EINVAL;
    if (!io_caps_irq_ok(d, gsi))
        return -EPERM;

    struct irq_line *l = &irq_lines[gsi];
    const unsigned long flags = spin_lock_irq(&l->lock);
    const int rc = l->handler ? -EPERM : l->guest && l->guest != d ? -EBUSY : 0;
    if (rc == 0)
        l->guest = d;
    spin_unlock_irq(&l->lock, flags);
    return rc;
}

/* Under map_lock. @want < 0: the lowest free block of @count, else exactly that one. LINE_NONE: not to be had. */
static unsigned find_lines(int want, unsigned count)
{
    const unsigned lowest = want < 0 ? MAX_GSI : (unsigned)want;
    const unsigned highest = want < 0 ? NR_LINES - count : (unsigned)want;

    for (unsigned first = lowest; first >= MAX_GSI && first <= highest && first + count <= NR_LINES; first++) {
        unsigned n = 0;
        while (n < count && irq_lines[first + n].kind == LINE_ABSENT)
            n++;
        if (n == count)
            return first;
    }
    return LINE_NONE;
}

/* Under map_lock: is an entry of the same device already mapped that this one would overwrite? */
static bool msi_taken(const struct msi_request *req)
{
    for (unsigned i = MAX_GSI; i < NR_LINES; i++) {
        const struct irq_line *l = &irq_lines[i];
        if (l->kind == LINE_ABSENT || l->msi.bus != req->bus || l->msi.devfn != req->devfn)
            continue;
        if (!req->msix || l->kind == LINE_MSI || l->msi.entry == req->entry)
            return true;
    }
    return false;
}

static void publish_line(struct domain *d, const struct msi_request *req, const struct msi_place *place, unsigned first,
                         unsigned i, uint8_t vector, uint8_t cpu)
{
    struct irq_line *l = &irq_lines[first + i];
    const unsigned long flags = spin_lock_irq(&l->lock);

    l->kind = req->msix ? LINE_MSIX : LINE_MSI;
    l->level = l->active_low = false;
    l->vector = (uint8_t)(vector + i);
    l->cpu = cpu;
    l->guest = d;
    l->count = l->stray = 0;
    l->msi = *place;
    l->msi.first = (uint16_t)first;
    l->msi.entry = (uint16_t)(req->msix ? req->entry : i);
    if (i == 0)
        msi_program(l);
    msi_set_mask(l, true);
    spin_unlock_irq(&l->lock, flags);
}

int pirq_map_msi(struct domain *d, const struct msi_request *req, int *want)
{
    struct msi_place place;
    uint8_t cpu, vector;

    if (!d->privileged)
        return -EPERM;
    spin_lock(&map_lock);
    int rc = msi_taken(req) ? -EBUSY : msi_locate(req, &place);
    if (rc != 0)
        goto unlock;
    const unsigned first = find_lines(*want, req->count);
    rc = *want < 0 ? -ENOSPC : -EBUSY;
    if (first == LINE_NONE)
        goto unlock;
    rc = -ENOSPC;
    vector = vector_alloc(first, req->count, &cpu);
    if (vector == 0)
        goto unlock;
    for (unsigned i = 0; i < req->count; i++)
        publish_line(d, req, &place, first, i, vector, cpu);
    *want = (int)first;
    rc = 0;
unlock:
    spin_unlock(&map_lock);
    return rc;
}

/* Under map_lock: is any line of the block in the hands of event/? */
static bool block_bound(const struct irq_line *l)
{
    for (unsigned i = 0; i < l->msi.count; i++)
        if (READ_ONCE(irq_lines[l->msi.first + i].port) != 0)
            return true;
    return false;
}

/* Under map_lock: I2. The device is told first, so that the vectors are free when they are given back. */
static void retire_block(struct irq_line *any)
{
    const struct msi_place place = any->msi;
    const uint8_t cpu = irq_lines[place.first].cpu, vector = irq_lines[place.first].vector;

    msi_retire(&irq_lines[place.first]);
    for (unsigned i = 0; i < place.count; i++) {
        struct irq_line *l = &irq_lines[place.first + i];
        const unsigned long flags = spin_lock_irq(&l->lock);
        silence(l);
        l->kind = LINE_ABSENT;
        l->guest = NULL;
        l->vector = 0;
        spin_unlock_irq(&l->lock, flags);
    }
    vector_free(cpu, vector, place.count);
}

/* Under map_lock. */
static void unmap_gsi(struct irq_line *l)
{
    const unsigned long flags = spin_lock_irq(&l->lock);

    silence(l);
    l->guest = NULL;
    spin_unlock_irq(&l->lock, flags);
}

int pirq_unmap(struct domain *d, unsigned pirq)
{
    int rc = -EINVAL;

    spin_lock(&map_lock);
    struct irq_line *l = line_of(pirq);
    if (!l || l->guest != d)
        goto unlock;
    rc = -EBUSY;
    if (l->kind == LINE_GSI ? l->port != 0 : block_bound(l))
        goto unlock;
    if (l->kind == LINE_GSI)
        unmap_gsi(l);
    else
        retire_block(l);
    rc = 0;
unlock:
    spin_unlock(&map_lock);
    return rc;
}

int pirq_restore_msi(uint8_t bus, uint8_t devfn)
{
    int rc = -ESRCH;

    spin_lock(&map_lock);
    for (unsigned i = MAX_GSI; i < NR_LINES; i++) {
        struct irq_line *l = &irq_lines[i];
        if (l->kind == LINE_ABSENT || l->msi.bus != bus || l->msi.devfn != devfn)
            continue;
        const unsigned long flags = spin_lock_irq(&l->lock);
        if (l->msi.first == i)
            msi_program(l);
        msi_set_mask(l, !l->enabled);
        spin_unlock_irq(&l->lock, flags);
        rc = 0;
    }
    spin_unlock(&map_lock);
    return rc;
}

void pirq_domain_relinquish(struct domain *d)
{
    spin_lock(&map_lock);
    for (unsigned i = 0; i < NR_LINES; i++) {
        struct irq_line *l = &irq_lines[i];
        if (l->guest != d)
            continue;
        if (l->kind == LINE_GSI)
            unmap_gsi(l);
        else
            retire_block(l);
    }
    spin_unlock(&map_lock);
}
