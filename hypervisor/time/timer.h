/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timer.h - one-shot timers, one queue per CPU
 *
 * A handler runs from SOFTIRQ_TIMER on the timer's CPU, with no locks held and interrupts on. A timer may be set,
 * stopped and moved from any context; timer_kill waits for a running handler, so not from a handler of its own.
 */
#ifndef PARAVANE_TIMER_H
#define PARAVANE_TIMER_H

#include "types.h"

struct timer {
    /* fixed by timer_init */
    void (*handler)(void *data);
    void *data;
    /* under TIMER of cpu */
    _Atomic uint64_t expires;   /* machine_now() time; readable by all */
    _Atomic unsigned cpu;       /* readable by all; changes under both queues' locks */
    _Atomic bool queued;
    bool dead;
    struct timer *child, *next, *prev;  /* pairing heap; prev: left sibling, or the parent of a first child */
    _Atomic unsigned running;   /* handlers at work: more than one when it is set and moved meanwhile */
};

void timer_init(struct timer *t, unsigned cpu, void (*handler)(void *data), void *data);
/* Replaces an earlier deadline. A deadline in the past fires at the next softirq. No effect after timer_kill. */
void timer_set(struct timer *t, uint64_t expires);
void timer_stop(struct timer *t);
void timer_migrate(struct timer *t, unsigned cpu);
/* For ever. Harmless on a zeroed timer that was never initialised. */
void timer_kill(struct timer *t);

/* The hardware timer fired on this CPU (interrupt context): raise SOFTIRQ_TIMER. */
void timer_interrupt(void);
/* SOFTIRQ_TIMER on this CPU. */
void timer_softirq(void);
void timer_init_cpu(unsigned cpu);
/* Earliest deadline queued on @cpu, ~0 if none; for dumps and tests. */
uint64_t timer_next(unsigned cpu);
/* Recheck heap order, links and flags of every queue; BUGs on our own mistakes. */
void timer_audit(void);

#endif
