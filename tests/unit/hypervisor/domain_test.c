/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_test.c - domains from creation to the last reference, vCPU contexts, and the calls that set a virtual CPU's state
 *
 * Checklist items are named where they are tested: H39, H70, H71, H76, H79, H81, H95, H100, H102, H103.
 */
#include <string.h>
#include <xen/callback.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "domain/domain.h"
#include "event/event.h"
#include "grant/grant.h"
#include "heap_fake.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "layout.h"
#include "machine_fake.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"
#include "sched/sched.h"
#include "softirq.h"
#include "../unit.h"

#define FRAMES 4096
void domain_rcu_softirq(void);

static struct domain_create_args args(domid_t id)
{
    return (struct domain_create_args){
        .id = id, .max_vcpus = 2, .max_evtchn_port = 1023, .max_grant_frames = 4, .max_maptrack_frames = 4,
    };
}

static struct domain *make(domid_t id)
{
    struct domain *d = NULL;
    const struct domain_create_args a = args(id);
    CU_ASSERT_EQUAL_FATAL(domain_create(&a, &d), 0);
    d->mm.max_pages = 1024;
    for (unsigned i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(domain_create_vcpu(d, i), 0);
    return d;
}

/* Kill with preemption at every question, then let the softirq finish. The caller's reference goes too. */
static void destroy(struct domain *d)
{
    const domid_t id = d->id;
    int rc;
    do
        rc = domain_kill(d);
    while (rc == -ERESTART);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(domain_kill(d), 0);         /* again: nothing more to do */
    domain_put(d);
    domain_rcu_softirq();
    domain_rcu_softirq();
    CU_ASSERT_PTR_NULL(domain_by_id_unreferenced(id));
}

static void test_ids(void)
{
    struct domain *a = make(DOMID_INVALID), *b = make(DOMID_INVALID), *c;
    const struct domain_create_args same = args(b->id);
    CU_ASSERT_NOT_EQUAL(a->id, 0);
    CU_ASSERT_NOT_EQUAL(a->id, b->id);
    CU_ASSERT_EQUAL(domain_create(&same, &c), -EEXIST);
    struct domain_create_args bad = args(DOMID_INVALID);
    bad.max_vcpus = 0;
    CU_ASSERT_EQUAL(domain_create(&bad, &c), -EINVAL);
    bad.max_vcpus = MAX_VCPUS + 1;
    CU_ASSERT_EQUAL(domain_create(&bad, &c), -EINVAL);

    CU_ASSERT_PTR_EQUAL(domain_lookup(a->id), a);
    domain_put(a);
    CU_ASSERT_PTR_NULL(domain_lookup(DOMID_SELF));
    CU_ASSERT_PTR_NULL(domain_lookup(12345));
    struct domain *first = domain_lookup_from(0);
    CU_ASSERT_PTR_EQUAL(first, a->id < b->id ? a : b);
    domain_put(first);
    const domid_t old = b->id;
    destroy(a);
    destroy(b);
    struct domain *d = make(DOMID_INVALID);
    CU_ASSERT_TRUE(d->id > old);                /* ids are not reused at once */
    destroy(d);
}

/* Every allocation of a creation fails once: nothing is left, nothing is lost. */
static void test_create_out_of_memory(void)
{
    const uint64_t before = frame_free_count();
    const long live = fake_heap_live;
    for (unsigned nth = 1;; nth++) {
        const struct domain_create_args a = args(DOMID_INVALID);
        struct domain *d = NULL;
        fake_heap_fail_at(nth);
        int rc = domain_create(&a, &d);
        if (!rc)
            rc = domain_create_vcpu(d, 0);
        const bool injected = !fake_heap_fail_pending();
        fake_heap_fail_at(0);
        if (d)
            destroy(d);
        domain_rcu_softirq();
        CU_ASSERT_EQUAL_FATAL(fake_heap_live, live);
        CU_ASSERT_EQUAL_FATAL(frame_free_count(), before);
        if (!injected) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_FATAL(nth < 200);
    }
}

static void test_vcpus(void)
{
    struct domain *d = make(DOMID_INVALID);
    CU_ASSERT_EQUAL(domain_create_vcpu(d, 0), -EEXIST);
    CU_ASSERT_EQUAL(domain_create_vcpu(d, 2), -EINVAL);
    CU_ASSERT_PTR_NULL(domain_vcpu(d, 2));
    CU_ASSERT_PTR_NULL(domain_vcpu(d, ~0UL));
    struct vcpu *v = domain_vcpu(d, 0);
    CU_ASSERT_FALSE(vcpu_runnable(v));
    CU_ASSERT_EQUAL(v->info->evtchn_upcall_mask, 1);
    destroy(d);
}

/* H103 in small: a domain with memory, ports and a foreign hold on one frame dies in pieces; the id stays until the hold goes. */
static void test_kill(void)
{
    const uint64_t before = frame_free_count();
    struct domain *d = make(DOMID_INVALID);
    mfn_t m[40];
    for (unsigned i = 0; i < ARRAY_SIZE(m); i++)
        CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(d, 0, 0, &m[i]), 0);
    uint32_t port;
    CU_ASSERT_EQUAL(evtchn_alloc_unbound(d, 0, &port), 0);
    CU_ASSERT_TRUE_FATAL(page_ref_get(m[7], d));

