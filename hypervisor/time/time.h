/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * time.h - what guests know of time: pvclock, wall clock, vCPU timers, runstate
 *
 * ABI: xen.h vcpu_time_info, shared_info.wc_*, vcpu.h timers and areas.
 */
#ifndef PARAVANE_TIME_H
#define PARAVANE_TIME_H

#include "domain/domain.h"

/*
 * Set by cpu/ when the TSC is calibrated, before the first vCPU runs: system time = ns_base + scale(tsc - tsc_base).
 * One tuple for the whole machine, so what guests compute is what machine_now() says, to the nanosecond.
 */
struct tsc_clock {
    uint64_t tsc_base, ns_base;
    uint32_t mul;               /* ABI: tsc_to_system_mul */
    int8_t shift;               /* ABI: tsc_shift */
    uint32_t khz;
    bool stable;                /* invariant and synchronised: PVCLOCK_TSC_STABLE */
};
extern struct tsc_clock tsc_clock;
/* Fills mul/shift for a frequency in Hz, as the ABI defines them. Total for 1 kHz..100 GHz. */
void tsc_scale_from_hz(uint64_t hz, uint32_t *mul, int8_t *shift);
uint64_t tsc_scale(uint64_t delta, uint32_t mul, int8_t shift);
/* Inverse: a TSC delta that tsc_scale() turns into @ns, or into the nearest value below it that one does. */
uint64_t tsc_unscale(uint64_t ns, uint32_t mul, int8_t shift);

int time_vcpu_create(struct vcpu *v);
void time_vcpu_destroy(struct vcpu *v);
void time_domain_create(struct domain *d);

/* Write the pvclock tuple of @v into its vcpu_info with the version protocol. Any CPU, one at a time per vCPU. */
void time_publish(struct vcpu *v);
/*
 * @v runs on this CPU from now on (its state is RUNSTATE_running): publish if the guest's copy is not right, move its
 * timers here, write its areas. They are written at once if its kernel's tables are loaded (v->cpu.kernel_mode).
 */
void time_vcpu_switch_in(struct vcpu *v);
/* @v, current, leaves this CPU; its tables are still loaded, its runstate is already the new one. */
void time_vcpu_switch_out(struct vcpu *v);
/* The guest kernel's tables have been loaded again for current and v->time.areas_pending is set: write the areas. */
void time_kernel_entered(struct vcpu *v);

/* Wall clock: seconds and ns since 1970 at system time 0. */
void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t system_time);
void wallclock_init(uint64_t sec_now);
void wallclock_publish(struct domain *d);
/* @d's shared_info is about to be freed: nothing writes to it any more. */
void wallclock_forget(struct domain *d);

/* ABI VCPUOP timers; 0 or -errno as abi-map 2.9. */
int vcpu_set_singleshot(struct vcpu *v, uint64_t abs_ns, uint32_t flags);
void vcpu_stop_singleshot(struct vcpu *v);
int vcpu_set_periodic(struct vcpu *v, uint64_t period_ns);
void vcpu_stop_periodic(struct vcpu *v);
/* ABI set_timer_op. */
long vcpu_set_timer_op(struct vcpu *v, int64_t abs_ns);
/*
 * ABI register_runstate_memory_area, register_vcpu_time_memory_area: @area as given by the guest; the caller is a vCPU
 * of the same domain, in its kernel (not always @v). 0, or -EFAULT for a range that is not guest space.
 */
int vcpu_register_runstate(struct vcpu *v, gva_t area);
int vcpu_register_time_area(struct vcpu *v, gva_t area);

void wallclock_get(uint64_t *sec, uint32_t *nsec);

/* domctl settscinfo / gettscinfo (abi-map 5.4). */
int domain_set_tsc_info(struct domain *d, uint32_t mode, uint64_t elapsed_ns, uint32_t khz, uint32_t incarnation);
void domain_get_tsc_info(struct domain *d, uint32_t *mode, uint64_t *elapsed_ns, uint32_t *khz, uint32_t *incarnation);
/* The TSC as @v's guest reads it when emulated. */
uint64_t guest_rdtsc(struct vcpu *v);

#endif
