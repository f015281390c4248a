/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vcpu_sched.h - the scheduler's part of a vCPU and of a domain; private to sched/ but for what the comments name */
#ifndef PARAVANE_VCPU_SCHED_H
#define PARAVANE_VCPU_SCHED_H

#include "bitmap.h"
#include "list.h"
#include "time/timer.h"
#include "types.h"

struct vcpu_sched {
    /* readable by all; changes under RUNQ of the old value: CPU whose queue the vCPU belongs to (last or current) */
    _Atomic unsigned cpu;
    /* readable by all: its registers are on a CPU. Set by sched_choose, cleared by sched_switched_out, under RUNQ. */
    _Atomic bool running;
    /* under RUNQ of cpu */
    bool queued;                /* in that CPU's queue */
    bool parked;                /* out of cap until the period ends */
    struct list runq;
    uint64_t vruntime;          /* weighted virtual time, ns; compared within one queue only */
    uint64_t accounted;         /* while running: vruntime is right up to this moment */
    uint32_t weight;            /* as counted in the queue's load, while queued or current */
    cpumask_t hard_affinity, soft_affinity;
    /* runstate accounting (ABI: vcpu_runstate_info) */
    uint8_t state;              /* RUNSTATE_* */
    uint64_t state_since;
    uint64_t state_time[4];
    /* only the vCPU itself */
    bool yielded;
};

struct domain_sched {
    uint16_t weight;            /* 1..65535, default 256 (ABI: credit2) */
    uint16_t cap;               /* per cent of one CPU, 0: none */
    /* atomic */
    _Atomic int64_t cap_used;   /* CPU time used against the cap and not yet paid back by a period, ns */
    _Atomic bool cap_armed;     /* cap_timer is set, or its handler will decide */
    struct timer cap_timer;     /* pays one period's budget back */
};

#endif
