/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * softirq.h - deferred work of a CPU, done with interrupts on, on the way back to a guest or in the idle loop
 *
 * There is one hypervisor stack per CPU, not one per vCPU: nothing blocks in the middle of a hypercall. A call that
 * must wait marks the vCPU and raises SCHED; the switch happens when the call has returned.
 */
#ifndef PARAVANE_SOFTIRQ_H
#define PARAVANE_SOFTIRQ_H

#include "types.h"

enum softirq {
    SOFTIRQ_TIMER,      /* time/: run expired timers */
    SOFTIRQ_SCHED,      /* sched/: choose a vCPU */
    SOFTIRQ_RCU,        /* domain/: destroy what nobody references any more */
    SOFTIRQ_KEYS,       /* console/: handle debug keys */
    SOFTIRQ_COUNT
};

/* Any context. softirq_raise_on kicks the CPU when it is another one. */
void softirq_raise(enum softirq nr);
void softirq_raise_on(unsigned cpu, enum softirq nr);
bool softirq_pending(unsigned cpu);
/* Run everything pending on this CPU; interrupts on; called by entry/ and idle only. */
void softirq_run(void);

#endif
