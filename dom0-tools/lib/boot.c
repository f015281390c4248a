/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.c - the hypervisor's side of creating a domain
 *
 * ABI: domctl.h, grant_table.h reserved entries, abi-map of domain creation.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "handle.h"
#include "store.h"

#include <xen/grant_table.h>
#include <xen/memory.h>

#include "boot.h"
#include "create.h"
#include "../builder/guest_mem.h"

#define FLAT_CS 0xe033          /* ABI: FLAT_KERNEL_CS, a 64-bit segment of ring 3 */
#define FLAT_SS 0xe02b

static int fail(struct vane *v, const char *what)
{
    int err = errno ? errno : EIO;
    const char *hint = err == EPERM ? "run this in Dom0 as root" :
                       err == ENOMEM ? "`vane info` shows free_memory, `vane list` who has it; ids of domains end at 32751" : NULL;

    return vane_fail(v, -err, hint, "%s: %s", what, strerror(err));
}

static unsigned grant_version(struct vane *v, const struct vane_config *c)
{
    xc_physinfo_t info = {0};
    unsigned best = 1;

    if (xc_physinfo(v->xc, &info) == 0 && (info.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2))
        best = 2;
    return c->grant_version && c->grant_version < best ? c->grant_version : best;
}

int vane_pool_find(struct vane *v, const char *pool, uint32_t *id)
{
    xc_cpupoolinfo_t *info;
    bool found = !pool || !*pool;

    *id = 0;
    for (uint32_t next = 0; !found && (info = xc_cpupool_getinfo(v->xc, next)) != NULL;) {
        char number[16], name[256] = "";

        store_get_pools_name(vane_store(v), info->cpupool_id, name, sizeof(name));
        snprintf(number, sizeof(number), "%u", info->cpupool_id);
        found = strcmp(number, pool) == 0 || strcmp(name, pool) == 0;
        *id = info->cpupool_id;
        next = info->cpupool_id + 1;
        xc_cpupool_infofree(v->xc, info);
    }
    return found ? 0 : vane_fail(v, -ENOENT, "`vane cpupool-list` shows the pools",
                                 "there is no CPU pool %s", pool);
}

int boot_new_domain(struct vane *v, const struct vane_config *c, uint32_t *domid)
{
    struct xen_domctl_createdomain cd = {
        .max_vcpus = c->max_vcpus,
        .max_evtchn_port = c->max_event_port,
        .max_grant_frames = c->max_grant_frames,
        .max_maptrack_frames = c->max_maptrack_frames,
    };
    int rc;

    if (!vane_xc(v))
        return vane_last_error(v)->code;
    rc = vane_pool_find(v, c->pool, &cd.cpupool_id);
    if (rc < 0)
        return rc;
    cd.grant_opts = XEN_DOMCTL_GRANT_version(grant_version(v, c));
    memcpy(cd.handle, c->uuid.b, sizeof(cd.handle));
    *domid = 0xffff;                                            /* ABI: pick a free one */
    if (xc_domain_create(v->xc, domid, &cd) < 0)
        return fail(v, "the hypervisor does not create a domain");
    return 0;
}

static int set_affinity(struct vane *v, const struct vane_config *c, uint32_t domid)
{
    int cpus = xc_get_max_cpus(v->xc), rc = 0;
    xc_cpumap_t hard = xc_cpumap_alloc(v->xc), soft = xc_cpumap_alloc(v->xc);

    for (unsigned i = 0; rc == 0 && hard && soft && i < c->max_vcpus; i++) {
        uint32_t flags = (c->hard[i].given ? XEN_VCPUAFFINITY_HARD : 0u) |
                         (c->soft[i].given ? XEN_VCPUAFFINITY_SOFT : 0u);

        if (!flags)
            continue;
        for (int cpu = 0; cpu < cpus; cpu++) {
            (vane_cpus_has(&c->hard[i], (unsigned)cpu) ? xc_cpumap_setcpu
                                                       : xc_cpumap_clearcpu)(cpu, hard);
            (vane_cpus_has(&c->soft[i], (unsigned)cpu) ? xc_cpumap_setcpu
                                                       : xc_cpumap_clearcpu)(cpu, soft);
        }
        if (xc_vcpu_setaffinity(v->xc, domid, (int)i, hard, soft, flags) < 0)
            rc = vane_fail(v, -errno, "`vane info` shows nr_cpus", "vcpu %u: cpus= names no CPU of "
                           "this host: %s", i, strerror(errno));
    }
    free(hard);
    free(soft);
    return rc;
}

