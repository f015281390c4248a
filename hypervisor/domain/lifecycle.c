/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lifecycle.c - pause, shut down, crash, resume, kill
 *
 *   I1  pause counts nest; a domain runs only while its own count and each vCPU's are 0 (sched/ vcpu_runnable).
 *   I2  is_shut_down follows is_shutting_down only when every vCPU has left its CPU, so that whoever sees it may read
 *       registers and memory.
 *   I3  kill goes through its stages in order, each idempotent and preemptible; kill_stage remembers where it was.
 */
#include <string.h>
#include <xen/sched.h>
#include <xen/xen.h>

#include "boot/boot_info.h"
#include "cpu/dump.h"
#include "domain/deferred.h"
#include "domain/domain.h"
#include "event/event.h"
#include "grant/grant.h"
#include "hv_errno.h"
#include "irq/irq.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"
#include "print.h"
#include "sched/sched.h"
#include "softirq.h"
#include "time/time.h"

/* ---- pause ---- */

void vcpu_pause_nosync(struct vcpu *v)
{
    atomic_fetch_add(&v->pause_count, 1);
    vcpu_sleep_nosync(v);
}

void vcpu_pause(struct vcpu *v)
{
    atomic_fetch_add(&v->pause_count, 1);
    vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    if (atomic_fetch_sub(&v->pause_count, 1) == 1)
        vcpu_wake(v);
}

void domain_pause_nosync(struct domain *d)
{
    atomic_fetch_add(&d->pause_count, 1);
    domain_for_each_vcpu(d, v)
        vcpu_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
    domain_pause_nosync(d);
    domain_for_each_vcpu(d, v)
        vcpu_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
    if (atomic_fetch_sub(&d->pause_count, 1) != 1)
        return;
    domain_for_each_vcpu(d, v)
        vcpu_wake(v);
}

void domain_controller_pause(struct domain *d)
{
    bool first;
    spin_lock(&d->lock);
    first = d->controller_pause_count++ == 0;
    spin_unlock(&d->lock);
    if (first)
        domain_pause(d);
}

int domain_controller_unpause(struct domain *d)
{
    bool run;
    spin_lock(&d->lock);
    if (d->controller_pause_count == 0) {
        spin_unlock(&d->lock);
        return -EINVAL;
    }
    run = --d->controller_pause_count == 0;
    d->creation_finished = true;
    spin_unlock(&d->lock);
    if (run)
        domain_unpause(d);
    return 0;
}

/* ---- shutdown ---- */

static NORETURN void machine_follows_dom0(uint8_t reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        pr_info("Dom0 halted: halting the machine\n");
        machine_halt();
    case SHUTDOWN_crash:
        pr_err("*** Dom0 crashed\n");
        if (cmdline_bool("noreboot", false)) {
            pr_err("*** halted (noreboot)\n");
            machine_halt();
        }
        pr_err("*** rebooting in 5 seconds\n");
        machine_reboot_after(5);
    case SHUTDOWN_watchdog:
        pr_err("*** Dom0's watchdog expired: rebooting the machine\n");
        machine_reboot();
    default:
        pr_info("Dom0 shut down (reason %u): rebooting the machine\n", reason);
        machine_reboot();
    }
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
    if (d == dom0)
        machine_follows_dom0(reason);

    spin_lock(&d->lock);
    if (d->shutdown_code == 255)
        d->shutdown_code = reason;
    const bool first = !d->is_shutting_down;
    WRITE_ONCE(d->is_shutting_down, true);
    domain_for_each_vcpu(d, v) {
        if (first)
            atomic_fetch_or(&v->pause_flags, VPF_SHUT);
    }
    spin_unlock(&d->lock);
    if (!first)
        return;
    domain_for_each_vcpu(d, v)
        vcpu_sleep_nosync(v);
    domain_shutdown_check(d);
}

void domain_shutdown_check(struct domain *d)
{
    bool complete = true;
    spin_lock(&d->lock);
    if (!d->is_shutting_down || d->is_shut_down)
        complete = false;
    domain_for_each_vcpu(d, v)
        complete = complete && !atomic_load(&v->sched.running);
    if (complete)
        WRITE_ONCE(d->is_shut_down, true);
    spin_unlock(&d->lock);
    if (complete && dom0)
        virq_send_global(dom0, VIRQ_DOM_EXC);
}

int domain_resume(struct domain *d)
{
    domain_pause(d);
    spin_lock(&d->lock);
    WRITE_ONCE(d->is_shutting_down, false);
    WRITE_ONCE(d->is_shut_down, false);
    d->shutdown_code = 255;
    domain_for_each_vcpu(d, v)
        atomic_fetch_and(&v->pause_flags, ~VPF_SHUT);
    spin_unlock(&d->lock);
    domain_unpause(d);
    return 0;
}

void domain_crash(struct domain *d, const char *why, ...)
{
    char msg[160];
    va_list ap;
    va_start(ap, why);
    hv_vsnprintf(msg, sizeof(msg), why, ap);
    va_end(ap);
    if (d == dom0)
        pr_err("d%d crashed: %s\n", d->id, msg);
    else
        printk_guest(d, LOG_WARNING, "d%d crashed: %s\n", d->id, msg);
    domain_dump_current(d);
    /* Locks may be held: nothing of the guest runs from here on, the rest is done by a softirq. */
    domain_for_each_vcpu(d, v)
        atomic_fetch_or(&v->pause_flags, VPF_SHUT);
    atomic_store(&d->crash_requested, true);
    domain_defer(d);
    softirq_raise(SOFTIRQ_SCHED);
}

/* ---- kill ---- */

static int kill_vcpus(struct domain *d)
{
    domain_for_each_vcpu(d, v) {
        int rc = pt_finish_pending(v);
        if (!rc)
            rc = pt_drop_roots(v);
        if (rc)
            return rc;
        vcpu_drop_gdt(v);
        vcpu_drop_info(v);
    }
    return 0;
}

static int kill_pirqs(struct domain *d)
{
    pirq_domain_relinquish(d);
    return 0;
}

/* I3: what still points into the domain goes first, its memory last. */
static int (*const kill_stages[])(struct domain *d) = {
    evtchn_domain_relinquish,
    kill_pirqs,
    grant_domain_relinquish,
    kill_vcpus,
    domain_mm_relinquish,
};

int domain_kill(struct domain *d)
{
    if (d == dom0)
        return -EPERM;
    spin_lock(&d->lock);
    const bool first = d->dying == DYING_NO;
    if (first)
        WRITE_ONCE(d->dying, DYING_RELINQUISH);
    spin_unlock(&d->lock);
    if (d->dying == DYING_DEAD)
        return 0;
    if (first)
        domain_pause(d);        /* never unpaused */
    for (; d->kill_stage < ARRAY_SIZE(kill_stages); d->kill_stage++) {
        const int rc = kill_stages[d->kill_stage](d);
        if (rc)
            return rc;
    }
    WRITE_ONCE(d->dying, DYING_DEAD);
    if (dom0)
        virq_send_global(dom0, VIRQ_DOM_EXC);
    domain_check_dead(d);
    return 0;
}
