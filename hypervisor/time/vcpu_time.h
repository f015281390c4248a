/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vcpu_time.h - time's part of a vCPU and of a domain; timers and their queue are in time/timer.h */
#ifndef PARAVANE_VCPU_TIME_H
#define PARAVANE_VCPU_TIME_H

#include "time/timer.h"
#include "types.h"

struct vcpu_time {
    struct timer singleshot, periodic, poll;
    uint64_t period_ns, next_period;
    gva_t time_area;            /* VCPUOP_register_vcpu_time_memory_area; 0: none */
    bool time_area_pending;
    uint32_t stamp_generation;  /* of the calibration last published */
};

struct domain_time {
    int64_t offset_seconds;     /* domctl settimeoffset */
    bool vtsc;                  /* rdtsc is emulated (CR4.TSD while it runs) */
    uint32_t tsc_mode, tsc_khz, incarnation;
    int64_t vtsc_offset;        /* ns; guest time = now - offset */
};

#endif
