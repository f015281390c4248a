/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toolstack_test.c - sysctl, domctl, platform_op, xen_version: permissions first (H98), answers without stray bytes
 * (H38), a domain made, changed, looked at and destroyed with nothing left
 */
#include "../unit.h"

#include <string.h>

#include <xen/domctl.h>
#include <xen/features.h>
#include <xen/platform.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#include "boot/acpi.h"
#include "boot_fake.h"
#include "console/console.h"
#include "cpu/cpuid_policy.h"
#include "domain/deferred.h"
#include "domain/io_caps.h"
#include "heap_fake.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "sched/sched.h"
#include "time/time.h"

#define FRAMES 4096u
#define HOLE ((void *)0xffff800000000000)

static struct domain *d0;
static struct vcpu *v0;
static struct domain domu;
static struct vcpu v_domu;

void domain_rcu_softirq(void);

/* Dom0 as the builder leaves it, made once: domain ids and the CPUID policy outlive a test. */
static void setup(void)
{
    static const struct cpuid_leaf_entry raw[] = {
        { 0, 0, { 1, 0x68747541, 0x444d4163, 0x69746e65 } }, { 1, 0, { 0, 0, 0, 1 << 6 } },
        { 0x80000000, 0, { 0x80000001, 0, 0, 0 } },          { 0x80000001, 0, { 0, 0, 0, 1 << 20 | 1 << 29 } },
    };

    fake_guest_reset();
    if (!d0) {
        fake_machine_init(FRAMES);
        fake_online = (cpumask_t){ 3 };
        timer_init_cpu(0);
        timer_init_cpu(1);
        sched_init_cpu(0);
        sched_init_cpu(1);
        cpuid_policy_init(raw, ARRAY_SIZE(raw));
        const struct domain_create_args a = { .id = 0, .privileged = true, .max_vcpus = 2, .max_evtchn_port = 4095,
                                              .max_grant_frames = 4, .max_maptrack_frames = 4 };
        CU_ASSERT_EQUAL_FATAL(domain_create(&a, &d0), 0);
        CU_ASSERT_EQUAL_FATAL(domain_create_vcpu(d0, 0), 0);
        dom0 = d0;
        v0 = domain_vcpu(d0, 0);
        boot_info.nr_e820 = 1;
        boot_info.e820[0] = (struct e820_entry){ 0, FRAMES * PAGE_SIZE, E820_RAM };
    }
    domu = (struct domain){ .id = 77 };
    v_domu = (struct vcpu){ .domain = &domu };
    fake_preempt_at(0, 0);
}

static long sysctl_op(struct xen_sysctl *s)
{
    struct hcall h = { .arg = { (uintptr_t)s } };

    s->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return do_sysctl(v0, &h);
}

static long domctl(struct xen_domctl *c)
{
    struct hcall h = { .arg = { (uintptr_t)c } };
    long rc;

    c->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    while ((rc = do_domctl(v0, &h)) == -ERESTART)
        CU_ASSERT_EQUAL(h.arg[0], (uintptr_t)c);
    return rc;
}

/* ---- H98 ---- */

static void test_h98_permissions(void)
{
    setup();
    hypercall_fn *const calls[] = { do_sysctl, do_domctl, do_platform_op };

    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        struct hcall h = { .arg = { (uintptr_t)HOLE } };
        CU_ASSERT_EQUAL(calls[i](&v_domu, &h), -EPERM);         /* not even the argument is looked at */
        CU_ASSERT_EQUAL(calls[i](v0, &h), -EFAULT);
    }
}

