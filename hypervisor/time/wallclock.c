/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wallclock.c - seconds since 1970 at system time 0, and every domain's copy of it
 *
 * ABI: xen.h shared_info.wc_*: wall time is wc_sec.wc_nsec plus system time; a domain may have an offset in seconds
 * (domctl settimeoffset). Written with the version protocol of vcpu_time_info.
 */
#include "time/time.h"

#include "lock.h"
#include "machine.h"

#define NS_PER_SEC 1000000000UL

static spinlock_t wc_lock = SPINLOCK_INIT(WALLCLOCK);
/* under wc_lock, as is the writing of any copy */
static uint64_t wc_sec;
static uint32_t wc_nsec;

void time_domain_create(struct domain *d)
{
    d->time.tsc_khz = tsc_clock.khz;
    d->time.vtsc_offset = (int64_t)machine_now();
    wallclock_publish(d);
}

void wallclock_publish(struct domain *d)
{
    spin_lock(&wc_lock);
    struct shared_info *s = d->shared_info;
    if (!s) {
        spin_unlock(&wc_lock);
        return;
    }
    const uint64_t sec = wc_sec + (uint64_t)d->time.offset_seconds;
    const uint32_t odd = READ_ONCE(s->wc_version) | 1;
    __atomic_store_n(&s->wc_version, odd, __ATOMIC_RELAXED);
    __atomic_store_n(&s->wc_sec, (uint32_t)sec, __ATOMIC_RELEASE);
    __atomic_store_n(&s->wc_sec_hi, (uint32_t)(sec >> 32), __ATOMIC_RELEASE);
    __atomic_store_n(&s->wc_nsec, wc_nsec, __ATOMIC_RELEASE);
    __atomic_store_n(&s->wc_version, odd + 1, __ATOMIC_RELEASE);
    spin_unlock(&wc_lock);
}

void wallclock_forget(struct domain *d)
{
    spin_lock(&wc_lock);
    d->shared_info = NULL;
    spin_unlock(&wc_lock);
}

void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t system_time)
{
    /* Modular arithmetic: Dom0 may set a time before the machine's start, and no value may trap. */
    const uint64_t ns = nsec % NS_PER_SEC, up_ns = system_time % NS_PER_SEC;
    const bool borrow = ns < up_ns;

    spin_lock(&wc_lock);
    wc_sec = sec + nsec / NS_PER_SEC - system_time / NS_PER_SEC - borrow;
    wc_nsec = (uint32_t)(ns + (borrow ? NS_PER_SEC : 0) - up_ns);
    spin_unlock(&wc_lock);

    struct domain *d;
    for (unsigned id = 0; id < MAX_DOMID && (d = domain_lookup_from((domid_t)id)) != NULL; ) {
        wallclock_publish(d);
        id = d->id + 1u;
        domain_put(d);
    }
}

void wallclock_init(uint64_t sec_now)
{
    wallclock_set(sec_now, 0, machine_now());
}

void wallclock_get(uint64_t *sec, uint32_t *nsec)
{
    spin_lock(&wc_lock);
    *sec = wc_sec;
    *nsec = wc_nsec;
    spin_unlock(&wc_lock);
}
