/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp.c - bring up every CPU the firmware lists, and stop them at the end
 */
#include "boot/acpi.h"
#include "boot/boot_info.h"
#include "boot/percpu_map.h"
#include "boot/trampoline.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/topology.h"
#include "entry/current.h"
#include "machine.h"
#include "print.h"
#include "sched/sched.h"
#include "time/timer.h"

unsigned this_cpu(void)
{
    return this_cpu_info()->cpu;
}

static void init_info(unsigned cpu)
{
    struct cpu_info *info = cpu_info_of(cpu);
    info->cpu = cpu;
    info->current = NULL;
}

/* On its own stack, with our page tables; called by the trampoline. */
void ap_main(void);
void ap_main(void)
{
    const unsigned cpu = this_cpu();
    write_cr3(idle_cr3);
    desc_init_cpu(cpu);
    features_enable();
    fpu_init_cpu();
    apic_init_cpu();
    timer_init_cpu(cpu);
    sched_init_cpu(cpu);
    atomic_fetch_or(&online_cpus, 1UL << cpu);
    exit_to_guest();            /* idle until there is work */
}

static bool start_one(unsigned cpu, uint32_t apic_id)
{
    percpu_map_cpu(cpu);
    init_info(cpu);
    cpu_apic_id[cpu] = apic_id;
    trampoline_prepare((uint64_t)cpu_info_of(cpu));
    apic_start_cpu(apic_id, TRAMPOLINE_PAGE);
    const uint64_t end = machine_now() + 5000000000UL;     /* an emulator on a busy host may take seconds */
    while (!(atomic_load(&online_cpus) >> cpu & 1)) {
        if (machine_now() > end) {
            apic_stop_cpu(apic_id);         /* or it might wake up later, on the next one's stack */
            return false;
        }
        machine_cpu_relax();
    }
    return true;
}

unsigned smp_boot_others(void)
{
    unsigned next = 1;
    const uint64_t limit = cmdline_uint("maxcpus", MAX_CPUS);
    for (unsigned i = 0; i < acpi_info.nr_cpus; i++) {
        const struct acpi_cpu *c = &acpi_info.cpu[i];
        if (c->apic_id == cpu_apic_id[0]) {
            cpu_acpi_id[0] = c->acpi_id;
            continue;
        }
        if (!c->enabled || next >= MAX_CPUS || next >= limit)
            continue;
        cpu_acpi_id[next] = c->acpi_id;
        if (start_one(next, c->apic_id))
            next++;
        else
            pr_warn("CPU with APIC id %u does not answer; going on without it\n", c->apic_id);
    }
    trampoline_done();
    return next;
}

void smp_stop_others(void)
{
    const uint64_t others = atomic_exchange(&online_cpus, 1UL << this_cpu()) & ~(1UL << this_cpu());
    cpumask_for_each(cpu, ((cpumask_t){ others }))
        apic_send_ipi((unsigned)cpu, VECTOR_STOP);
}
