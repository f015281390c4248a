/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsc_mode.c - native or emulated TSC of a domain (abi-map 5.4)
 *
 * System time itself is computed from the TSC, so a machine that runs us at all has one that is good enough for
 * guests; the default mode emulates only for a domain that comes from a machine of another frequency. Two
 * calibrations of equal machines differ a little, hence the tolerance.
 */
#include "time/time.h"

#include "hv_errno.h"
#include "machine.h"

#define MODE_DEFAULT 0
#define MODE_ALWAYS_EMULATE 1
#define MODE_NEVER_EMULATE 2

#define KHZ_MAX 100000000u              /* 100 GHz: bound of tsc_scale_from_hz */

static bool frequency_differs(uint32_t khz)
{
    const uint32_t host = tsc_clock.khz, diff = khz > host ? khz - host : host - khz;

    return diff > host / 4096;
}

int domain_set_tsc_info(struct domain *d, uint32_t mode, uint64_t elapsed_ns, uint32_t khz, uint32_t incarnation)
{
    struct domain_time *t = &d->time;

    if (mode > MODE_NEVER_EMULATE || khz > KHZ_MAX)
        return -EINVAL;
    if (d->privileged)
        return 0;                                       /* ABI: always native, the call does nothing */
    t->tsc_mode = mode;
    t->tsc_khz = khz ? khz : tsc_clock.khz;
    t->incarnation = incarnation + 1;
    t->vtsc_offset = (int64_t)(machine_now() - elapsed_ns);
    t->vtsc = mode == MODE_ALWAYS_EMULATE || (mode == MODE_DEFAULT && khz && frequency_differs(khz));
    if (t->vtsc)
        tsc_scale_from_hz(t->tsc_khz * 1000UL, &t->vtsc_mul, &t->vtsc_shift);
    return 0;
}

void domain_get_tsc_info(struct domain *d, uint32_t *mode, uint64_t *elapsed_ns, uint32_t *khz, uint32_t *incarnation)
{
    const struct domain_time *t = &d->time;
    const bool never = t->tsc_mode == MODE_NEVER_EMULATE;

    *mode = t->tsc_mode;
    *incarnation = t->incarnation;
    *elapsed_ns = never ? 0 : machine_now() - (uint64_t)t->vtsc_offset;
    *khz = never ? 0 : t->tsc_khz;
}

uint64_t guest_rdtsc(struct vcpu *v)
{
    const struct domain_time *t = &v->domain->time;
    const uint64_t now = machine_now();

    if (!t->vtsc)
        return tsc_clock.tsc_base + tsc_unscale(now - tsc_clock.ns_base, tsc_clock.mul, tsc_clock.shift);
    return tsc_unscale(now - (uint64_t)t->vtsc_offset, t->vtsc_mul, t->vtsc_shift);
}