static void test_interface_versions(void)
{
    static uint32_t arg[64];
    struct hcall h = { .arg = { (uintptr_t)arg } };

    setup();
    fake_guest_share(arg, sizeof(arg));
    for (uint32_t version = 0; version < 64; version++) {
        arg[0] = XEN_SYSCTL_sched_id;
        arg[1] = version;
        CU_ASSERT_EQUAL(do_sysctl(v0, &h), version == 0x15 ? 0 : -EACCES);
        arg[0] = XEN_DOMCTL_get_address_size;
        arg[1] = version;
        arg[2] = 0x7ff0;
        CU_ASSERT_EQUAL(do_domctl(v0, &h), version == 0x15 ? 0 : -EACCES);
        arg[0] = XENPF_get_cpuinfo;
        arg[1] = version;
        CU_ASSERT_EQUAL(do_platform_op(v0, &h), -EACCES);
    }
}

/* Every operation number, with an argument full of 0xa5: an error or an answer, never a crash (the sanitizers watch). */
static void test_wild_arguments(void)
{
    static uint8_t arg[256];
    struct hcall h = { .arg = { (uintptr_t)arg } };

    setup();
    fake_guest_share(arg, sizeof(arg));
    for (uint32_t cmd = 0; cmd < 1100; cmd++) {
        static const uint32_t version[] = { XEN_SYSCTL_INTERFACE_VERSION, XENPF_INTERFACE_VERSION };
        for (unsigned fill = 0; fill < 3; fill++) {
            for (unsigned call = 0; call < 3; call++) {
                if (call == 2 && cmd == XENPF_enter_acpi_sleep)
                    continue;
                memset(arg, fill == 0 ? 0 : fill == 1 ? 0xa5 : 0xff, sizeof(arg));
                memcpy(arg, &cmd, 4);
                memcpy(arg + 4, &version[call == 2], 4);
                long rc = call == 0 ? do_sysctl(v0, &h) : call == 1 ? do_domctl(v0, &h) : do_platform_op(v0, &h);
                CU_ASSERT_TRUE(rc <= 0 && rc != -ERESTART);
            }
        }
    }
    domain_rcu_softirq();
}

/* ---- the machine ---- */

static void test_physinfo(void)
{
    struct xen_sysctl s = { .cmd = XEN_SYSCTL_physinfo };

    setup();
    tsc_clock.khz = 2600000;
    memset(&s.u, 0xa5, sizeof(s.u));
    fake_guest_share(&s, sizeof(s));
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    const struct xen_sysctl_physinfo *p = &s.u.physinfo;
    CU_ASSERT_EQUAL(p->nr_cpus, 2);
    CU_ASSERT_EQUAL(p->threads_per_core, 1);
    CU_ASSERT_EQUAL(p->nr_nodes, 1);
    CU_ASSERT_EQUAL(p->cpu_khz, 2600000);
    CU_ASSERT_EQUAL(p->total_pages, FRAMES);
    CU_ASSERT_EQUAL(p->free_pages, frame_free_count());
    CU_ASSERT_EQUAL(p->capabilities, XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1);
    CU_ASSERT_EQUAL(p->pad, 0);
    CU_ASSERT_EQUAL(p->scrub_pages, 0);
    CU_ASSERT_EQUAL(p->arch_capabilities, 0);
}

