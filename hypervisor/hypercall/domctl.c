/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domctl.c - XEN_DOMCTL_*: table, permission, and one operation at a time
 *
 * Order of checks: caller, argument, interface version, operation, domain; only then the lock (H98). The lock is tried,
 * not waited for: a CPU that loses re-issues its call and stays interruptible meanwhile, so a long operation of one tool
 * never stops another CPU.
 *
 *   I1  what an operation may not do to its own caller (stop it, take it apart) is said in the table.
 *
 * Refused with -ENOSYS: everything of HVM guests, device assignment, paging of memory, sharing, monitoring, gdbsx, vNUMA,
 * soft reset, targets of stub domains.
 *
 * ABI: domctl.h; abi-map 2.16.
 */
#include "hypercall/toolstack.h"

static spinlock_t domctl_lock = SPINLOCK_INIT(DOMCTL);

enum {
    NO_DOMAIN = 1,      /* op->domain is no existing domain's id */
    FROM_ID = 2,        /* the first domain with at least that id */
    NOT_SELF = 4,       /* I1: -EINVAL for the caller's own domain */
};

static const struct domctl_entry {
    domctl_fn *fn;
    unsigned flags;
} ops[] = {
    [XEN_DOMCTL_createdomain] = { domctl_createdomain, NO_DOMAIN },
    [XEN_DOMCTL_destroydomain] = { domctl_destroydomain, NOT_SELF },
    [XEN_DOMCTL_pausedomain] = { domctl_pausedomain, NOT_SELF },
    [XEN_DOMCTL_unpausedomain] = { domctl_unpausedomain, NOT_SELF },
    [XEN_DOMCTL_getdomaininfo] = { domctl_getdomaininfo, FROM_ID },
    [XEN_DOMCTL_setvcpuaffinity] = { domctl_setvcpuaffinity, 0 },
    [XEN_DOMCTL_max_mem] = { domctl_max_mem, 0 },
    [XEN_DOMCTL_setvcpucontext] = { domctl_setvcpucontext, NOT_SELF },
    [XEN_DOMCTL_shadow_op] = { domctl_shadow_op, NOT_SELF },
    [XEN_DOMCTL_getvcpucontext] = { domctl_getvcpucontext, NOT_SELF },
    [XEN_DOMCTL_getvcpuinfo] = { domctl_getvcpuinfo, 0 },
    [XEN_DOMCTL_max_vcpus] = { domctl_max_vcpus, NOT_SELF },
    [XEN_DOMCTL_scheduler_op] = { domctl_scheduler_op, 0 },
    [XEN_DOMCTL_setdomainhandle] = { domctl_setdomainhandle, 0 },
    [XEN_DOMCTL_irq_permission] = { domctl_irq_permission, NOT_SELF },
    [XEN_DOMCTL_iomem_permission] = { domctl_iomem_permission, NOT_SELF },
    [XEN_DOMCTL_ioport_permission] = { domctl_ioport_permission, NOT_SELF },
    [XEN_DOMCTL_hypercall_init] = { domctl_hypercall_init, 0 },
    [XEN_DOMCTL_settimeoffset] = { domctl_settimeoffset, 0 },
    [XEN_DOMCTL_getvcpuaffinity] = { domctl_getvcpuaffinity, 0 },
    [XEN_DOMCTL_resumedomain] = { domctl_resumedomain, NOT_SELF },
    [XEN_DOMCTL_sendtrigger] = { domctl_sendtrigger, 0 },
    [XEN_DOMCTL_set_address_size] = { domctl_set_address_size, 0 },
    [XEN_DOMCTL_get_address_size] = { domctl_address_size, 0 },
    [XEN_DOMCTL_set_ext_vcpucontext] = { domctl_set_ext_vcpucontext, NOT_SELF },
    [XEN_DOMCTL_get_ext_vcpucontext] = { domctl_get_ext_vcpucontext, NOT_SELF },
    [XEN_DOMCTL_settscinfo] = { domctl_settscinfo, NOT_SELF },
    [XEN_DOMCTL_gettscinfo] = { domctl_gettscinfo, NOT_SELF },
    [XEN_DOMCTL_getpageframeinfo3] = { domctl_getpageframeinfo3, 0 },
    [XEN_DOMCTL_setvcpuextstate] = { domctl_setvcpuextstate, NOT_SELF },
    [XEN_DOMCTL_getvcpuextstate] = { domctl_getvcpuextstate, NOT_SELF },
    [XEN_DOMCTL_setnodeaffinity] = { domctl_setnodeaffinity, 0 },
    [XEN_DOMCTL_getnodeaffinity] = { domctl_getnodeaffinity, 0 },
    [XEN_DOMCTL_get_vcpu_msrs] = { domctl_get_vcpu_msrs, NOT_SELF },
    [XEN_DOMCTL_set_vcpu_msrs] = { domctl_set_vcpu_msrs, NOT_SELF },
    [XEN_DOMCTL_get_cpu_policy] = { domctl_get_cpu_policy, 0 },
    [XEN_DOMCTL_set_cpu_policy] = { domctl_set_cpu_policy, NOT_SELF },
};

/* With a reference, or NULL: -ESRCH. */
static struct domain *find_domain(struct vcpu *v, domid_t id, unsigned flags)
{
    return flags & FROM_ID ? domain_lookup_from(id) : domain_lookup_self(v, id);
}

long do_domctl(struct vcpu *v, struct hcall *h)
{
    struct xen_domctl c;
    const gva_t arg = gva(h->arg[0]);
    struct domain *d = NULL;
    bool copy_back = false;
    long rc = -EINVAL;

    if (!v->domain->privileged)
        return -EPERM;
    if (guest_copy_in(&c, arg, sizeof(c)) != 0)
        return -EFAULT;
    if (c.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (c.cmd >= ARRAY_SIZE(ops) || !ops[c.cmd].fn)
        return -ENOSYS;

    const struct domctl_entry *op = &ops[c.cmd];
    if (!(op->flags & NO_DOMAIN) && !(d = find_domain(v, c.domain, op->flags)))
        return -ESRCH;
    if ((op->flags & NOT_SELF) && d == v->domain)
        goto put;
    rc = -ERESTART;
    if (!spin_trylock(&domctl_lock))
        goto put;
    rc = op->fn(v, d, &c, &copy_back);
    spin_unlock(&domctl_lock);
    if (copy_back && rc != -ERESTART && guest_copy_out(arg, &c, sizeof(c)) != 0)
        rc = -EFAULT;
put:
    if (d)
        domain_put(d);
    return rc;
}
