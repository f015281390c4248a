/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xen_version.c - which interface this is
 *
 * The numbers say Xen 4.17, because that is the interface we keep; the words say who keeps it. What only Dom0 needs
 * to know (command line, build id) others do not get. Every answer is built in zeroed memory (H38).
 *
 * ABI: version.h, features.h; abi-map 2.5.
 */
#include <xen/features.h>
#include <xen/version.h>

#include "boot/boot_info.h"
#include "hypercall/hypercall.h"
#include "layout.h"
#include "lib/lib.h"

#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define DENIED "<denied>"

static long put_string(gva_t arg, char *buf, size_t size, const char *s)
{
    str_copy(buf, size, s);
    return guest_copy_out(arg, buf, size);
}

static long op_version(struct vcpu *v, gva_t arg)
{
    (void)v, (void)arg;
    return VERSION_MAJOR << 16 | VERSION_MINOR;
}

static long op_extraversion(struct vcpu *v, gva_t arg)
{
    xen_extraversion_t s = { 0 };

    (void)v;
    return put_string(arg, s, sizeof(s), "-paravane");
}

static long op_compile_info(struct vcpu *v, gva_t arg)
{
    struct xen_compile_info info = { 0 };

    (void)v;
    str_copy(info.compiler, sizeof(info.compiler), "gcc " __VERSION__);
    str_copy(info.compile_by, sizeof(info.compile_by), "paravane");
    return guest_copy_out(arg, &info, sizeof(info));
}

/* libxc looks for the guest type as a whole word followed by a space (pitfall 38). */
static long op_capabilities(struct vcpu *v, gva_t arg)
{
    static const char tokens[] = "xen-3.0-x86_64 ";
    static const xen_capabilities_info_t zero;

    (void)v;
    if (guest_copy_out(arg, tokens, sizeof(tokens)) != 0)
        return -EFAULT;
    return guest_copy_out(gva(arg.n + sizeof(tokens)), zero, sizeof(zero) - sizeof(tokens));
}

static long op_changeset(struct vcpu *v, gva_t arg)
{
    xen_changeset_info_t s = { 0 };

    (void)v;
    return put_string(arg, s, sizeof(s), "unavailable");
}

static long op_platform_parameters(struct vcpu *v, gva_t arg)
{
    const struct xen_platform_parameters p = { .virt_start = HV_START };

    (void)v;
    return guest_copy_out(arg, &p, sizeof(p));
}

static long op_get_features(struct vcpu *v, gva_t arg)
{
    struct xen_feature_info f;

    if (guest_copy_in(&f, arg, sizeof(f)) != 0)
        return -EFAULT;
    if (f.submap_idx != 0)
        return -EINVAL;
    f.submap = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
               1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_direct_mapped;
    if (v->domain->vm_assist & (1UL << VMASST_TYPE_pae_extended_cr3))
        f.submap |= 1u << XENFEAT_pae_pgdir_above_4gb;
    if (v->domain->privileged)
        f.submap |= 1u << XENFEAT_dom0;
    return guest_copy_out(arg, &f, sizeof(f));
}

static long op_pagesize(struct vcpu *v, gva_t arg)
{
    (void)v;
    return arg.n != 0 ? -EINVAL : (long)PAGE_SIZE;
}

static long op_guest_handle(struct vcpu *v, gva_t arg)
{
    return guest_copy_out(arg, v->domain->handle, sizeof(v->domain->handle));
}

static long op_commandline(struct vcpu *v, gva_t arg)
{
    xen_commandline_t s = { 0 };

    return put_string(arg, s, sizeof(s), v->domain->privileged ? boot_info.cmdline : DENIED);
}

static long op_build_id(struct vcpu *v, gva_t arg)
{
    (void)arg;
    return v->domain->privileged ? -ENODATA : -EPERM;
}

typedef long version_fn(struct vcpu *v, gva_t arg);

static version_fn *const ops[] = {
    [XENVER_version] = op_version,
    [XENVER_extraversion] = op_extraversion,
    [XENVER_compile_info] = op_compile_info,
    [XENVER_capabilities] = op_capabilities,
    [XENVER_changeset] = op_changeset,
    [XENVER_platform_parameters] = op_platform_parameters,
    [XENVER_get_features] = op_get_features,
    [XENVER_pagesize] = op_pagesize,
    [XENVER_guest_handle] = op_guest_handle,
    [XENVER_commandline] = op_commandline,
    [XENVER_build_id] = op_build_id,
};

long do_xen_version(struct vcpu *v, struct hcall *h)
{
    const uint32_t cmd = (uint32_t)h->arg[0];

    if (cmd >= ARRAY_SIZE(ops) || !ops[cmd])
        return -ENOSYS;
    return ops[cmd](v, gva(h->arg[1]));
}
