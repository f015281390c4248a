/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * softirq.c - pending bits in cpu_info, handlers in one table
 */
#include "softirq.h"

#include "console/console.h"
#include "cpu/cpu.h"
#include "entry/current.h"
#include "machine.h"
#include "sched/sched.h"
#include "time/timer.h"

void timer_softirq(void);       /* time/timer.c */
void domain_rcu_softirq(void);  /* domain/domain.c */
void console_keys_softirq(void);/* console/ */

static void sched_softirq(void)
{
    struct cpu_info *info = this_cpu_info();
    struct vcpu *prev = info->current, *next = sched_choose(info->cpu, prev, machine_now());
    if (next != prev)
        context_switch(prev, next);
}

static void (*const handler[SOFTIRQ_COUNT])(void) = {
    [SOFTIRQ_TIMER] = timer_softirq,
    [SOFTIRQ_SCHED] = sched_softirq,
    [SOFTIRQ_RCU] = domain_rcu_softirq,
    [SOFTIRQ_KEYS] = console_keys_softirq,
};

void softirq_raise(enum softirq nr)
{
    atomic_fetch_or(&this_cpu_info()->softirq, 1u << nr);
}

void softirq_raise_on(unsigned cpu, enum softirq nr)
{
    struct cpu_info *info = cpu_info_of(cpu);
    const uint32_t old = atomic_fetch_or(&info->softirq, 1u << nr);
    if (!(old & (1u << nr)) && cpu != this_cpu())
        machine_kick(cpu);
}

bool softirq_pending(unsigned cpu)
{
    return atomic_load_explicit(&cpu_info_of(cpu)->softirq, memory_order_relaxed) != 0;
}

void softirq_run(void)
{
    struct cpu_info *info = this_cpu_info();
    uint32_t bits;
    while ((bits = atomic_load_explicit(&info->softirq, memory_order_relaxed)) != 0) {
        const unsigned nr = (unsigned)__builtin_ctz(bits);
        atomic_fetch_and(&info->softirq, ~(1u << nr));
        handler[nr]();
    }
}

bool machine_preempt_pending(void)
{
    const struct cpu_info *info = this_cpu_info();
    if (!info->current)
        return false;           /* boot: nobody to make way for */
    return atomic_load_explicit(&((struct cpu_info *)(uintptr_t)info)->softirq, memory_order_relaxed) != 0 ||
           (READ_ONCE(info->current->info->evtchn_upcall_pending) &&
            !READ_ONCE(info->current->info->evtchn_upcall_mask));
}
