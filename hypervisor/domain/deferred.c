/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deferred.c - the last steps of a domain, and crashes, from a softirq with no locks held
 *
 * The queue is a lock-free stack: anyone pushes, one CPU takes all of it at a time.
 *
 *   I1  a domain on the queue is not freed: the free happens here, when it is taken off with no reference left.
 *   I2  dead and without RAM (so its grants are unmapped by everybody, each mapping held a frame): shared_info goes;
 *       when nobody maps it, or a frame of the grant table, either, the existence reference goes.
 */
#include "domain/deferred.h"

#include <xen/sched.h>
#include <xen/xen.h>

#include "event/event.h"
#include "machine.h"
#include "softirq.h"

void domain_rcu_softirq(void);

static struct domain *_Atomic queue;

void domain_defer(struct domain *d)
{
    if (atomic_exchange(&d->deferred, true))
        return;
    struct domain *head = atomic_load(&queue);
    do
        d->deferred_next = head;
    while (!atomic_compare_exchange_weak(&queue, &head, d));
    softirq_raise(SOFTIRQ_RCU);
}

void domain_check_dead(struct domain *d)
{
    if (READ_ONCE(d->dying) == DYING_DEAD && !READ_ONCE(d->existence_dropped))
        domain_defer(d);
}

static void advance(struct domain *d)
{
    if (atomic_exchange(&d->crash_requested, false))
        domain_shutdown(d, SHUTDOWN_crash);
    if (d->dying != DYING_DEAD || d->existence_dropped)
        return;
    if (READ_ONCE(d->mm.tot_pages) == 0 && !d->shared_released) {
        d->shared_released = true;
        domain_release_shared(d);           /* I2 */
    }
    if (d->shared_released && READ_ONCE(d->mm.tot_pages) == 0 && READ_ONCE(d->mm.xenheap_pages) == 0) {
        d->existence_dropped = true;
        domain_put(d);
    }
}

void domain_rcu_softirq(void)
{
    struct domain *d = atomic_exchange(&queue, NULL), *next;
    for (; d; d = next) {
        next = d->deferred_next;
        /*
         * A reference of our own while we look; none left means only that the queue knew of it (I1). The flag is
         * cleared first: a push that comes now is a new one.
         */
        uint32_t refs = atomic_load(&d->refs);
        while (refs && !atomic_compare_exchange_weak(&d->refs, &refs, refs + 1))
            ;
        if (!refs) {
            domain_free(d);
            if (dom0)
                virq_send_global(dom0, VIRQ_DOM_EXC);
            continue;
        }
        atomic_store(&d->deferred, false);
        advance(d);
        domain_put(d);
    }
}
