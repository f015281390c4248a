/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sched.h - which vCPU runs where
 *
 * Weighted fair with caps and hard affinity; a run queue per CPU, work-conserving by stealing. The policy is plain
 * C on a virtual clock; switching contexts is entry/'s business.
 */
#ifndef PARAVANE_SCHED_H
#define PARAVANE_SCHED_H

#include "domain/domain.h"

void sched_init_cpu(unsigned cpu);
int sched_vcpu_create(struct vcpu *v);
void sched_vcpu_destroy(struct vcpu *v);
void sched_domain_create(struct domain *d);
/* Every vCPU of @d has been through sched_vcpu_destroy. */
void sched_domain_destroy(struct domain *d);

/* Queue @v if it is runnable now (a pause ended, it came up). Any context, any CPU; irq off inside. */
void vcpu_wake(struct vcpu *v);
/* End SCHEDOP_block or _poll: clear VPF_BLOCKED, then as vcpu_wake. Nothing to do when @v is not blocked. */
void vcpu_unblock(struct vcpu *v);
/* The upcall flag of @v has just been set (a full barrier): unblock it, or make its CPU leave the guest and look. */
void vcpu_kick(struct vcpu *v);
/* @v may have become not runnable: take it off its queue, or make its CPU reschedule. Does not wait. */
void vcpu_sleep_nosync(struct vcpu *v);
/* The same, then wait until it is off its CPU and its registers are in v->cpu.regs. Not for current. */
void vcpu_sleep_sync(struct vcpu *v);
bool vcpu_runnable(const struct vcpu *v);

/* ABI SCHEDOP_yield, _block, _poll (the caller returns to its exit path, which reschedules). */
void vcpu_yield(struct vcpu *v);
/* Unmasks events; blocks unless one is pending. */
void vcpu_block(struct vcpu *v);
/* ABI SCHEDOP_poll: ports already copied in and bounded (nr <= 128). 0 or -EINVAL. */
int vcpu_poll(struct vcpu *v, const uint32_t *ports, unsigned nr, uint64_t timeout_ns);

/*
 * SOFTIRQ_SCHED on this CPU: account for @prev (NULL: idle), choose the next (NULL: idle) and arm the slice. entry/ performs the switch:
 * context_switch(prev, next).
 */
struct vcpu *sched_choose(unsigned cpu, struct vcpu *prev, uint64_t now);
/* Called by entry/ when @prev's registers are saved and it may be picked up by another CPU. */
void sched_switched_out(struct vcpu *prev);

/* ABI domctl affinity and scheduler_op (credit2 view); masks bounded by the caller to online CPUs. */
int sched_set_affinity(struct vcpu *v, cpumask_t hard, cpumask_t soft);
int sched_set_params(struct domain *d, unsigned weight, unsigned cap);
/* CPU time used so far, ns, and the ABI's runstate, accurate now. */
uint64_t sched_vcpu_cpu_time(struct vcpu *v);
uint64_t sched_idle_time(unsigned cpu);
void sched_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
/* The record as of the last change of state, which is what the guest's own copy holds. */
void sched_runstate_snapshot(struct vcpu *v, struct vcpu_runstate_info *out);
void sched_dump(void);
/* Recompute: each runnable vCPU is queued once or runs; each queued one is runnable. BUGs on our own mistakes. */
void sched_audit(void);

#endif
