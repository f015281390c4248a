/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vcpu_time.h - time's part of a vCPU and of a domain; timers and their queue are in time/timer.h */
#ifndef PARAVANE_VCPU_TIME_H
#define PARAVANE_VCPU_TIME_H

#include "time/timer.h"
#include "types.h"

struct vcpu_time {
    struct timer singleshot, periodic, poll;
    _Atomic uint64_t period_ns, next_period;    /* set by any vCPU of the domain, read by the timer's handler */

    /*
     * Areas at addresses of the guest's kernel. They can be written only while its kernel tables are loaded; otherwise
     * areas_pending is set, and entry/ calls time_kernel_entered() on the way back to the guest's kernel.
     */
    gva_t time_area;            /* VCPUOP_register_vcpu_time_memory_area; 0: none */
    gva_t runstate_area;        /* VCPUOP_register_runstate_memory_area; 0: none */
    uint32_t area_version;
    bool areas_pending;         /* readable by entry.S: call time_kernel_entered() */
    bool time_area_stale, runstate_stale;
};

struct domain_time {
    int64_t offset_seconds;     /* domctl settimeoffset */
    bool vtsc;                  /* rdtsc is emulated (CR4.TSD while it runs) */
    uint32_t tsc_mode, tsc_khz, incarnation;
    uint32_t vtsc_mul;          /* of tsc_khz, when vtsc */
    int8_t vtsc_shift;
    int64_t vtsc_offset;        /* ns; the guest's TSC is 0 at this system time */
};

#endif