static int set_scheduler(struct vane *v, const struct vane_config *c, uint32_t domid)
{
    struct xen_domctl_sched_credit2 s2;
    struct xen_domctl_sched_credit s1;
    int id;

    if ((!c->has_weight && !c->has_cap) || xc_sched_id(v->xc, &id) < 0)
        return 0;
    if (id == XEN_SCHEDULER_CREDIT2) {
        if (xc_sched_credit2_domain_get(v->xc, domid, &s2) < 0)
            return fail(v, "cannot read scheduler parameters");
        s2.weight = c->has_weight ? (uint16_t)c->weight : s2.weight;
        s2.cap = c->has_cap ? (uint16_t)c->cap : s2.cap;
        if (xc_sched_credit2_domain_set(v->xc, domid, &s2) < 0)
            return fail(v, "cannot set cpu_weight and cap");
    } else if (id == XEN_SCHEDULER_CREDIT) {
        if (xc_sched_credit_domain_get(v->xc, domid, &s1) < 0)
            return fail(v, "cannot read scheduler parameters");
        s1.weight = c->has_weight ? (uint16_t)c->weight : s1.weight;
        s1.cap = c->has_cap ? (uint16_t)c->cap : s1.cap;
        if (xc_sched_credit_domain_set(v->xc, domid, &s1) < 0)
            return fail(v, "cannot set cpu_weight and cap");
    } else {
        vane_log(v, VANE_WARN, "this scheduler knows no cpu_weight and cap");
    }
    return 0;
}

int boot_memory_limit(struct vane *v, uint32_t domid, uint64_t kb)
{
    return xc_domain_setmaxmem(v->xc, domid, kb + VANE_SLACK_KB) < 0 ? fail(v, "cannot set the memory limit") : 0;
}

int boot_new_settings(struct vane *v, const struct vane_config *c, uint32_t domid, bool arrives)
{
    int32_t offset = c->time_offset;
    time_t now = time(NULL);
    int rc;

    if (xc_domain_max_vcpus(v->xc, domid, c->max_vcpus) < 0)
        return fail(v, "cannot give the domain its vcpus");
    rc = boot_memory_limit(v, domid, c->mem_kb);
    if (rc < 0)
        return rc;
    xc_domain_set_memmap_limit(v->xc, domid, c->max_kb);        /* Linux also lives without */
    if (xc_domain_set_tsc_info(v->xc, domid, c->tsc_mode, 0, 0, 0) < 0)
        return fail(v, "cannot set tsc_mode");
    if (c->localtime)
        offset += (int32_t)localtime(&now)->tm_gmtoff;
    if (offset && xc_domain_set_time_offset(v->xc, domid, offset) < 0)
        return fail(v, "cannot set rtc_timeoffset");
    rc = set_affinity(v, c, domid);
    if (rc < 0 && arrives) {                /* pinned where it comes from, to CPUs that are not here */
        vane_log(v, VANE_WARN, "%s; it may run on all", vane_last_error(v)->what);
        rc = 0;
    }
    return rc < 0 ? rc : set_scheduler(v, c, domid);
}

int boot_cpuid(struct vane *v, const struct vane_config *c, uint32_t domid)
{
    struct xc_xend_cpuid *x = calloc(c->cpuid.n + 1, sizeof(*x));
    int rc = 0;

    if (!x)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    for (unsigned i = 0; i < c->cpuid.n; i++) {
        x[i].leaf = c->cpuid.list[i].leaf;
        x[i].subleaf = c->cpuid.list[i].subleaf;
        for (int r = 0; r < 4; r++)
            x[i].policy[r] = c->cpuid.list[i].reg[r];
    }
    x[c->cpuid.n].leaf = XEN_CPUID_INPUT_UNUSED;
    if (c->cpuid.n && xc_cpuid_apply_policy(v->xc, domid, false, NULL, 0, false, false, false, x, NULL) < 0)
        rc = vane_fail(v, errno ? -errno : -EINVAL, "only what the host has can be given to a guest",
                       "the hypervisor refuses what cpuid= asks for: %s", strerror(errno));
    free(x);
    return rc;
}