    fake_preempt_at(1, 2);
    int rc;
    unsigned calls = 0;
    do {
        rc = domain_kill(d);
        calls++;
    } while (rc == -ERESTART && calls < 10000);
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(rc, 0);
    const domid_t id = d->id;
    mfn_t none;
    CU_ASSERT_EQUAL(frame_alloc_domain(d, 0, 0, &none), -EINVAL);      /* XSA-410 */
    domain_put(d);
    domain_rcu_softirq();
    CU_ASSERT_PTR_NOT_NULL(domain_by_id_unreferenced(id));              /* zombie: the frame is still held */
    const struct domain_create_args reuse = args(id);
    struct domain *c;
    CU_ASSERT_EQUAL(domain_create(&reuse, &c), -EEXIST);
    page_ref_put(m[7]);
    domain_rcu_softirq();
    domain_rcu_softirq();
    CU_ASSERT_PTR_NULL(domain_by_id_unreferenced(id));
    CU_ASSERT_EQUAL(frame_free_count(), before);
}

static void test_pause_counts(void)
{
    struct domain *d = make(DOMID_INVALID);
    struct vcpu *v = domain_vcpu(d, 0);
    atomic_fetch_and(&v->pause_flags, ~VPF_DOWN);
    CU_ASSERT_FALSE(vcpu_runnable(v));
    CU_ASSERT_EQUAL(domain_controller_unpause(d), 0);
    CU_ASSERT_TRUE(vcpu_runnable(v));
    CU_ASSERT_EQUAL(domain_controller_unpause(d), -EINVAL);
    domain_controller_pause(d);
    domain_controller_pause(d);
    CU_ASSERT_EQUAL(domain_controller_unpause(d), 0);
    CU_ASSERT_FALSE(vcpu_runnable(v));
    CU_ASSERT_EQUAL(domain_controller_unpause(d), 0);
    vcpu_pause(v);
    CU_ASSERT_FALSE(vcpu_runnable(v));
    vcpu_unpause(v);
    CU_ASSERT_TRUE(vcpu_runnable(v));
    destroy(d);
}

static void test_shutdown_and_resume(void)
{
    struct domain *d = make(DOMID_INVALID);
    struct vcpu *v = domain_vcpu(d, 0);
    atomic_fetch_and(&v->pause_flags, ~VPF_DOWN);
    CU_ASSERT_EQUAL(domain_controller_unpause(d), 0);
    atomic_store(&v->sched.running, true);
    domain_shutdown(d, SHUTDOWN_suspend);
    CU_ASSERT_TRUE(d->is_shutting_down);
    CU_ASSERT_FALSE(d->is_shut_down);           /* its vCPU is still on a CPU */
    atomic_store(&v->sched.running, false);
    domain_shutdown_check(d);
    CU_ASSERT_TRUE(d->is_shut_down);
    domain_shutdown(d, SHUTDOWN_crash);
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_suspend);        /* the first reason stays */
    CU_ASSERT_FALSE(vcpu_runnable(v));
    CU_ASSERT_EQUAL(domain_resume(d), 0);
    CU_ASSERT_TRUE(vcpu_runnable(v));
    CU_ASSERT_EQUAL(d->shutdown_code, 255);
    domain_crash(d, "test");
    CU_ASSERT_FALSE(vcpu_runnable(v));
    domain_rcu_softirq();
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_crash);
    destroy(d);
}

/* ---- vCPU contexts ---- */

