/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vector.c - which line a vector of a CPU stands for
 *
 * Vectors are handed out round robin over the CPUs, so that interrupts spread; the fifteen lowest are left to the
 * PICs' spurious interrupts.
 *
 *   I1  owner[cpu][v] == l  <=>  line l's vector is v on that CPU (irq_audit()).
 *
 * The table is read in interrupt context without the lock: an entry is published before the controller can use it
 * and withdrawn after the controller was told to stop; a late interrupt finds LINE_NONE and is acknowledged.
 */
#include "irq/line.h"

#include "cpu/apic.h"
#include "irq/chip.h"
#include "machine.h"

#define FIRST_VECTOR (VECTOR_FIRST_LINE + 16)

static spinlock_t lock = SPINLOCK_INIT(APIC);
/* under lock for writers; line number + 1, 0 is free */
static uint16_t owner[MAX_CPUS][256];
static unsigned next_cpu;

static bool block_free(unsigned cpu, unsigned vector, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (owner[cpu][vector + i] != 0)
            return false;
    return true;
}

/* 0: no room on this CPU. */
static unsigned find_block(unsigned cpu, unsigned count)
{
    for (unsigned v = ROUND_UP(FIRST_VECTOR, count); v + count - 1 <= VECTOR_LAST_LINE; v += count)
        if (block_free(cpu, v, count))
            return v;
    return 0;
}

uint8_t vector_alloc(unsigned first, unsigned count, uint8_t *cpu)
{
    const cpumask_t online = machine_online_cpus();
    unsigned found = 0;
    const unsigned long flags = spin_lock_irq(&lock);

    for (unsigned tries = 0; tries < MAX_CPUS && found == 0; tries++) {
        const unsigned c = next_cpu;
        next_cpu = (next_cpu + 1) % MAX_CPUS;
        if (!cpumask_test(online, c) || chip_cpu_dest(c) > 0xff)
            continue;
        found = find_block(c, count);
        for (unsigned i = 0; found != 0 && i < count; i++)
            WRITE_ONCE(owner[c][found + i], (uint16_t)(first + i + 1));
        *cpu = (uint8_t)c;
    }
    spin_unlock_irq(&lock, flags);
    return (uint8_t)found;
}

void vector_free(uint8_t cpu, uint8_t vector, unsigned count)
{
    const unsigned long flags = spin_lock_irq(&lock);

    for (unsigned i = 0; i < count; i++)
        WRITE_ONCE(owner[cpu][vector + i], 0);
    spin_unlock_irq(&lock, flags);
}

unsigned vector_line(unsigned cpu, uint8_t vector)
{
    const unsigned o = READ_ONCE(owner[cpu][vector]);

    return o == 0 ? LINE_NONE : o - 1;
}
