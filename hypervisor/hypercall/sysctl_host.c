/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl_host.c - XEN_SYSCTL_* about the machine: memory, CPUs, the one NUMA node, the one CPU pool
 *
 * The topology shown is flat: one node, one socket, a core for each CPU. Nothing here schedules by topology, and tools
 * that place guests by it have then nothing to choose.
 *
 * ABI: sysctl.h physinfo, cputopoinfo, numainfo, cpupool_op, scheduler_op; abi-map 2.17, pitfalls 39, 40.
 */
#include <string.h>

#include "boot/boot_info.h"
#include "cpu/cpuid_policy.h"
#include "hypercall/toolstack.h"
#include "mm/frame_alloc.h"
#include "sched/sched.h"
#include "time/time.h"

#define MAX_NODE_ID 63u         /* as Xen answers */

static unsigned nr_cpus(void)
{
    return (unsigned)__builtin_popcountl(machine_online_cpus().bits);
}

/* Tables indexed by CPU go up to the highest one. */
static unsigned cpu_slots(void)
{
    return 64u - (unsigned)__builtin_clzl(machine_online_cpus().bits | 1);
}

static uint64_t total_ram_pages(void)
{
    uint64_t pages = 0;

    for (unsigned i = 0; i < boot_info.nr_e820; i++)
        if (boot_info.e820[i].type == E820_RAM)
            pages += boot_info.e820[i].size >> PAGE_SHIFT;
    return pages;
}

long sysctl_physinfo(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_physinfo *p = &s->u.physinfo;
    const uint64_t free_pages = frame_free_count(), unclaimed = frame_unclaimed_count();

    (void)v;
    *p = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = nr_cpus(),
        .nr_cpus = nr_cpus(),
        .max_cpu_id = MAX_CPUS - 1,
        .nr_nodes = 1,
        .max_node_id = MAX_NODE_ID,
        .cpu_khz = tsc_clock.khz,
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = total_ram_pages(),
        .free_pages = free_pages,
        .outstanding_pages = free_pages > unclaimed ? free_pages - unclaimed : 0,
        .max_mfn = max_mfn - 1,
    };
    cpuid_featureset(XEN_SYSCTL_cpu_policy_host, p->hw_cap, ARRAY_SIZE(p->hw_cap));
    *copy_back = true;
    return 0;
}

long sysctl_cputopoinfo(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_cputopoinfo *t = &s->u.cputopoinfo;
    const unsigned slots = cpu_slots();

    (void)v;
    for (unsigned i = 0; t->cputopo.p != NULL && i < MIN(slots, t->num_cpus); i++) {
        const bool online = cpumask_test(machine_online_cpus(), i);
        const struct xen_sysctl_cputopo c = { .core = online ? i : XEN_INVALID_CORE_ID,
                                              .socket = online ? 0 : XEN_INVALID_SOCKET_ID,
                                              .node = online ? 0 : XEN_INVALID_NODE_ID };
        if (guest_copy_out(gva((uint64_t)t->cputopo.p + i * sizeof(c)), &c, sizeof(c)) != 0)
            return -EFAULT;
    }
    t->num_cpus = t->cputopo.p != NULL ? MIN(slots, t->num_cpus) : slots;
    *copy_back = true;
    return 0;
}

long sysctl_numainfo(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_numainfo *n = &s->u.numainfo;
    const struct xen_sysctl_meminfo m = { .memsize = total_ram_pages() << PAGE_SHIFT,
                                          .memfree = frame_free_count() << PAGE_SHIFT };
    static const uint32_t local_distance = 10;                  /* ACPI 6.4, 5.2.17 */

    (void)v;
    if (n->num_nodes > 0 && n->meminfo.p != NULL && guest_copy_out(gva((uint64_t)n->meminfo.p), &m, sizeof(m)) != 0)
        return -EFAULT;
    if (n->num_nodes > 0 && n->distance.p != NULL &&
        guest_copy_out(gva((uint64_t)n->distance.p), &local_distance, sizeof(local_distance)) != 0)
        return -EFAULT;
    n->num_nodes = 1;
    *copy_back = true;
    return 0;
}

