/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu_state.c - what a guest kernel tells about its CPU: traps, callbacks, stack, FPU, bases, assists
 *
 * ABI: abi-map 2.8. Every address is judged when it is stored (canonical, outside our range), so that entry.S may use
 * it unchecked (XSA-7, 193, 215).
 */
#include "entry/guest_address.h"
#include "entry/guest_mode.h"
#include "hypercall/hypercall.h"
#include "layout.h"

#include <xen/callback.h>
#include <xen/nmi.h>
#include <xen/xen.h>

#define TI_MASK_EVENTS 4

/* ---- trap table ---- */

long do_set_trap_table(struct vcpu *v, struct hcall *h)
{
    gva_t at = gva(h->arg[0]);

    if (!at.n) {
        for (unsigned i = 0; i < 256; i++)
            v->cpu.traps[i] = (struct guest_trap){ 0 };
        return 0;
    }
    for (unsigned n = 0;; n++, at.n += sizeof(struct trap_info)) {
        struct trap_info t;
        if (n && n % 64 == 0 && hypercall_preempt()) {
            h->arg[0] = at.n;
            return -ERESTART;
        }
        if (guest_copy_in(&t, at, sizeof(t)))
            return -EFAULT;
        if (!t.address)
            return 0;
        if (!guest_address_ok(t.address))
            return -EINVAL;
        v->cpu.traps[t.vector] = (struct guest_trap){
            .address = t.address,
            .dpl = TI_GET_DPL(&t),
            .mask_events = (t.flags & TI_MASK_EVENTS) != 0,
            .cs = t.cs | 3,
        };
    }
}

long do_nmi_op(struct vcpu *v, struct hcall *h)
{
    struct xennmi_callback cb;
    switch ((uint32_t)h->arg[0]) {
    case XENNMI_register_callback:
        if (guest_copy_in(&cb, gva(h->arg[1]), sizeof(cb)))
            return -EFAULT;
        if (!guest_address_ok(cb.handler_address))
            return -EINVAL;
        v->cpu.traps[2] = (struct guest_trap){ .address = cb.handler_address, .mask_events = true };
        return 0;
    case XENNMI_unregister_callback:
        v->cpu.traps[2] = (struct guest_trap){ 0 };
        return 0;
    default:
        return -ENOSYS;
    }
}

/* ---- callbacks ---- */

static long store_callback(struct vcpu *v, uint16_t type, uint64_t address, bool mask_events)
{
    struct guest_cpu *c = &v->cpu;
    switch (type) {
    case CALLBACKTYPE_event:
        c->event_callback = address;            /* events are always masked on entry */
        return 0;
    case CALLBACKTYPE_failsafe:
        c->failsafe_callback = address;
        c->failsafe_mask_events = mask_events;
        return 0;
    case CALLBACKTYPE_syscall:
        c->syscall_callback = address;
        c->syscall_mask_events = mask_events;
        return 0;
    case CALLBACKTYPE_syscall32:
        c->syscall32_callback = address;
        c->syscall32_mask_events = mask_events;
        return 0;
    case CALLBACKTYPE_sysenter:
        c->sysenter_callback = address;
        c->sysenter_mask_events = mask_events;
        return 0;
    case CALLBACKTYPE_nmi:
        c->traps[2] = (struct guest_trap){ .address = address, .mask_events = true };
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_callback_op(struct vcpu *v, struct hcall *h)
{
    switch ((uint32_t)h->arg[0]) {
    case CALLBACKOP_register: {
        struct callback_register r;
        if (guest_copy_in(&r, gva(h->arg[1]), sizeof(r)))
            return -EFAULT;
        if (!guest_address_ok(r.address))
            return -EINVAL;
        return store_callback(v, r.type, r.address, r.flags & CALLBACKF_mask_events);
    }
    case CALLBACKOP_unregister: {
        struct callback_unregister u;
        if (guest_copy_in(&u, gva(h->arg[1]), sizeof(u)))
            return -EFAULT;
        /* ABI: only these two can be taken back */
        if (u.type == CALLBACKTYPE_event || u.type == CALLBACKTYPE_failsafe || u.type == CALLBACKTYPE_syscall)
            return -EINVAL;
        return store_callback(v, u.type, 0, false);
    }
    default:
        return -ENOSYS;
    }
}

long do_set_callbacks(struct vcpu *v, struct hcall *h)
{
    static const uint16_t type[3] = { CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall };
    /* This old call has no way to refuse: what is not an address of the guest's is not stored. */
    for (unsigned i = 0; i < 3; i++) {
        if (guest_address_ok(h->arg[i]))
            store_callback(v, type[i], h->arg[i], false);
    }
    return 0;
}

/* ---- stack, FPU, assists, bases ---- */

long do_stack_switch(struct vcpu *v, struct hcall *h)
{
    if (!guest_stack_ok(h->arg[1]))
        return -EINVAL;
    v->cpu.kernel_ss = (uint16_t)(h->arg[0] | 3);
    v->cpu.kernel_sp = h->arg[1] & ~15UL;
    return 0;
}

long do_fpu_taskswitch(struct vcpu *v, struct hcall *h)
{
    const uint64_t ts = h->arg[0] ? 8 : 0;
    if (v->cpu.cr0_ts != ts) {
        v->cpu.cr0_ts = ts;
        guest_hw_reload(v);
    }
    return 0;
}

long do_vm_assist(struct vcpu *v, struct hcall *h)
{
    /* ABI: 4gb_segments(0) and its notify(1) and pae_extended_cr3(3) are accepted and have no effect for PV64 */
    const uint64_t valid = 1UL << 0 | 1UL << 1 | 1UL << 2 | 1UL << 3 | 1UL << 4 | 1UL << 5 | 1UL << 32;
    const uint64_t type = (uint32_t)h->arg[1];
    if (type >= 64 || !(valid >> type & 1))
        return -EINVAL;
    switch ((uint32_t)h->arg[0]) {
    case VMASST_CMD_enable:
        atomic_fetch_or(&v->domain->vm_assist, 1UL << type);
        return 0;
    case VMASST_CMD_disable:
        atomic_fetch_and(&v->domain->vm_assist, ~(1UL << type));
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_set_segment_base(struct vcpu *v, struct hcall *h)
{
    static const enum guest_seg_base which[3] = {
        [SEGBASE_FS] = SEG_BASE_FS,
        [SEGBASE_GS_USER] = SEG_BASE_GS_USER,
        [SEGBASE_GS_KERNEL] = SEG_BASE_GS_KERNEL,
    };
    const uint32_t w = (uint32_t)h->arg[0];
    if (w == SEGBASE_GS_USER_SEL) {
        guest_load_gs_selector(v, (uint16_t)h->arg[1]);
        return 0;
    }
    if (w >= ARRAY_SIZE(which) || !guest_canonical(h->arg[1]))
        return -EINVAL;
    guest_seg_base_set(v, which[w], h->arg[1]);
    return 0;
}
