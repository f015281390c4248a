/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl.c - XEN_SYSCTL_*: table and permission, and the calls about the log and the list of domains
 *
 * Order of checks: caller, argument, interface version, operation; no lock is taken before all have passed (H98).
 * The structure is copied in once and out only by operations that answer in it.
 *
 * Refused with -ENOSYS: tracing, performance counters, power management, CPU hot-plug, page offlining, live patching,
 * cache allocation, coverage.
 *
 * ABI: sysctl.h; abi-map 2.17.
 */
#include "hypercall/toolstack.h"

#include "console/console.h"
#include "heap.h"

#define RING_CHUNK 4096u
#define MAX_KEYS 64u

static long op_readconsole(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_readconsole *r = &s->u.readconsole;
    const gva_t buffer = gva((uint64_t)r->buffer.p);
    uint32_t index = r->index, done = 0;
    bool incremental = r->incremental;
    long rc = 0;

    (void)v;
    if (!guest_range_ok(buffer, r->count))                      /* before anything is cleared */
        return -EFAULT;
    char *chunk = heap_alloc(RING_CHUNK);
    if (!chunk)
        return -ENOMEM;
    while (done < r->count) {
        const size_t n = console_ring_read(&index, chunk, MIN(r->count - done, RING_CHUNK), r->clear, incremental);
        if (n == 0)
            break;
        if (guest_copy_out(gva(buffer.n + done), chunk, n) != 0) {
            rc = -EFAULT;
            break;
        }
        done += (uint32_t)n;
        incremental = true;                                     /* from where this chunk ended */
    }
    heap_free(chunk);
    r->count = done;
    r->index = index;
    *copy_back = true;
    return rc;
}

static long op_getdomaininfolist(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    struct xen_sysctl_getdomaininfolist *l = &s->u.getdomaininfolist;
    const gva_t buffer = gva((uint64_t)l->buffer.p);
    struct xen_domctl_getdomaininfo info;
    struct domain *d;
    uint32_t n = 0;

    (void)v;
    for (domid_t id = l->first_domain; n < l->max_domains && (d = domain_lookup_from(id)) != NULL; n++) {
        toolstack_domain_info(d, &info);
        id = (domid_t)(d->id + 1u);
        domain_put(d);
        if (guest_copy_out(gva(buffer.n + n * sizeof(info)), &info, sizeof(info)) != 0)
            return -EFAULT;
    }
    l->num_domains = n;
    *copy_back = true;
    return 0;
}

static long op_debug_keys(struct vcpu *v, struct xen_sysctl *s, bool *copy_back)
{
    const uint32_t n = s->u.debug_keys.nr_keys;
    char keys[MAX_KEYS];

    (void)v, (void)copy_back;
    if (n > MAX_KEYS)
        return -E2BIG;
    if (guest_copy_in(keys, gva((uint64_t)s->u.debug_keys.keys.p), n) != 0)
        return -EFAULT;
    for (uint32_t i = 0; i < n; i++)
        console_debug_key(keys[i]);
    return 0;
}

static sysctl_fn *const ops[] = {
    [XEN_SYSCTL_readconsole] = op_readconsole,
    [XEN_SYSCTL_physinfo] = sysctl_physinfo,
    [XEN_SYSCTL_sched_id] = sysctl_sched_id,
    [XEN_SYSCTL_getdomaininfolist] = op_getdomaininfolist,
    [XEN_SYSCTL_debug_keys] = op_debug_keys,
    [XEN_SYSCTL_getcpuinfo] = sysctl_getcpuinfo,
    [XEN_SYSCTL_availheap] = sysctl_availheap,
    [XEN_SYSCTL_cputopoinfo] = sysctl_cputopoinfo,
    [XEN_SYSCTL_numainfo] = sysctl_numainfo,
    [XEN_SYSCTL_cpupool_op] = sysctl_cpupool_op,
    [XEN_SYSCTL_scheduler_op] = sysctl_scheduler_op,
    [XEN_SYSCTL_pcitopoinfo] = sysctl_pcitopoinfo,
    [XEN_SYSCTL_get_cpu_levelling_caps] = sysctl_levelling_caps,
    [XEN_SYSCTL_get_cpu_featureset] = sysctl_cpu_featureset,
    [XEN_SYSCTL_get_cpu_policy] = sysctl_cpu_policy,
};

long do_sysctl(struct vcpu *v, struct hcall *h)
{
    struct xen_sysctl s;
    const gva_t arg = gva(h->arg[0]);
    bool copy_back = false;

    if (!v->domain->privileged)
        return -EPERM;
    if (guest_copy_in(&s, arg, sizeof(s)) != 0)
        return -EFAULT;
    if (s.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    if (s.cmd >= ARRAY_SIZE(ops) || !ops[s.cmd])
        return -ENOSYS;
    const long rc = ops[s.cmd](v, &s, &copy_back);
    if (copy_back && guest_copy_out(arg, &s, sizeof(s)) != 0)
        return -EFAULT;
    return rc;
}