static void test_topology(void)
{
    static struct xen_sysctl_cputopo topo[8];
    static uint8_t map[32];
    struct xen_sysctl s = { .cmd = XEN_SYSCTL_cputopoinfo };

    setup();
    fake_guest_share(&s, sizeof(s));
    fake_guest_share(topo, sizeof(topo));
    fake_guest_share(map, sizeof(map));
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.cputopoinfo.num_cpus, 2);
    memset(topo, 0xa5, sizeof(topo));
    s.u.cputopoinfo.num_cpus = 8;
    s.u.cputopoinfo.cputopo.p = topo;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.cputopoinfo.num_cpus, 2);
    CU_ASSERT_EQUAL(topo[1].core, 1);
    CU_ASSERT_EQUAL(topo[2].core, 0xa5a5a5a5);
    s.u.cputopoinfo.cputopo.p = HOLE;
    CU_ASSERT_EQUAL(sysctl_op(&s), -EFAULT);

    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_numainfo;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.numainfo.num_nodes, 1);

    /* One pool; its map fills the caller's buffer to the end, and not beyond. */
    memset(&s, 0, sizeof(s));
    memset(map, 0xa5, sizeof(map));
    s.cmd = XEN_SYSCTL_cpupool_op;
    s.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
    s.u.cpupool_op.cpumap.bitmap.p = map;
    s.u.cpupool_op.cpumap.nr_bits = 100;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.cpupool_op.sched_id, XEN_SCHEDULER_CREDIT2);
    CU_ASSERT_EQUAL(map[0], 3);
    CU_ASSERT_EQUAL(map[12], 0);
    CU_ASSERT_EQUAL(map[13], 0xa5);
    s.u.cpupool_op.cpumap.nr_bits = ~0u;                        /* XSA-56, 84 */
    CU_ASSERT_EQUAL(sysctl_op(&s), -EINVAL);
    s.u.cpupool_op.cpupool_id = 1;
    CU_ASSERT_EQUAL(sysctl_op(&s), -ENOENT);
}

static void test_domain_list(void)
{
    static struct xen_domctl_getdomaininfo info[4];
    struct xen_sysctl s = { .cmd = XEN_SYSCTL_getdomaininfolist };

    setup();
    fake_guest_share(&s, sizeof(s));
    fake_guest_share(info, sizeof(info));
    memset(info, 0xa5, sizeof(info));
    s.u.getdomaininfolist.max_domains = 4;
    s.u.getdomaininfolist.buffer.p = info;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.getdomaininfolist.num_domains, 1);
    CU_ASSERT_EQUAL(info[0].domain, 0);
    CU_ASSERT_EQUAL(info[0].pad1, 0);                           /* H38 */
    CU_ASSERT_EQUAL(info[0].pad2[6], 0);
    CU_ASSERT_EQUAL(info[0].flags >> 16, 255);
    CU_ASSERT_EQUAL(info[1].flags, 0xa5a5a5a5);
    s.u.getdomaininfolist.first_domain = 1;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.getdomaininfolist.num_domains, 0);
    s.u.getdomaininfolist.first_domain = 0xffff;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.getdomaininfolist.num_domains, 0);
}

static void test_readconsole(void)
{
    static char buf[70000];
    struct xen_sysctl s = { .cmd = XEN_SYSCTL_readconsole };

    setup();
    fake_guest_share(&s, sizeof(s));
    fake_guest_share(buf, sizeof(buf));
    s.u.readconsole.clear = 1;
    s.u.readconsole.count = sizeof(buf);
    s.u.readconsole.buffer.p = HOLE;
    console_ring_put("kept\n", 5);
    CU_ASSERT_EQUAL(sysctl_op(&s), -EFAULT);                    /* and nothing was cleared */
    s.u.readconsole.count = sizeof(buf);
    s.u.readconsole.buffer.p = buf;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_TRUE(s.u.readconsole.count >= 5);
    CU_ASSERT_EQUAL(memcmp(buf + s.u.readconsole.count - 5, "kept\n", 5), 0);
    for (unsigned i = 0; i < 10000; i++)
        console_ring_put("0123456", 7);
    s.u.readconsole.clear = 0;
    s.u.readconsole.count = 5000;                               /* more than one chunk */
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.readconsole.count, 5000);
    s.u.readconsole.incremental = 1;
    s.u.readconsole.count = sizeof(buf);
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_EQUAL(s.u.readconsole.count, 65536 - 5000);
}

static void test_debug_keys(void)
{
    static char keys[100] = "hq";
    struct xen_sysctl s = { .cmd = XEN_SYSCTL_debug_keys };

    setup();
    fake_guest_share(&s, sizeof(s));
    fake_guest_share(keys, sizeof(keys));
    s.u.debug_keys.keys.p = keys;
    s.u.debug_keys.nr_keys = 1;
    const unsigned before = fake_log.prints;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_TRUE(fake_log.prints > before);
    s.u.debug_keys.nr_keys = 65;
    CU_ASSERT_EQUAL(sysctl_op(&s), -E2BIG);
    s.u.debug_keys.nr_keys = ~0u;
    CU_ASSERT_EQUAL(sysctl_op(&s), -E2BIG);
}