struct guest {
    struct domain *d;
    struct vcpu *v;
    mfn_t l4, gdt, info, data;
};

static struct guest guest(void)
{
    struct guest g = { .d = make(DOMID_INVALID) };
    g.v = domain_vcpu(g.d, 0);
    mfn_t *const f[] = { &g.l4, &g.gdt, &g.info, &g.data };
    for (unsigned i = 0; i < ARRAY_SIZE(f); i++)
        CU_ASSERT_EQUAL_FATAL(frame_alloc_domain(g.d, 0, 0, f[i]), 0);
    return g;
}

static int set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc;
    do
        rc = vcpu_set_context(v, c);
    while (rc == -ERESTART);
    return rc;
}

static struct vcpu_guest_context context(const struct guest *g)
{
    struct vcpu_guest_context c;
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = 0xffffffff81000000;
    c.user_regs.rsp = 0xffffffff82000000;
    c.user_regs.cs = 0xe033;
    c.user_regs.ss = 0xe02b;
    c.user_regs.rflags = 0x3202;
    c.kernel_sp = 0xffffffff82000000;
    c.ctrlreg[3] = g->l4.n << PAGE_SHIFT;
    return c;
}

/* H95: each address that is not canonical or lies in our range is refused, and nothing is stored. */
static void test_context_refused(void)
{
    struct guest g = guest();
    const uint64_t bad[] = { 0x0000800000000000, HV_START, HV_END - 1, M2P_RW_START };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct vcpu_guest_context c = context(&g);
        uint64_t *const field[] = { &c.user_regs.rip, &c.event_callback_eip, &c.failsafe_callback_eip,
                                    &c.syscall_callback_eip, &c.trap_ctxt[14].address, &c.kernel_sp };
        for (unsigned f = 0; f < ARRAY_SIZE(field); f++) {
            const uint64_t keep = *field[f];
            *field[f] = bad[i] + (field[f] == &c.kernel_sp ? 64 : 0);
            CU_ASSERT_EQUAL(set_context(g.v, &c), -EINVAL);
            *field[f] = keep;
        }
    }
    struct vcpu_guest_context c = context(&g);
    c.fs_base = 0x0000800000000000;
    CU_ASSERT_EQUAL(set_context(g.v, &c), -EINVAL);
    c = context(&g);
    c.gdt_ents = GDT_FRAMES * 512 + 1;          /* H71 */
    CU_ASSERT_EQUAL(set_context(g.v, &c), -EINVAL);
    c = context(&g);
    c.ldt_ents = 1;
    c.ldt_base = 0x1001;                        /* H20 */
    CU_ASSERT_EQUAL(set_context(g.v, &c), -EINVAL);
    c = context(&g);
    c.ctrlreg[3] = 0x7fffffffUL << PAGE_SHIFT;  /* no such frame */
    CU_ASSERT_TRUE(set_context(g.v, &c) < 0);
    CU_ASSERT_FALSE(g.v->initialised);
    destroy(g.d);
}