long sysctl_getcpuinfo(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_getcpuinfo *c = &s->u.getcpuinfo;
    const unsigned n = MIN(cpu_slots(), c->max_cpus);

    (void)v;
    for (unsigned i = 0; i < n; i++) {
        const struct xen_sysctl_cpuinfo info = { .idletime = sched_idle_time(i) };
        if (guest_copy_out(gva((uint64_t)c->info.p + i * sizeof(info)), &info, sizeof(info)) != 0)
            return -EFAULT;
    }
    c->nr_cpus = n;
    *copy_back = true;
    return 0;
}

long sysctl_availheap(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    (void)v;
    s->u.availheap.avail_bytes = frame_free_count() << PAGE_SHIFT;
    *copy_back = true;
    return 0;
}

long sysctl_sched_id(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    (void)v;
    s->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
    *copy_back = true;
    return 0;
}

/* Is there a device at this place? Segment 0 only: mechanism 1 reaches no other. */
static bool pci_present(const struct physdev_pci_device *dev)
{
    return dev->seg == 0 && machine_pci_read(0x80000000u | (uint32_t)dev->bus << 16 | (uint32_t)dev->devfn << 8, 0, 2) != 0xffff;
}

/* ABI: "no node known" for devices there are. */
long sysctl_pcitopoinfo(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_pcitopoinfo *t = &s->u.pcitopoinfo;
    uint32_t i;

    (void)v;
    if (t->devs.p == NULL || t->nodes.p == NULL)
        return -EINVAL;
    for (i = 0; i < t->num_devs && !(i > 0 && hypercall_preempt()); i++) {
        struct physdev_pci_device dev;
        if (guest_copy_in(&dev, gva((uint64_t)t->devs.p + i * sizeof(dev)), sizeof(dev)) != 0)
            return -EFAULT;
        const uint32_t node = pci_present(&dev) ? XEN_INVALID_NODE_ID : XEN_INVALID_DEV;
        if (guest_copy_out(gva((uint64_t)t->nodes.p + i * sizeof(node)), &node, sizeof(node)) != 0)
            return -EFAULT;
    }
    t->num_devs = i;                            /* ABI: the tool asks again for the rest */
    *copy_back = true;
    return 0;
}

/* ABI: credit2 has one parameter, how long a vCPU runs undisturbed; ours is not adjustable, 0 says so. */
long sysctl_scheduler_op(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_scheduler_op *o = &s->u.scheduler_op;

    (void)v;
    if (o->cpupool_id != 0)
        return -ESRCH;
    if (o->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (o->cmd == XEN_SYSCTL_SCHEDOP_putinfo)
        return o->u.sched_credit2.ratelimit_us == 0 ? 0 : -EOPNOTSUPP;
    if (o->cmd != XEN_SYSCTL_SCHEDOP_getinfo)
        return -EINVAL;
    o->u.sched_credit2.ratelimit_us = 0;
    *copy_back = true;
    return 0;
}

static uint32_t count_domains(void)
{
    struct domain *d;
    uint32_t n = 0;

    for (domid_t id = 0; (d = domain_lookup_from(id)) != NULL; n++) {
        id = (domid_t)(d->id + 1u);
        domain_put(d);
    }
    return n;
}

static long cpupool_info(struct xen_sysctl_cpupool_op *o, bool *copy_back)
{
    if (o->cpupool_id != 0)
        return -ENOENT;
    const int rc = toolstack_bitmap_out(&o->cpumap, machine_online_cpus().bits);
    if (rc != 0)
        return rc;
    o->sched_id = XEN_SCHEDULER_CREDIT2;
    o->n_dom = count_domains();
    *copy_back = true;
    return 0;
}

static long cpupool_move(const struct xen_sysctl_cpupool_op *o)
{
    if (o->cpupool_id != 0)
        return -ENOENT;
    struct domain *d = o->domid < MAX_DOMID ? domain_lookup((domid_t)o->domid) : NULL;
    if (!d)
        return -ESRCH;
    domain_put(d);                              /* it is in the only pool already */
    return 0;
}

long sysctl_cpupool_op(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_cpupool_op *o = &s->u.cpupool_op;

    (void)v;
    switch (o->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return cpupool_info(o, copy_back);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        *copy_back = true;
        return toolstack_bitmap_out(&o->cpumap, 0);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return cpupool_move(o);
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return -EOPNOTSUPP;                     /* every CPU is in the one pool */
    default:
        return -ENOSYS;
    }
}