static void test_cpu_policy(void)
{
    static xen_cpuid_leaf_t leaves[200];
    struct xen_sysctl s = { .cmd = XEN_SYSCTL_get_cpu_policy };

    setup();
    fake_guest_share(&s, sizeof(s));
    fake_guest_share(leaves, sizeof(leaves));
    s.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_pv_default;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_TRUE(s.u.cpu_policy.nr_leaves >= 120);
    CU_ASSERT_EQUAL(s.u.cpu_policy.nr_msrs, 2);
    s.u.cpu_policy.leaves.p = leaves;
    s.u.cpu_policy.nr_leaves = 200;
    CU_ASSERT_EQUAL(sysctl_op(&s), 0);
    CU_ASSERT_TRUE(s.u.cpu_policy.nr_leaves > 2 && s.u.cpu_policy.nr_leaves < 120);
    s.u.cpu_policy.nr_leaves = 1;
    CU_ASSERT_EQUAL(sysctl_op(&s), -ENOBUFS);
    s.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_hvm_max;
    CU_ASSERT_EQUAL(sysctl_op(&s), -EOPNOTSUPP);
    s.u.cpu_policy.index = 6;
    CU_ASSERT_EQUAL(sysctl_op(&s), -ENOENT);
}

/* ---- platform_op, xen_version ---- */

static void test_platform(void)
{
    struct xen_platform_op p = { .cmd = XENPF_get_cpuinfo, .interface_version = XENPF_INTERFACE_VERSION };
    struct hcall h = { .arg = { (uintptr_t)&p } };

    setup();
    fake_guest_share(&p, sizeof(p));
    acpi_info.nr_cpus = 1;
    acpi_info.cpu[0] = (struct acpi_cpu){ .apic_id = 1, .acpi_id = 9 };
    p.u.pcpu_info.xen_cpuid = 1;
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), 0);
    CU_ASSERT_EQUAL(p.u.pcpu_info.max_present, 1);
    CU_ASSERT_EQUAL(p.u.pcpu_info.acpi_id, 9);
    CU_ASSERT_EQUAL(p.u.pcpu_info.flags, XEN_PCPU_FLAGS_ONLINE);
    p.u.pcpu_info.xen_cpuid = ~0u;
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), 0);
    CU_ASSERT_EQUAL(p.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID);

    p.cmd = XENPF_settime64;
    p.u.settime64 = (struct xenpf_settime64){ .secs = 1000, .nsecs = 1000000000 };
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), -EINVAL);
    p.u.settime64.nsecs = 5;
    p.u.settime64.mbz = 1;
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), -EINVAL);
    p.u.settime64.mbz = 0;
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), 0);
    CU_ASSERT_EQUAL(d0->shared_info->wc_sec, 1000);
    CU_ASSERT_EQUAL(d0->shared_info->wc_nsec, 5);

    /* Off: both registers get the values, S5 only. */
    acpi_info.pm1a_cnt = 0x604;
    acpi_info.pm1b_cnt = 0x606;
    p.cmd = XENPF_enter_acpi_sleep;
    p.u.enter_acpi_sleep = (struct xenpf_enter_acpi_sleep){ .val_a = 0x2000, .val_b = 0x2400, .sleep_state = 3 };
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), -EOPNOTSUPP);
    p.u.enter_acpi_sleep.flags = 2;
    p.u.enter_acpi_sleep.sleep_state = 5;
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), -EINVAL);
    acpi_info.pm1a_cnt = 0;
    p.u.enter_acpi_sleep.flags = 0;
    CU_ASSERT_EQUAL(do_platform_op(v0, &h), -EPERM);
}

