/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvclock.c - the guest's clock: TSC arithmetic and vcpu_time_info
 *
 * The tuple is the same for all vCPUs of a domain and changes only with a calibration or the domain's TSC mode. So it
 * is not rewritten at every switch; it is compared, with four loads, and repaired when the guest's copy differs: a
 * toolstack that clears or restores shared_info needs no notice (abi-map pitfall 18), and a guest that spoils its
 * copy gets it back at the next switch.
 *
 * ABI: xen.h vcpu_time_info; abi-map 5.1.
 */
#include "time/time.h"

#include "hv_errno.h"
#include "machine.h"
#include "mm/dirty_log.h"
#include "time/areas.h"

struct tsc_clock tsc_clock;

void tsc_scale_from_hz(uint64_t hz, uint32_t *mul, int8_t *shift)
{
    int8_t s = 0;

    while (hz > 2000000000UL) {
        hz >>= 1;
        s--;
    }
    while (hz <= 1000000000UL) {
        hz <<= 1;
        s++;
    }
    *shift = s;
    *mul = (uint32_t)((1000000000UL << 32) / hz);
}

uint64_t tsc_scale(uint64_t delta, uint32_t mul, int8_t shift)
{
    const uint64_t d = shift < 0 ? delta >> -shift : delta << shift;

    return (uint64_t)(((unsigned __int128)d * mul) >> 32);
}

uint64_t tsc_unscale(uint64_t ns, uint32_t mul, int8_t shift)
{
    /* ceil((ns << 32) / mul) as a long division: a 96-bit dividend. Rounding up makes the way back exact. */
    const uint64_t high = ns / mul, rest = ((ns % mul) << 32) + (mul - 1);
    const uint64_t d = (high << 32) + rest / mul;

    return shift < 0 ? d << -shift : d >> shift;
}

void time_tuple(const struct domain *d, struct vcpu_time_info *t)
{
    *t = (struct vcpu_time_info){ 0 };
    if (d->time.vtsc) {
        t->system_time = (uint64_t)d->time.vtsc_offset; /* may be "negative": the guest's sum wraps back */
        t->tsc_to_system_mul = d->time.vtsc_mul;
        t->tsc_shift = d->time.vtsc_shift;
    } else {
        t->tsc_timestamp = tsc_clock.tsc_base;
        t->system_time = tsc_clock.ns_base;
        t->tsc_to_system_mul = tsc_clock.mul;
        t->tsc_shift = tsc_clock.shift;
        t->flags = tsc_clock.stable ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    }
}

static bool tuple_matches(const struct vcpu_time_info *now, const struct vcpu_time_info *want)
{
    return READ_ONCE(now->tsc_timestamp) == want->tsc_timestamp && READ_ONCE(now->system_time) == want->system_time &&
           READ_ONCE(now->tsc_to_system_mul) == want->tsc_to_system_mul &&
           READ_ONCE(now->tsc_shift) == want->tsc_shift && READ_ONCE(now->flags) == want->flags &&
           !(READ_ONCE(now->version) & 1);
}

/* Each store is a release: the odd version comes before all of them, the even one after. */
static void tuple_write(struct vcpu_time_info *to, const struct vcpu_time_info *t)
{
    const uint32_t odd = READ_ONCE(to->version) | 1;    /* whatever it was: it only has to change, and end even */

    __atomic_store_n(&to->version, odd, __ATOMIC_RELAXED);
    __atomic_store_n(&to->tsc_timestamp, t->tsc_timestamp, __ATOMIC_RELEASE);
    __atomic_store_n(&to->system_time, t->system_time, __ATOMIC_RELEASE);
    __atomic_store_n(&to->tsc_to_system_mul, t->tsc_to_system_mul, __ATOMIC_RELEASE);
    __atomic_store_n(&to->tsc_shift, t->tsc_shift, __ATOMIC_RELEASE);
    __atomic_store_n(&to->flags, t->flags, __ATOMIC_RELEASE);
    __atomic_store_n(&to->version, odd + 1, __ATOMIC_RELEASE);
}

void time_publish(struct vcpu *v)
{
    struct vcpu_time_info t;

    time_tuple(v->domain, &t);
    tuple_write(&v->info->time, &t);
    if (!mfn_eq(v->info_mfn, MFN_INVALID))
        dirty_log_mark(v->domain, v->info_mfn);
}

bool time_publish_if_stale(struct vcpu *v)
{
    struct vcpu_time_info t;

    time_tuple(v->domain, &t);
    if (likely(tuple_matches(&v->info->time, &t)))
        return false;
    time_publish(v);
    return true;
}
