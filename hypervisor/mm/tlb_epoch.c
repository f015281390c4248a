/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb_epoch.c - which CPUs may still hold a translation that is gone from the tables
 *
 * One global epoch. Even: nobody was given this value as a stamp; odd: somebody was. A stamp makes it odd, a flush
 * makes it even again by adding one, so that it advances only when there is something to tell apart and a CR3 load
 * costs one read of a shared line in the common case.
 *
 *   I1  The epoch only grows.
 *   I2  A stamp is odd and read after the mapping was removed. A CPU's value is even and read before it flushes.
 *   I3  cpu_epoch > stamp implies: that CPU read the epoch after the stamp was given (the value did not exist
 *       before, I1), so its flush came after the removal. A flush that read its value earlier has at most
 *       stamp - 1.
 *
 * A CPU publishes its value a few instructions before the CR3 load, with interrupts off and without touching guest
 * memory in between: nobody can profit from the window (XSA-241: the order is read, publish, flush).
 */
#include "bug.h"
#include "limits.h"
#include "machine.h"
#include "mm/frame_alloc.h"

#define EPOCH_IDLE (~1UL)

static _Atomic uint64_t epoch = 2;
static struct {
    _Atomic uint64_t value;
} ALIGNED(64) cpu_epoch[MAX_CPUS];

uint64_t tlb_epoch_now(void)
{
    const uint64_t e = atomic_load(&epoch);

    return e & 1 ? e : atomic_fetch_or(&epoch, 1) | 1;
}

void tlb_epoch_flushed(unsigned cpu)
{
    uint64_t e = atomic_load(&epoch);

    if (e & 1) {
        /* On failure somebody else advanced it, and perhaps stamped again: then his odd value - 1 is what we may claim. */
        e = atomic_compare_exchange_strong(&epoch, &e, e + 1) ? e + 1 : e & ~1UL;
    }
    atomic_store(&cpu_epoch[cpu].value, e);
}

void tlb_epoch_idle(unsigned cpu) { atomic_store(&cpu_epoch[cpu].value, EPOCH_IDLE); }

void tlb_flush_since(uint64_t stamp)
{
    cpumask_t stale = { 0 };

    cpumask_for_each(cpu, machine_online_cpus()) {
        if (atomic_load(&cpu_epoch[cpu].value) <= stamp)
            stale.bits |= 1UL << cpu;
    }
    if (stale.bits)
        machine_flush_tlb_now(stale);
}
