/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit.c - what must happen before a guest runs again, and the idle loop
 *
 * Order (ABI: abi-map 3.5): softirqs, a pending exception, NMI, an event. Each of these may change `current`, so the
 * loop starts over until one pass with interrupts off finds nothing.
 */
#include "cpu/cpu.h"
#include "entry/current.h"
#include "event/event.h"
#include "mm/frame_alloc.h"
#include "softirq.h"

static bool handle_one(struct cpu_info *info, struct vcpu *v)
{
    if (atomic_load_explicit(&info->softirq, memory_order_relaxed)) {
        irq_enable();
        softirq_run();
        irq_disable();
        return true;
    }
    if (v->cpu.trap_pending) {
        irq_enable();
        bounce_pending_trap(v, &info->regs);
        irq_disable();
        return true;
    }
    if (v->cpu.nmi_pending && !v->cpu.nmi_masked) {
        v->cpu.nmi_pending = false;
        v->cpu.nmi_masked = true;
        guest_inject_trap(v, X86_TRAP_NMI, 0);
        return true;
    }
    if (vcpu_event_deliverable(v)) {
        irq_enable();
        bounce_event(v, &info->regs);
        irq_disable();
        return true;
    }
    return false;
}

static void idle_once(struct cpu_info *info)
{
    if (atomic_load_explicit(&info->softirq, memory_order_relaxed)) {
        irq_enable();
        softirq_run();
    } else if (frame_scrub_wanted()) {
        irq_enable();
        frame_scrub_some();
    } else {
        asm volatile("sti; hlt" : : : "memory");    /* sti's shadow closes the race with a kick */
    }
    irq_disable();
}

void exit_work(void)
{
    struct cpu_info *info = this_cpu_info();
    for (;;) {
        struct vcpu *v = info->current;
        if (!v)
            idle_once(info);
        else if (!handle_one(info, v))
            return;
    }
}
