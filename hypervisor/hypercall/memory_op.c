/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_op.c - XENMEM_*: table, permissions, and the short questions
 *
 * Refused on purpose: everything of translated guests (add_to_physmap and friends), populate-on-demand, paging,
 * sharing and access control of other guests' memory, vNUMA.
 *
 * ABI: memory.h; abi-map 2.6.
 */
#include "hypercall/memory_op.h"

#include "domain/io_caps.h"
#include "mm/frame_alloc.h"

int memory_target(struct vcpu *v, domid_t id, struct domain **out)
{
    if (id == DOMID_SELF || id == v->domain->id) {
        domain_get(v->domain);
        *out = v->domain;
        return 0;
    }
    if (!v->domain->privileged)
        return -EPERM;
    *out = domain_lookup(id);
    return *out ? 0 : -ESRCH;
}

/* As large as the consumers need: libxc builds with 2 MiB extents, Dom0's DMA wants contiguous MiBs. */
unsigned memory_max_order(const struct domain *d)
{
    return d->privileged ? 12 : 9;
}

bool memory_flags_ok(unsigned mem_flags)
{
    const unsigned known = 0xff | 0xff00 | XENMEMF_exact_node_request;
    const unsigned node = (mem_flags >> 8) & 0xff;      /* 0: none given, n + 1: node n */

    return (mem_flags & ~known) == 0 && node <= 1;
}

static long op_maximum_ram_page(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)v, (void)h, (void)arg, (void)start;
    return (long)max_mfn;
}

/* ABI: current_reservation, maximum_reservation and maximum_gpfn take a struct xen_memory_domain. */
static long query_domain(struct vcpu *v, gva_t arg, uint64_t (*value)(const struct domain *d))
{
    struct xen_memory_domain a;
    struct domain *d;

    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    const int rc = memory_target(v, a.domid, &d);
    if (rc != 0)
        return rc;
    const long result = (long)value(d);
    domain_put(d);
    return result;
}

static uint64_t tot_pages(const struct domain *d) { return READ_ONCE(d->mm.tot_pages); }

/* A domain without a limit has ~0 here; the ABI's answer is a signed number. */
static uint64_t max_pages(const struct domain *d) { return MIN(READ_ONCE(d->mm.max_pages), (uint64_t)INT32_MAX); }

/* ABI: a PV guest writes how far its P2M reaches into shared_info; any value it likes. */
static uint64_t max_gpfn(const struct domain *d)
{
    const struct shared_info *s = READ_ONCE(d->shared_info);    /* NULL once a dying domain has given it back */

    return s ? (READ_ONCE(s->arch.max_pfn) - 1) & INT64_MAX : 0;
}

static long op_current_reservation(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)h, (void)start;
    return query_domain(v, arg, tot_pages);
}

static long op_maximum_reservation(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)h, (void)start;
    return query_domain(v, arg, max_pages);
}

static long op_maximum_gpfn(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)h, (void)start;
    return query_domain(v, arg, max_gpfn);
}

/* Nothing is ever shared between guests here; libxl asks on every run and takes 0 or -ENOSYS (pitfall 37). */
static long op_sharing(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)v, (void)h, (void)arg, (void)start;
    return 0;
}

static long op_claim_pages(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct xen_memory_reservation a;

    (void)h, (void)start;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (a.extent_start.p != NULL || a.extent_order != 0 || a.mem_flags != 0)
        return -EINVAL;
    struct domain *d = domain_lookup_self(v, a.domid);
    if (!d)
        return -ESRCH;
    const int rc = domain_claim_pages(d, a.nr_extents);
    domain_put(d);
    return rc;
}

static long op_not_for_pv(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)v, (void)h, (void)arg, (void)start;
    return -EACCES;
}

static long op_unsupported(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    (void)v, (void)h, (void)arg, (void)start;
    return -EOPNOTSUPP;
}

enum { ANYBODY, DOM0_ONLY };

static const struct memory_entry {
    memory_fn *fn;
    int who;
    bool continues;             /* a start extent may come back in the command */
} ops[1 << MEMOP_EXTENT_SHIFT] = {
    [XENMEM_increase_reservation] = { memory_increase, ANYBODY, true },
    [XENMEM_decrease_reservation] = { memory_decrease, ANYBODY, true },
    [XENMEM_maximum_ram_page] = { op_maximum_ram_page, ANYBODY, false },
    [XENMEM_current_reservation] = { op_current_reservation, ANYBODY, false },
    [XENMEM_maximum_reservation] = { op_maximum_reservation, ANYBODY, false },
    [XENMEM_machphys_mfn_list] = { memory_machphys_list, DOM0_ONLY, false },
    [XENMEM_populate_physmap] = { memory_populate, ANYBODY, true },
    [XENMEM_add_to_physmap] = { op_not_for_pv, ANYBODY, false },
    [XENMEM_memory_map] = { memory_guest_map, ANYBODY, false },
    [XENMEM_machine_memory_map] = { memory_machine_map, DOM0_ONLY, false },
    [XENMEM_exchange] = { memory_exchange, ANYBODY, false },
    [XENMEM_machphys_mapping] = { memory_machphys_mapping, ANYBODY, false },
    [XENMEM_set_memory_map] = { memory_set_map, ANYBODY, false },
    [XENMEM_maximum_gpfn] = { op_maximum_gpfn, ANYBODY, false },
    [XENMEM_remove_from_physmap] = { op_not_for_pv, ANYBODY, false },
    [XENMEM_get_sharing_freed_pages] = { op_sharing, ANYBODY, false },
    [XENMEM_get_sharing_shared_pages] = { op_sharing, ANYBODY, false },
    [XENMEM_claim_pages] = { op_claim_pages, DOM0_ONLY, false },
    [XENMEM_machphys_compat_mfn_list] = { op_unsupported, DOM0_ONLY, false },
    [XENMEM_get_vnumainfo] = { op_unsupported, ANYBODY, false },
    [XENMEM_acquire_resource] = { memory_acquire_resource, DOM0_ONLY, false },
};

long do_memory_op(struct vcpu *v, struct hcall *h)
{
    const struct memory_entry *op = &ops[h->arg[0] & (ARRAY_SIZE(ops) - 1)];
    const uint64_t start = h->arg[0] >> MEMOP_EXTENT_SHIFT;

    if (!op->fn)
        return -ENOSYS;
    if (op->who == DOM0_ONLY && !v->domain->privileged)
        return -EPERM;
    if (start != 0 && !op->continues)                           /* H35 */
        return -EINVAL;
    return op->fn(v, h, gva(h->arg[1]), start);
}