/* H76: what reaches the hardware is ring 3, interrupts on, IOPL 0, no NT, no VM. */
static void test_context_sanitised(void)
{
    struct guest g = guest();
    struct vcpu_guest_context c = context(&g), out;
    c.user_regs.cs = 0x10;
    c.user_regs.ss = 0x18;
    c.user_regs.rflags = 0x27000;               /* VM NT IOPL 3, IF clear */
    c.debugreg[0] = HV_START + 8;
    c.debugreg[7] = 0x2403;
    CU_ASSERT_EQUAL_FATAL(set_context(g.v, &c), 0);
    const struct cpu_user_regs *r = &g.v->cpu.regs;
    CU_ASSERT_EQUAL(r->cs, 0x13);
    CU_ASSERT_EQUAL(r->ss, 0x1b);
    CU_ASSERT_EQUAL(r->rflags, 0x202);
    CU_ASSERT_EQUAL(g.v->cpu.iopl, 3);
    CU_ASSERT_EQUAL(g.v->cpu.debugreg[0], 0);
    CU_ASSERT_EQUAL(g.v->cpu.debugreg[7] & 0x2000, 0);          /* no GD */
    CU_ASSERT_EQUAL(atomic_load(&g.v->pause_flags) & VPF_DOWN, 0);

    vcpu_get_context(g.v, &out);
    CU_ASSERT_EQUAL(out.ctrlreg[3], c.ctrlreg[3]);
    CU_ASSERT_EQUAL(out.ctrlreg[1], 0);
    CU_ASSERT_EQUAL(out.user_regs.rip, c.user_regs.rip);
    CU_ASSERT_TRUE(out.flags & VGCF_in_kernel);

    /* Resume: registers may change, structure may not. */
    out.user_regs.rax = 1;
    CU_ASSERT_EQUAL(set_context(g.v, &out), 0);
    CU_ASSERT_EQUAL(g.v->cpu.regs.rax, 1);
    out.ctrlreg[3] = g.data.n << PAGE_SHIFT;
    CU_ASSERT_EQUAL(set_context(g.v, &out), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(vcpu_initialise(g.v, &c), -EEXIST);          /* H95 */

    int rc;
    do
        rc = vcpu_reset(g.v);
    while (rc == -ERESTART);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_FALSE(g.v->initialised);
    CU_ASSERT_EQUAL(set_context(g.v, &c), 0);
    destroy(g.d);
}

/* H39 */
static void test_register_info(void)
{
    struct guest g = guest();
    struct vcpu *v1 = domain_vcpu(g.d, 1);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(g.info.n), 4), -ENXIO);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(g.info.n), 4096 - 32), -ENXIO);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(g.info.n), ~0u), -ENXIO);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(0), 0), -EINVAL);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(~0UL), 0), -EINVAL);
    atomic_fetch_and(&v1->pause_flags, ~VPF_DOWN);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, v1, gfn(g.info.n), 0), -EINVAL);
    atomic_fetch_or(&v1->pause_flags, VPF_DOWN);

    g.v->info->arch.cr2 = 0x1234;
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(g.info.n), 64), 0);
    CU_ASSERT_EQUAL(g.v->info->arch.cr2, 0x1234);               /* contents move along */
    CU_ASSERT_EQUAL(g.v->info->evtchn_pending_sel, ~0UL);
    CU_ASSERT_EQUAL(g.v->info->evtchn_upcall_pending, 1);
    CU_ASSERT_PTR_EQUAL(g.v->info, (char *)frame_ptr(g.info) + 64);
    CU_ASSERT_EQUAL(vcpu_register_info(g.v, g.v, gfn(g.data.n), 0), -EINVAL);
    destroy(g.d);
}

/* ---- hypercalls ---- */

static long call(struct vcpu *v, unsigned nr, uint64_t a, uint64_t b, uint64_t c)
{
    struct hcall h = { .arg = { a, b, c } };
    return hypercall_dispatch(v, nr, &h);
}

/* H100 */
static void test_unknown_hypercalls(void)
{
    struct guest g = guest();
    fake_set_current(g.v);
    const uint64_t none[] = { 6, 11, 16, 19, 27, 31, 34, 37, 38, 39, 40, 41, 42, 48, 63, 64, 1UL << 31, ~0UL };
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
        struct hcall h = { 0 };
        CU_ASSERT_EQUAL(hypercall_dispatch(g.v, none[i], &h), -ENOSYS);
    }
    fake_set_current(NULL);
    destroy(g.d);
}

/* H70 */
static void test_callbacks(void)
{
    struct guest g = guest();
    struct callback_register r = { .type = CALLBACKTYPE_event, .address = 0xffffffff81000000 };
    fake_guest_reset();
    fake_guest_share(&r, sizeof(r));
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_callback_op, CALLBACKOP_register, (uintptr_t)&r, 0), 0);
    r.address = HV_START;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_callback_op, CALLBACKOP_register, (uintptr_t)&r, 0), -EINVAL);
    CU_ASSERT_EQUAL(g.v->cpu.event_callback, 0xffffffff81000000);
    r.address = 1UL << 47;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_callback_op, CALLBACKOP_register, (uintptr_t)&r, 0), -EINVAL);
    r.address = 0x1000;
    r.type = 99;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_callback_op, CALLBACKOP_register, (uintptr_t)&r, 0), -ENOSYS);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_callback_op, 77, (uintptr_t)&r, 0), -ENOSYS);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_callback_op, CALLBACKOP_register, HV_START, 0), -EFAULT);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_set_callbacks, HV_START, 0x1000, 1UL << 47), 0);
    CU_ASSERT_EQUAL(g.v->cpu.event_callback, 0xffffffff81000000);       /* the old call stores only what is fit */
    CU_ASSERT_EQUAL(g.v->cpu.failsafe_callback, 0x1000);
    CU_ASSERT_EQUAL(g.v->cpu.syscall_callback, 0);

    struct trap_info t[2] = { { .vector = 14, .address = HV_START } };
    fake_guest_share(t, sizeof(t));
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_set_trap_table, (uintptr_t)t, 0, 0), -EINVAL);
    CU_ASSERT_EQUAL(g.v->cpu.traps[14].address, 0);
    t[0].address = 0x2000;
    t[0].flags = 3 | 4;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_set_trap_table, (uintptr_t)t, 0, 0), 0);
    CU_ASSERT_EQUAL(g.v->cpu.traps[14].dpl, 3);
    CU_ASSERT_TRUE(g.v->cpu.traps[14].mask_events);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_set_trap_table, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(g.v->cpu.traps[14].address, 0);

    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_stack_switch, 0, HV_START + 64, 0), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_stack_switch, 0, HV_END + 64, 0), -EINVAL);  /* would reach below */
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_stack_switch, 0, 64, 0), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_stack_switch, 0xe02b, HV_END + 4096, 0), 0);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_set_segment_base, 0, 1UL << 47, 0), -EINVAL);        /* H73 */
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_set_segment_base, 9, 0, 0), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vm_assist, 0, 63, 0), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vm_assist, 0, 2, 0), 0);
    destroy(g.d);
}