int boot_event_port(struct vane *v, uint32_t domid, uint32_t *port)
{
    int p = xc_evtchn_alloc_unbound(v->xc, domid, 0);

    if (p < 0)
        return fail(v, "cannot allocate an event channel for the domain");
    *port = (uint32_t)p;
    return 0;
}

int boot_seed_grants(struct vane *v, uint32_t domid, uint64_t console_mfn, uint64_t store_mfn)
{
    void *addr = NULL;
    xenforeignmemory_resource_handle *h =
        xenforeignmemory_map_resource(v->fmem, (domid_t)domid, XENMEM_resource_grant_table,
                                      XENMEM_resource_grant_table_id_shared, 0, 1, &addr,
                                      PROT_READ | PROT_WRITE, 0);
    grant_entry_v1_t *g = addr;

    if (!h)
        return fail(v, "cannot map the domain's grant table");
    g[GNTTAB_RESERVED_CONSOLE] = (grant_entry_v1_t){ GTF_permit_access, 0, (uint32_t)console_mfn };
    g[GNTTAB_RESERVED_XENSTORE] = (grant_entry_v1_t){ GTF_permit_access, 0, (uint32_t)store_mfn };
    xenforeignmemory_unmap_resource(v->fmem, h);
    return 0;
}

int boot_shared_info(struct vane *v, uint32_t domid, uint64_t mfn)
{
    xen_pfn_t frame = mfn;
    shared_info_t *s = xenforeignmemory_map(v->fmem, domid, PROT_READ | PROT_WRITE, 1, &frame, NULL);

    if (!s)
        return fail(v, "cannot map the domain's shared info");
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        s->vcpu_info[i].evtchn_upcall_mask = 1;                 /* ABI: events off at entry */
    xenforeignmemory_unmap(v->fmem, s, 1);
    return 0;
}

static int fill_hypercall_page(struct vane *v, uint32_t domid, const struct build_plan *p,
                               const struct guest_mem *gm)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_hypercall_init, .domain = (domid_t)domid };
    uint64_t pfn = (p->k->hypercall_page - p->k->virt_base) / 4096;

    if (pfn >= gm_pages(gm))
        return vane_fail(v, -EINVAL, NULL, "the kernel's hypercall page lies outside its memory");
    op.u.hypercall_init.gmfn = gm_mfn(gm, pfn);
    return xc_domctl(v->xc, &op) < 0 ? fail(v, "cannot fill the hypercall page") : 0;
}

int boot_start_state(struct vane *v, uint32_t domid, const struct build_plan *p,
                     const struct guest_mem *gm)
{
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = gm_mfn(gm, p->l4) };
    vcpu_guest_context_any_t *any;
    vcpu_guest_context_t *c;
    int rc = p->k->has_hypercall_page ? fill_hypercall_page(v, domid, p, gm) : 0;

    if (rc < 0)
        return rc;
    if (xc_mmuext_op(v->xc, &pin, 1, domid) < 0)
        return fail(v, "the hypervisor refuses the first page tables");
    any = calloc(1, sizeof(*any));
    if (!any)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    c = &any->c;
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = p->k->entry;
    c->user_regs.rsp = build_va(p, p->stack) + 4096;
    c->user_regs.rsi = build_va(p, p->start_info);
    c->user_regs.rflags = 1u << 9;
    c->user_regs.cs = FLAT_CS;
    c->user_regs.ss = FLAT_SS;
    c->kernel_ss = FLAT_SS;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = gm_mfn(gm, p->l4) << 12;
    c->debugreg[6] = 0xffff0ff0;
    c->debugreg[7] = 0x400;
    if (xc_vcpu_setcontext(v->xc, domid, 0, any) < 0)
        rc = fail(v, "the hypervisor refuses the first vcpu's state");
    free(any);
    return rc;
}
