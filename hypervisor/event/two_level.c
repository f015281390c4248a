/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * two_level.c - the 2-level ABI: a bit a port, a selector bit for each 64 of them
 *
 * ABI: xen.h shared_info, vcpu_info. In this order, each step an atomic exchange that goes on only at a 0 -> 1
 * transition: pending bit, (if not masked) selector bit, upcall flag. The guest goes the other way round: it clears the
 * flag, then the selector, then scans pending words, so what is set after its read finds 0 in an outer flag and sets it
 * again. See deliver.c for why nothing is lost without a lock.
 *
 * A delivery that began while the domain was on the FIFO ABI may arrive here with a port that has no bit: it is dropped,
 * all ports were closed before the domain came back.
 */
#include "event/evtchn.h"

#include "mm/dirty_log.h"

static bool has_bit(uint32_t port) { return port < EVTCHN_2L_NR_CHANNELS; }

static void select_word(struct vcpu *v, unsigned word)
{
    if (!bitmap_atomic_set(&v->info->evtchn_pending_sel, word))
        evtchn_upcall(v);
    if (!mfn_eq(v->info_mfn, MFN_INVALID))
        dirty_log_mark(v->domain, v->info_mfn);         /* guest memory, marked after the write; shared_info has its own record */
}

static void notify(struct domain *d, uint32_t port, const struct evtchn *c)
{
    struct vcpu *v = domain_vcpu(d, atomic_load_explicit(&c->vcpu, memory_order_relaxed));

    if (v)
        select_word(v, port / 64);
}

bool two_level_raise(struct domain *d, uint32_t port, const struct evtchn *c)
{
    struct shared_info *s = d->shared_info;

    if (!has_bit(port) || bitmap_atomic_set(s->evtchn_pending, port))
        return false;
    if (!bitmap_test(s->evtchn_mask, port))
        notify(d, port, c);
    return true;
}

void two_level_unmask(struct domain *d, uint32_t port, const struct evtchn *c)
{
    struct shared_info *s = d->shared_info;

    if (has_bit(port) && bitmap_atomic_clear(s->evtchn_mask, port) && bitmap_test(s->evtchn_pending, port))
        notify(d, port, c);
}

bool two_level_pending(struct domain *d, uint32_t port)
{
    return has_bit(port) && bitmap_test(d->shared_info->evtchn_pending, port);
}

bool two_level_masked(struct domain *d, uint32_t port)
{
    return !has_bit(port) || bitmap_test(d->shared_info->evtchn_mask, port);
}

bool two_level_clear(struct domain *d, uint32_t port)
{
    return has_bit(port) && bitmap_atomic_clear(d->shared_info->evtchn_pending, port);
}
