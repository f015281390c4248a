/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watchdog.c - a guest asks to be stopped if it does not say otherwise in time
 *
 * ABI: sched.h SCHEDOP_watchdog: id 0 asks for a new timer and returns its id; timeout 0 stops one.
 */
#include "domain/watchdog.h"

#include <xen/sched.h>

#include "heap.h"
#include "hv_errno.h"
#include "machine.h"
#include "print.h"

#define NR_WATCHDOGS 2

struct domain_watchdog {
    struct {
        struct timer timer;
        bool in_use;            /* under d->lock */
    } w[NR_WATCHDOGS];
};

static void expired(void *data)
{
    struct domain *d = data;
    printk_guest(d, LOG_WARNING, "d%d: watchdog expired\n", d->id);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

int watchdog_domain_create(struct domain *d)
{
    d->watchdogs = heap_alloc(sizeof(*d->watchdogs));
    if (!d->watchdogs)
        return -ENOMEM;
    for (unsigned i = 0; i < NR_WATCHDOGS; i++)
        timer_init(&d->watchdogs->w[i].timer, 0, expired, d);
    return 0;
}

void watchdog_domain_destroy(struct domain *d)
{
    for (unsigned i = 0; d->watchdogs && i < NR_WATCHDOGS; i++)
        timer_kill(&d->watchdogs->w[i].timer);
    heap_free(d->watchdogs);
    d->watchdogs = NULL;
}

long domain_watchdog_op(struct domain *d, gva_t arg)
{
    struct sched_watchdog req;
    long rc = -EINVAL;
    if (guest_copy_in(&req, arg, sizeof(req)))
        return -EFAULT;
    if (req.id > NR_WATCHDOGS)
        return -EINVAL;
    spin_lock(&d->lock);
    struct domain_watchdog *all = d->watchdogs;
    if (req.id) {
        if (all->w[req.id - 1].in_use) {
            all->w[req.id - 1].in_use = req.timeout != 0;
            rc = 0;
        }
    } else if (req.timeout) {
        rc = -ENOSPC;
        for (unsigned i = 0; i < NR_WATCHDOGS && rc < 0; i++) {
            if (!all->w[i].in_use) {
                all->w[i].in_use = true;
                rc = i + 1;
            }
        }
    }
    spin_unlock(&d->lock);
    if (rc < 0)
        return rc;
    struct timer *t = &all->w[(req.id ? req.id : (uint32_t)rc) - 1].timer;
    if (req.timeout)
        timer_set(t, machine_now() + req.timeout * 1000000000UL);
    else
        timer_stop(t);
    return rc;
}
