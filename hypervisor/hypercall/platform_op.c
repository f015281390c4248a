/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform_op.c - XENPF_*: Dom0 sets the clock, asks about CPUs, turns the machine off
 *
 * Permission and interface version are checked before anything else, without a lock (H98).
 *
 * Refused on purpose: microcode, MTRRs (memory types are the PAT's business), CPU and memory hot-plug, sleep states
 * other than S5, EFI runtime calls, frequency control.
 *
 * ABI: platform.h; abi-map 2.14, 6.6.
 */
#include <xen/platform.h>

#include "boot/acpi.h"
#include "console/console.h"
#include "hypercall/hypercall.h"
#include "irq/chip.h"
#include "print.h"
#include "time/time.h"

#define POWER_OFF_WAIT_NS 2000000000UL

typedef long platform_fn(struct xen_platform_op *op, bool *copy_back);

static long op_settime32(struct xen_platform_op *op, bool *copy_back)
{
    const struct xenpf_settime32 *t = &op->u.settime32;

    (void)copy_back;
    if (t->nsecs >= 1000000000)
        return -EINVAL;
    wallclock_set(t->secs, t->nsecs, t->system_time);
    return 0;
}

static long op_settime64(struct xen_platform_op *op, bool *copy_back)
{
    const struct xenpf_settime64 *t = &op->u.settime64;

    (void)copy_back;
    if (t->mbz != 0 || t->nsecs >= 1000000000)
        return -EINVAL;
    wallclock_set(t->secs, t->nsecs, t->system_time);
    return 0;
}

/* ACPI 6.4, 4.8.3.2: SLP_TYP in bits 12:10 of PM1 control, SLP_EN bit 13; 4.8.3.7 sleep control: 4:2 and 5. */
static void write_sleep(const struct xenpf_enter_acpi_sleep *s)
{
    if (s->flags & XENPF_ACPI_SLEEP_EXTENDED) {
        machine_port_out((uint16_t)acpi_info.sleep_control.address, 1, (s->val_a & 7u) << 2 | 0x20);
        return;
    }
    machine_port_out(acpi_info.pm1a_cnt, 2, s->val_a);
    if (acpi_info.pm1b_cnt != 0)
        machine_port_out(acpi_info.pm1b_cnt, 2, s->val_b);
}

static long op_enter_acpi_sleep(struct xen_platform_op *op, bool *copy_back)
{
    const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;
    const bool extended = s->flags & XENPF_ACPI_SLEEP_EXTENDED;

    (void)copy_back;
    if (s->flags & ~(uint32_t)XENPF_ACPI_SLEEP_EXTENDED)
        return -EINVAL;
    if (s->sleep_state != 5)
        return -EOPNOTSUPP;
    /* Port I/O only, on either path; sleep control in memory space has not been met on a machine with PM1. */
    if (extended ? !acpi_info.sleep_control.valid || acpi_info.sleep_control.space != 1 : acpi_info.pm1a_cnt == 0)
        return -EPERM;

    pr_info("Dom0 turns the machine off\n");
    console_drain();
    const uint64_t until = machine_now() + POWER_OFF_WAIT_NS;
    write_sleep(s);
    while (machine_now() < until)
        machine_cpu_relax();
    pr_err("the machine did not turn off\n");
    return -EIO;
}

static unsigned highest_cpu(void)
{
    return 63u - (unsigned)__builtin_clzl(machine_online_cpus().bits | 1);
}

static long op_get_cpuinfo(struct xen_platform_op *op, bool *copy_back)
{
    struct xenpf_pcpuinfo *c = &op->u.pcpu_info;
    const uint32_t cpu = c->xen_cpuid;

    *c = (struct xenpf_pcpuinfo){ .xen_cpuid = cpu, .max_present = highest_cpu(), .flags = XEN_PCPU_FLAGS_INVALID };
    if (cpu < MAX_CPUS && cpumask_test(machine_online_cpus(), cpu)) {
        c->flags = XEN_PCPU_FLAGS_ONLINE;
        c->apic_id = chip_cpu_dest(cpu);
        for (unsigned i = 0; i < acpi_info.nr_cpus; i++)
            if (acpi_info.cpu[i].apic_id == c->apic_id)
                c->acpi_id = acpi_info.cpu[i].acpi_id;
    }
    *copy_back = true;
    return 0;
}

static const struct platform_entry {
    uint32_t cmd;
    platform_fn *fn;
} ops[] = {
    { XENPF_settime32, op_settime32 },
    { XENPF_settime64, op_settime64 },
    { XENPF_enter_acpi_sleep, op_enter_acpi_sleep },
    { XENPF_get_cpuinfo, op_get_cpuinfo },
};

long do_platform_op(struct vcpu *v, struct hcall *h)
{
    struct xen_platform_op op;
    const gva_t arg = gva(h->arg[0]);
    bool copy_back = false;

    if (!v->domain->privileged)
        return -EPERM;
    if (guest_copy_in(&op, arg, sizeof(op)) != 0)
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        if (ops[i].cmd != op.cmd)
            continue;
        const long rc = ops[i].fn(&op, &copy_back);
        if (rc == 0 && copy_back && guest_copy_out(arg, &op, sizeof(op)) != 0)
            return -EFAULT;
        return rc;
    }
    return -ENOSYS;
}