static void test_xen_version(void)
{
    static char buf[1024];
    struct xen_feature_info f = { 0 };

    setup();
    fake_guest_share(buf, sizeof(buf));
    fake_guest_share(&f, sizeof(f));
    for (unsigned cmd = 0; cmd < 32; cmd++) {
        struct hcall h = { .arg = { cmd, (uintptr_t)HOLE } };
        const long rc = do_xen_version(&v_domu, &h);
        CU_ASSERT_TRUE(cmd == XENVER_version ? rc == 0x40011 : rc < 0);
    }
    struct hcall h = { .arg = { XENVER_capabilities, (uintptr_t)buf } };
    memset(buf, 0xa5, sizeof(buf));
    CU_ASSERT_EQUAL(do_xen_version(&v_domu, &h), 0);
    CU_ASSERT_STRING_EQUAL(buf, "xen-3.0-x86_64 ");
    for (unsigned i = 16; i < sizeof(buf); i++)
        CU_ASSERT_EQUAL(buf[i], 0);                             /* H38 */
    strcpy(boot_info.cmdline, "dom0_mem=512M secret");
    h.arg[0] = XENVER_commandline;
    CU_ASSERT_EQUAL(do_xen_version(&v_domu, &h), 0);
    CU_ASSERT_STRING_EQUAL(buf, "<denied>");
    CU_ASSERT_EQUAL(do_xen_version(v0, &h), 0);
    CU_ASSERT_STRING_EQUAL(buf, "dom0_mem=512M secret");
    h = (struct hcall){ .arg = { XENVER_get_features, (uintptr_t)&f } };
    CU_ASSERT_EQUAL(do_xen_version(&v_domu, &h), 0);
    CU_ASSERT_EQUAL(f.submap & 15, 0);                          /* abi-map 2.5: must not contain 0..3 */
    CU_ASSERT_EQUAL(f.submap >> XENFEAT_dom0 & 1, 0);
    CU_ASSERT_EQUAL(do_xen_version(v0, &h), 0);
    CU_ASSERT_EQUAL(f.submap >> XENFEAT_dom0 & 1, 1);
    f.submap_idx = 1;
    CU_ASSERT_EQUAL(do_xen_version(v0, &h), -EINVAL);
}

/* ---- a domain's life ---- */

static struct xen_domctl c;

static void create_args(void)
{
    fake_guest_share(&c, sizeof(c));
    memset(&c, 0, sizeof(c));
    c.cmd = XEN_DOMCTL_createdomain;
    c.domain = 0xffff;
    c.u.createdomain = (struct xen_domctl_createdomain){ .max_vcpus = 2, .max_evtchn_port = 1023, .max_grant_frames = -1,
                                                         .max_maptrack_frames = -1, .grant_opts = 1 };
}

static domid_t create(void)
{
    create_args();
    CU_ASSERT_EQUAL_FATAL(domctl(&c), 0);
    const domid_t id = c.domain;
    c.cmd = XEN_DOMCTL_max_vcpus;
    c.u.max_vcpus.max = 2;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    return id;
}

static void destroy(domid_t id)
{
    c.cmd = XEN_DOMCTL_destroydomain;
    c.domain = id;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    domain_rcu_softirq();
    domain_rcu_softirq();
    c.cmd = XEN_DOMCTL_get_address_size;
    CU_ASSERT_EQUAL(domctl(&c), -ESRCH);
}

