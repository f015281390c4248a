/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debug_keys.c - the keys there are, with the letters that people know from Xen
 *
 * Each handler only reads; what it prints may be a moment old.
 */
#include "console/console.h"

#include "event/event.h"
#include "grant/grant.h"
#include "irq/irq.h"
#include "machine.h"
#include "mm/frame_alloc.h"
#include "print.h"
#include "sched/sched.h"

static void for_each_domain(void (*fn)(struct domain *d))
{
    struct domain *d;

    for (domid_t id = 0; (d = domain_lookup_from(id)) != NULL;) {
        id = (domid_t)(d->id + 1u);
        fn(d);
        domain_put(d);
    }
}

static void show_vcpu(const struct vcpu *v)
{
    const uint32_t flags = atomic_load(&v->pause_flags);

    pr_info("    v%u: cpu %u %s%s%s%s pause %d upcall pending %u masked %u poll %d\n", v->id, READ_ONCE(v->sched.cpu),
            atomic_load(&v->sched.running) ? "running " : "", flags & VPF_BLOCKED ? "blocked " : "",
            flags & VPF_DOWN ? "down " : "", flags & VPF_SHUT ? "shut " : "", atomic_load(&v->pause_count),
            READ_ONCE(v->info->evtchn_upcall_pending), READ_ONCE(v->info->evtchn_upcall_mask), atomic_load(&v->poll_port));
}

static void show_domain(struct domain *d)
{
    pr_info("d%u: refs %u dying %d shut down %d (code %u) pause %d+%d pages %lu of %lu, ours %lu\n", d->id,
            atomic_load(&d->refs), d->dying, d->is_shut_down, d->shutdown_code, atomic_load(&d->pause_count),
            d->controller_pause_count, d->mm.tot_pages, d->mm.max_pages, d->mm.xenheap_pages);
    domain_for_each_vcpu(d, v)
        show_vcpu(v);
}

static void key_domains(void)
{
    pr_info("time %lu ns, CPUs online %lx\n", machine_now(), machine_online_cpus().bits);
    for_each_domain(show_domain);
}

static void key_memory(void)
{
    pr_info("memory: %lu frames, %lu free, %lu not claimed\n", max_mfn, frame_free_count(), frame_unclaimed_count());
}

static void key_events(void)
{
    for_each_domain(evtchn_dump);
}

static void key_grants(void)
{
    for_each_domain(grant_dump);
}

static void key_reboot(void)
{
    pr_info("'R' pressed: rebooting the machine\n");
    machine_reboot();
}

void console_register_keys(void)
{
    console_register_key('q', "domains and their vCPUs", key_domains);
    console_register_key('m', "memory", key_memory);
    console_register_key('e', "event channels", key_events);
    console_register_key('g', "grant tables", key_grants);
    console_register_key('i', "interrupt lines", irq_dump);
    console_register_key('r', "run queues", sched_dump);
    console_register_key('R', "reboot the machine", key_reboot);
}
