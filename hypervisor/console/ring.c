/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.c - the log kept in memory for `xl dmesg`, and the lock of everything that prints
 *
 * Indexes run freely over 32 bits; a byte's place is its index modulo the size.
 *
 *   I1  0 <= producer - consumer <= RING_SIZE at every moment the lock is free.
 *   I2  one byte, '\0', never enters: readers treat the log as text.
 *
 * ABI: sysctl.h xen_sysctl_readconsole.
 */
#include "console/console.h"

#include "lock.h"
#include "machine.h"

#define RING_SIZE (64u * 1024)
_Static_assert((RING_SIZE & (RING_SIZE - 1)) == 0, "the index is masked");

static char ring[RING_SIZE];
static uint32_t consumer, producer;             /* under lock */
static spinlock_t lock = SPINLOCK_INIT(CONSOLE);
static bool broken;                             /* set once, by a CPU that will not return */

unsigned long console_lock(void)
{
    return READ_ONCE(broken) ? machine_irq_save() : spin_lock_irq(&lock);
}

void console_unlock(unsigned long flags)
{
    if (READ_ONCE(broken))
        machine_irq_restore(flags);
    else
        spin_unlock_irq(&lock, flags);
}

void console_break_lock(void)
{
    WRITE_ONCE(broken, true);
}

void console_ring_put(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\0')                                       /* I2 */
            continue;
        ring[producer++ % RING_SIZE] = s[i];
        if (producer - consumer > RING_SIZE)                    /* I1: the oldest byte is overwritten */
            consumer = producer - RING_SIZE;
    }
}

size_t console_ring_read(uint32_t *index, char *buf, size_t n, bool clear, bool incremental)
{
    const unsigned long flags = console_lock();
    uint32_t at = consumer;
    size_t done = 0;

    /* A caller's index is believed only inside the log; signed distances survive the wrap of the counters. */
    if (incremental && (int32_t)(*index - consumer) > 0)
        at = (int32_t)(producer - *index) >= 0 ? *index : producer;

    while (at != producer && done < n)
        buf[done++] = ring[at++ % RING_SIZE];
    if (clear)
        consumer = at;
    *index = at;
    console_unlock(flags);
    return done;
}