static void test_create_arguments(void)
{
    setup();
    const long live = fake_heap_live;
#define REFUSED(field, value) \
    create_args(); c.u.createdomain.field = (value); CU_ASSERT_EQUAL(domctl(&c), -EINVAL)
    REFUSED(max_vcpus, 0);
    REFUSED(max_vcpus, MAX_VCPUS + 1);
    REFUSED(max_vcpus, ~0u);
    REFUSED(flags, XEN_DOMCTL_CDF_hvm);
    REFUSED(flags, 1u << 31);
    REFUSED(iommu_opts, 1);
    REFUSED(grant_opts, 2);
    REFUSED(grant_opts, 0);
    REFUSED(vmtrace_size, 4096);
    REFUSED(cpupool_id, 1);
    REFUSED(arch.emulation_flags, 1);
    REFUSED(arch.misc_flags, ~0u);
    REFUSED(max_grant_frames, 65);
    REFUSED(max_maptrack_frames, INT32_MAX);
#undef REFUSED
    CU_ASSERT_EQUAL(fake_heap_live, live);
    create_args();
    c.domain = 500;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(c.domain, 500);
    create_args();
    c.domain = 500;
    CU_ASSERT_EQUAL(domctl(&c), -EEXIST);
    destroy(500);
    CU_ASSERT_EQUAL(fake_heap_live, live);
}

/* XSA-149, 151, 253: whatever fails to be allocated, nothing stays behind. */
static void test_create_out_of_memory(void)
{
    setup();
    const long live = fake_heap_live;
    const uint64_t frames = frame_free_count();
    for (unsigned k = 1; k < 60; k++) {
        create_args();
        fake_heap_fail_at(k);
        long rc = domctl(&c);
        const domid_t id = c.domain;
        if (rc == 0) {
            c.cmd = XEN_DOMCTL_max_vcpus;
            c.u.max_vcpus.max = 2;
            rc = domctl(&c);
            fake_heap_fail_at(0);
            CU_ASSERT_TRUE(rc == 0 || rc == -ENOMEM);
            destroy(id);
        } else {
            CU_ASSERT_EQUAL(rc, -ENOMEM);
        }
        fake_heap_fail_at(0);
        domain_rcu_softirq();
        CU_ASSERT_EQUAL(fake_heap_live, live);
        CU_ASSERT_EQUAL(frame_free_count(), frames);
    }
}

static void test_settings(void)
{
    static uint64_t hard, soft;

    setup();
    const long live = fake_heap_live;
    const domid_t id = create();
    fake_guest_share(&hard, sizeof(hard));
    fake_guest_share(&soft, sizeof(soft));
    c.domain = id;

    c.cmd = XEN_DOMCTL_max_vcpus;
    c.u.max_vcpus.max = 3;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);

    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_setvcpuaffinity;
    c.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    c.u.vcpuaffinity.cpumap_hard.bitmap.p = (void *)&hard;
    c.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    hard = 4;                                                   /* a CPU that is not there */
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    hard = 6;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(hard, 2);                                   /* what is in effect */
    c.u.vcpuaffinity.vcpu = 2;
    CU_ASSERT_EQUAL(domctl(&c), -ESRCH);
    c.u.vcpuaffinity.vcpu = 0;
    c.u.vcpuaffinity.flags = 8;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);

    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_scheduler_op;
    c.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    c.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    c.u.scheduler_op.u.credit2.weight = 512;
    c.u.scheduler_op.u.credit2.cap = 40;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    c.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    c.u.scheduler_op.u.credit2.weight = 0;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(c.u.scheduler_op.u.credit2.weight, 512);
    CU_ASSERT_EQUAL(c.u.scheduler_op.u.credit2.cap, 40);
    c.u.scheduler_op.sched_id = XEN_SCHEDULER_NULL;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);

    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_max_mem;
    c.u.max_mem.max_memkb = 40;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    c.cmd = XEN_DOMCTL_getdomaininfo;
    memset(&c.u, 0xa5, sizeof(c.u));
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(c.u.getdomaininfo.max_pages, 10);
    CU_ASSERT_EQUAL(c.u.getdomaininfo.max_vcpu_id, 1);
    CU_ASSERT_EQUAL(c.u.getdomaininfo.nr_online_vcpus, 0);
    CU_ASSERT_TRUE(c.u.getdomaininfo.flags & XEN_DOMINF_paused);
    c.domain = (domid_t)(id + 1);
    CU_ASSERT_EQUAL(domctl(&c), -ESRCH);
    c.domain = 1;                                               /* the next one there is */
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(c.domain, id);

    destroy(id);
    CU_ASSERT_EQUAL(fake_heap_live, live);
}