/* H102: nested multicall, list beyond what is mapped; results of each entry; preemption between entries. */
static void test_multicall(void)
{
    struct guest g = guest();
    struct multicall_entry list[4] = {
        { .op = __HYPERVISOR_vm_assist, .args = { 0, 2 } },
        { .op = 63 },
        { .op = __HYPERVISOR_multicall, .args = { 0, 1 } },
        { .op = __HYPERVISOR_vm_assist, .args = { 0, 63 } },
    };
    fake_set_current(g.v);
    fake_guest_reset();
    fake_guest_share(list, sizeof(list));
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_multicall, (uintptr_t)list, 4, 0), 0);
    CU_ASSERT_EQUAL((long)list[0].result, 0);
    CU_ASSERT_EQUAL((long)list[1].result, -ENOSYS);
    CU_ASSERT_EQUAL((long)list[2].result, -EINVAL);
    CU_ASSERT_EQUAL((long)list[3].result, -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_multicall, (uintptr_t)list, 5, 0), -EFAULT);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_multicall, 0, 0, 0), 0);

    for (unsigned i = 0; i < 4; i++)
        list[i].result = 77;
    fake_preempt_at(2, 0);
    struct hcall h = { .arg = { (uintptr_t)list, 4 } };
    CU_ASSERT_EQUAL(hypercall_dispatch(g.v, __HYPERVISOR_multicall, &h), -ERESTART);
    fake_preempt_at(0, 0);
    CU_ASSERT_EQUAL(h.arg[0], (uintptr_t)&list[2]);
    CU_ASSERT_EQUAL(h.arg[1], 2);
    CU_ASSERT_EQUAL(list[2].result, 77);
    CU_ASSERT_EQUAL(hypercall_dispatch(g.v, __HYPERVISOR_multicall, &h), 0);
    CU_ASSERT_EQUAL((long)list[3].result, -EINVAL);
    fake_set_current(NULL);
    destroy(g.d);
}

/* H79, H75, H19: iret ends a multicall; without user tables or with an unreadable frame the domain dies. */
static void test_iret(void)
{
    struct guest g = guest();
    uint64_t frame[9] = { (uint64_t)-ERESTART, 11, 12, 0, 0x401000, 0x33, 0x3202, 0x7fff0000, 0x2b };
    struct multicall_entry list[2] = { { .op = __HYPERVISOR_iret }, { .op = __HYPERVISOR_vm_assist, .result = 77 } };
    fake_set_current(g.v);
    fake_guest_reset();
    fake_guest_share(frame, sizeof(frame));
    fake_guest_share(list, sizeof(list));
    g.v->cpu.regs.rsp = (uintptr_t)frame;
    g.v->cpu.user_cr3 = 0x1000;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_multicall, (uintptr_t)list, 2, 0), HCALL_REGS_SET);
    CU_ASSERT_EQUAL(list[1].result, 77);
    CU_ASSERT_EQUAL(g.v->cpu.regs.rax, (uint64_t)-ERESTART);     /* any value of the frame is only a value */
    CU_ASSERT_EQUAL(g.v->cpu.regs.rip, 0x401000);
    CU_ASSERT_EQUAL(g.v->cpu.regs.cs, 0x33);
    CU_ASSERT_EQUAL(g.v->cpu.regs.rflags, 0x202);
    CU_ASSERT_FALSE(g.v->cpu.kernel_mode);

    g.v->cpu.kernel_mode = true;
    g.v->cpu.user_cr3 = 0;
    g.v->cpu.regs.rsp = (uintptr_t)frame;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_iret, 0, 0, 0), HCALL_REGS_SET);
    CU_ASSERT_TRUE(atomic_load(&g.v->pause_flags) & VPF_SHUT);
    domain_rcu_softirq();
    CU_ASSERT_EQUAL(g.d->shutdown_code, SHUTDOWN_crash);
    fake_set_current(NULL);
    destroy(g.d);
}

