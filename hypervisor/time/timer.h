/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timer.h - one-shot timers, one queue per CPU
 *
 * A handler runs from SOFTIRQ_TIMER on the timer's CPU, with no locks held and interrupts on. A timer may be set,
 * stopped and moved from anywhere; timer_kill waits for a running handler.
 */
#ifndef PARAVANE_TIMER_H
#define PARAVANE_TIMER_H

#include "types.h"

struct timer {
    uint64_t expires;           /* machine_now() time; ~0: not set */
    void (*handler)(void *data);
    void *data;
    unsigned cpu;
    unsigned heap_index;        /* 0: not queued */
    bool running, dead;
};

void timer_init(struct timer *t, unsigned cpu, void (*handler)(void *data), void *data);
/* Replaces an earlier deadline. A deadline in the past fires at the next softirq. */
void timer_set(struct timer *t, uint64_t expires);
void timer_stop(struct timer *t);
void timer_migrate(struct timer *t, unsigned cpu);
void timer_kill(struct timer *t);

/* The hardware timer fired on this CPU (interrupt context): raise SOFTIRQ_TIMER. */
void timer_interrupt(void);
void timer_init_cpu(unsigned cpu);

#endif