static void test_rights(void)
{
    setup();
    const domid_t id = create();
    struct domain *d = domain_lookup(id);
    c.domain = id;
    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_ioport_permission;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    c.u.ioport_permission = (struct xen_domctl_ioport_permission){ .first_port = 0xfff0, .nr_ports = 17, .allow_access = 1 };
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    c.u.ioport_permission = (struct xen_domctl_ioport_permission){ .first_port = 1, .nr_ports = ~0u, .allow_access = 1 };
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    io_caps_deny_all_ports(0x40, 0x43);
    c.u.ioport_permission = (struct xen_domctl_ioport_permission){ .first_port = 0x3f, .nr_ports = 2, .allow_access = 1 };
    CU_ASSERT_EQUAL(domctl(&c), -EPERM);
    c.u.ioport_permission = (struct xen_domctl_ioport_permission){ .first_port = 0x300, .nr_ports = 8, .allow_access = 1 };
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_TRUE(io_caps_port_ok(d, 0x300, 0x307));
    c.cmd = XEN_DOMCTL_iomem_permission;
    c.u.iomem_permission = (struct xen_domctl_iomem_permission){ .first_mfn = ~0UL, .nr_mfns = 2, .allow_access = 1 };
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    c.u.iomem_permission.nr_mfns = 0;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    c.cmd = XEN_DOMCTL_irq_permission;
    c.u.irq_permission = (struct xen_domctl_irq_permission){ .pirq = ~0u, .allow_access = 1 };
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    domain_put(d);
    destroy(id);
}

/* XSA-127: nothing that stops or takes apart its own caller. */
static void test_not_on_self(void)
{
    static const uint32_t cmds[] = { XEN_DOMCTL_pausedomain, XEN_DOMCTL_unpausedomain, XEN_DOMCTL_destroydomain,
                                     XEN_DOMCTL_setvcpucontext, XEN_DOMCTL_getvcpucontext, XEN_DOMCTL_resumedomain,
                                     XEN_DOMCTL_setvcpuextstate, XEN_DOMCTL_set_cpu_policy, XEN_DOMCTL_max_vcpus };

    setup();
    create_args();
    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++) {
        c.cmd = cmds[i];
        c.domain = 0;
        CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
        c.domain = 0x7ff0;
        CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
        c.domain = 0x7ff1;
        CU_ASSERT_EQUAL(domctl(&c), -ESRCH);
    }
}

static void test_pageframeinfo(void)
{
    static uint64_t frames[2000];

    setup();
    const domid_t id = create();
    struct domain *d = domain_lookup(id);
    mfn_t m;
    d->mm.max_pages = 100;
    CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(d, 0, 0, &m), 0);
    fake_guest_share(frames, sizeof(frames));
    c.cmd = XEN_DOMCTL_getpageframeinfo3;
    c.domain = id;
    memset(&c.u, 0, sizeof(c.u));
    c.u.getpageframeinfo3.num = 4;
    c.u.getpageframeinfo3.array.p = frames;
    frames[0] = m.n, frames[1] = ~0UL, frames[2] = d->shared_info_mfn.n, frames[3] = d0->shared_info_mfn.n;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(frames[0], XEN_DOMCTL_PFINFO_NOTAB);
    CU_ASSERT_EQUAL(frames[1], XEN_DOMCTL_PFINFO_XTAB);
    CU_ASSERT_EQUAL(frames[2], XEN_DOMCTL_PFINFO_XTAB);
    CU_ASSERT_EQUAL(frames[3], XEN_DOMCTL_PFINFO_XTAB);
    c.u.getpageframeinfo3.num = 1024;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    c.u.getpageframeinfo3.num = 1025;
    CU_ASSERT_EQUAL(domctl(&c), -E2BIG);
    c.u.getpageframeinfo3.num = ~0UL;
    CU_ASSERT_EQUAL(domctl(&c), -E2BIG);
    domain_put(d);
    destroy(id);
}