/* H95 */
static void test_vcpu_op(void)
{
    struct guest g = guest();
    struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = 1 };
    fake_guest_reset();
    fake_guest_share(&t, sizeof(t));
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 2, 0), -ENOENT);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 8191, 0), -ENOENT);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 0);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, HV_START), -EFAULT);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 1, (uintptr_t)&t), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (uintptr_t)&t), 0);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 8), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_vcpu_op, 999, 0, 0), -ENOSYS);
    destroy(g.d);
}

static void test_sched_op(void)
{
    struct guest g = guest();
    struct domain *tools = make(DOMID_INVALID);
    struct sched_shutdown s = { .reason = SHUTDOWN_reboot };
    struct sched_remote_shutdown r = { .domain_id = g.d->id, .reason = SHUTDOWN_poweroff };
    struct sched_poll p = { .nr_ports = 129 };
    fake_guest_reset();
    fake_guest_share(&s, sizeof(s));
    fake_guest_share(&r, sizeof(r));
    fake_guest_share(&p, sizeof(p));
    tools->privileged = true;
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_sched_op, SCHEDOP_poll, (uintptr_t)&p, 0), -EINVAL);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_sched_op, SCHEDOP_pin_override, 0, 0), -EPERM);
    for (unsigned op = SCHEDOP_shutdown; op <= SCHEDOP_watchdog; op++)
        CU_ASSERT_EQUAL(call(domain_vcpu(tools, 0), __HYPERVISOR_sched_op, op, HV_START, 0), -EFAULT);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (uintptr_t)&r, 0), -EPERM);
    CU_ASSERT_FALSE(g.d->is_shutting_down);
    CU_ASSERT_EQUAL(call(g.v, __HYPERVISOR_sched_op, SCHEDOP_shutdown_code, (uintptr_t)&s, 0), 0);
    CU_ASSERT_EQUAL(g.d->shutdown_code, SHUTDOWN_reboot);

    /* What the toolstack asks for; the code set before names the reason. */
    struct vcpu *const v0 = domain_vcpu(tools, 0);
    CU_ASSERT_EQUAL(call(v0, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (uintptr_t)&r, 0), 0);
    CU_ASSERT_TRUE(g.d->is_shutting_down);
    CU_ASSERT_EQUAL(g.d->shutdown_code, SHUTDOWN_reboot);
    r.domain_id = 0x7000;
    CU_ASSERT_EQUAL(call(v0, __HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (uintptr_t)&r, 0), -ESRCH);
    CU_ASSERT_EQUAL(call(v0, __HYPERVISOR_sched_op, SCHEDOP_shutdown, (uintptr_t)&s, 0), 0);
    CU_ASSERT_TRUE(tools->is_shutting_down);
    CU_ASSERT_EQUAL(tools->shutdown_code, SHUTDOWN_reboot);
    destroy(g.d);
    destroy(tools);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_ids), UNIT(test_create_out_of_memory), UNIT(test_vcpus), UNIT(test_kill), UNIT(test_pause_counts),
        UNIT(test_shutdown_and_resume), UNIT(test_context_refused), UNIT(test_context_sanitised),
        UNIT(test_register_info), UNIT(test_unknown_hypercalls), UNIT(test_callbacks), UNIT(test_multicall),
        UNIT(test_iret), UNIT(test_vcpu_op), UNIT(test_sched_op), { 0 },
    };
    fake_machine_init(FRAMES);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        timer_init_cpu(cpu);
        sched_init_cpu(cpu);
    }
    return unit_main("domain", cases);
}
