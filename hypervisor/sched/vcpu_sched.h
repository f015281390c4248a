/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vcpu_sched.h - the scheduler's part of a vCPU and of a domain; private to sched/ but for what the comments name */
#ifndef PARAVANE_VCPU_SCHED_H
#define PARAVANE_VCPU_SCHED_H

#include "bitmap.h"
#include "list.h"
#include "types.h"

struct vcpu_sched {
    unsigned cpu;               /* readable by all: CPU whose queue the vCPU belongs to (last or current) */
    _Atomic bool running;       /* readable by all: is on a CPU now (registers live) */
    /* under RUNQ of cpu */
    struct list runq;
    bool queued;
    uint64_t vruntime;          /* weighted virtual time, ns */
    uint64_t slice_start;
    cpumask_t hard_affinity, soft_affinity;
    bool yielded, parked;       /* parked: out of cap until the period ends */
    uint64_t cap_used;
    /* runstate accounting (ABI: vcpu_runstate_info) */
    uint8_t state;              /* RUNSTATE_* */
    uint64_t state_since;
    uint64_t state_time[4];
};

struct domain_sched {
    uint16_t weight;            /* 1..65535, default 256 (ABI: credit2) */
    uint16_t cap;               /* per cent of one CPU, 0: none */
    uint64_t cap_period_start, cap_used;
};

#endif