static void test_vcpu_state(void)
{
    static struct xen_domctl_vcpu_msr msrs[33];

    setup();
    const domid_t id = create();
    fake_guest_share(msrs, sizeof(msrs));
    c.domain = id;
    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_get_vcpu_msrs;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(c.u.vcpu_msrs.msr_count, 2);
    c.cmd = XEN_DOMCTL_set_vcpu_msrs;
    c.u.vcpu_msrs.msrs.p = msrs;
    c.u.vcpu_msrs.msr_count = 2;
    msrs[0] = (struct xen_domctl_vcpu_msr){ .index = 0xc0000103, .value = 7 };
    msrs[1] = (struct xen_domctl_vcpu_msr){ .index = 0x140, .value = 1 };       /* not offered */
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    CU_ASSERT_EQUAL(c.u.vcpu_msrs.msr_count, 1);
    c.u.vcpu_msrs.msr_count = 1;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    c.cmd = XEN_DOMCTL_get_vcpu_msrs;
    memset(msrs, 0xa5, sizeof(msrs));
    c.u.vcpu_msrs.msr_count = 0;
    CU_ASSERT_EQUAL(domctl(&c), -ENOBUFS);
    c.u.vcpu_msrs.msr_count = 33;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    CU_ASSERT_EQUAL(c.u.vcpu_msrs.msr_count, 1);
    CU_ASSERT_EQUAL(msrs[0].value, 7);
    CU_ASSERT_EQUAL(msrs[0].reserved, 0);
    CU_ASSERT_EQUAL(msrs[1].index, 0xa5a5a5a5);
    c.u.vcpu_msrs.vcpu = 2;
    CU_ASSERT_EQUAL(domctl(&c), -ESRCH);

    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_get_ext_vcpucontext;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    c.cmd = XEN_DOMCTL_set_ext_vcpucontext;
    CU_ASSERT_EQUAL(domctl(&c), 0);
    c.u.ext_vcpucontext.sysenter_callback_eip = 0xffff800000000000;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    c.u.ext_vcpucontext.sysenter_callback_eip = 0x0000800000000000;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    c.u.ext_vcpucontext.sysenter_callback_eip = 0;
    c.u.ext_vcpucontext.size = 8;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);

    memset(&c.u, 0, sizeof(c.u));
    c.cmd = XEN_DOMCTL_getvcpucontext;
    CU_ASSERT_EQUAL(domctl(&c), -ENODATA);                      /* none set yet */

    struct domain *d = domain_lookup(id);
    d->dying = DYING_RELINQUISH;                                /* XSA-410: nothing new for a domain that is going */
    c.cmd = XEN_DOMCTL_setvcpucontext;
    CU_ASSERT_EQUAL(domctl(&c), -EINVAL);
    d->dying = DYING_NO;
    domain_put(d);
    destroy(id);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_h98_permissions), UNIT(test_interface_versions), UNIT(test_physinfo),
        UNIT(test_topology),        UNIT(test_domain_list),        UNIT(test_readconsole),
        UNIT(test_debug_keys),      UNIT(test_cpu_policy),         UNIT(test_platform),
        UNIT(test_xen_version),     UNIT(test_create_arguments),   UNIT(test_create_out_of_memory),
        UNIT(test_settings),        UNIT(test_rights),             UNIT(test_not_on_self),
        UNIT(test_pageframeinfo),   UNIT(test_vcpu_state),         UNIT(test_wild_arguments),
        { 0 },
    };
    return unit_main("toolstack", cases);
}
