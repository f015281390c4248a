/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bounce.c - enter the guest kernel: exceptions, events, SYSCALL, failsafe
 *
 * ABI: the frames of abi-map 3.3 and 3.5. A frame that cannot be written, or a handler that is not there, crashes the
 * domain: there is no double-fault bounce.
 */
#include "cpu/cpu.h"
#include "entry/current.h"
#include "entry/guest_mode.h"
#include "hv_errno.h"
#include "machine.h"
#include "time/time.h"

#define CS_GUEST_KERNEL 0xe033
#define SS_GUEST_KERNEL 0xe02b
#define RFLAGS_BOUNCE_CLEAR 0x74100UL   /* AC VM RF NT TF */
#define RFLAGS_IF 0x200UL
#define VMASST_architectural_iopl 4

/* Vectors that push an error code: 8, 10..14, 17, 21. */
#define HAS_ERROR_CODE 0x227d00UL

struct bounce {
    uint64_t handler;
    bool mask_events;
    bool has_error;
    uint32_t error;
    const uint16_t *failsafe_selectors;     /* ds es fs gs, or NULL */
};

static uint64_t frame_rflags(const struct vcpu *v, const struct cpu_user_regs *r, bool masked)
{
    uint64_t f = r->rflags & ~(RFLAGS_IF | 0x3000UL);
    if (!masked)
        f |= RFLAGS_IF;
    if (v->domain->vm_assist & (1UL << VMASST_architectural_iopl))
        f |= (uint64_t)v->cpu.iopl << 12;
    return f;
}

static void bounce(struct vcpu *v, struct cpu_user_regs *r, const struct bounce *b, const char *what)
{
    if (!b->handler) {
        domain_crash(v->domain, "vcpu %u: no handler for %s at rip %lx", v->id, what, r->rip);
        return;
    }
    const bool from_kernel = v->cpu.kernel_mode;
    if (!from_kernel) {
        toggle_guest_mode(v);
        if (v->time.areas_pending)
            time_kernel_entered(v);
    }
    uint64_t sp = (from_kernel ? r->rsp : v->cpu.kernel_sp) & ~15UL;
    const bool masked = READ_ONCE(v->info->evtchn_upcall_mask) != 0;
    uint64_t frame[12];
    unsigned n = 0;

    frame[n++] = r->rcx;
    frame[n++] = r->r11;
    for (unsigned i = 0; b->failsafe_selectors && i < 4; i++)
        frame[n++] = b->failsafe_selectors[i];
    if (b->has_error)
        frame[n++] = b->error;
    frame[n++] = r->rip;
    frame[n++] = (uint64_t)(from_kernel ? r->cs & 0xfffcu : r->cs) | (uint64_t)masked << 32;
    frame[n++] = frame_rflags(v, r, masked);
    frame[n++] = r->rsp;
    frame[n++] = from_kernel ? r->ss & 0xfffcu : r->ss;

    sp -= n * 8;
    if (guest_copy_out(gva(sp), frame, n * 8)) {
        domain_crash(v->domain, "vcpu %u: cannot write the frame for %s to stack %lx (rip %lx)", v->id, what, sp,
                     r->rip);
        return;
    }
    r->rip = b->handler;
    r->cs = CS_GUEST_KERNEL;
    r->ss = SS_GUEST_KERNEL;
    r->rsp = sp;
    r->rflags &= ~RFLAGS_BOUNCE_CLEAR;
    if (b->mask_events)
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
}

void bounce_pending_trap(struct vcpu *v, struct cpu_user_regs *r)
{
    const uint8_t vector = v->cpu.trap_vector;
    const struct guest_trap *t = &v->cpu.traps[vector];
    const struct bounce b = {
        .handler = t->address,
        .mask_events = t->mask_events,
        .has_error = vector < 32 && (HAS_ERROR_CODE >> vector & 1) && !v->cpu.trap_software,
        .error = v->cpu.trap_error,
    };
    v->cpu.trap_pending = false;            /* consumed before anything can fail: never delivered twice (XSA-339) */
    if (vector == X86_TRAP_PF && !v->cpu.trap_software)
        WRITE_ONCE(v->info->arch.cr2, v->cpu.trap_cr2);
    bounce(v, r, &b, "an exception");
}

void bounce_event(struct vcpu *v, struct cpu_user_regs *r)
{
    const struct bounce b = { .handler = v->cpu.event_callback, .mask_events = true };
    bounce(v, r, &b, "an event");
}

void bounce_failsafe(struct vcpu *v, struct cpu_user_regs *r, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs)
{
    const uint16_t sel[4] = { ds, es, fs, gs };
    const struct bounce b = {
        .handler = v->cpu.failsafe_callback,
        .mask_events = v->cpu.failsafe_mask_events,
        .failsafe_selectors = sel,
    };
    bounce(v, r, &b, "a failsafe callback");
}

/* entry.S had toggled to the guest kernel and could not write the frame to its stack. */
void bounce_stack_missing(struct cpu_user_regs *r)
{
    struct vcpu *v = current_vcpu();
    domain_crash(v->domain, "vcpu %u: cannot write a frame to kernel stack %lx (user rip %lx)", v->id, v->cpu.kernel_sp,
                 r->rip);
}

/* SYSCALL from guest user mode when entry.S would not do it. */
void syscall_from_user_slow(struct cpu_user_regs *r)
{
    struct vcpu *v = current_vcpu();
    if (v->cpu.kernel_mode) {
        bounce_stack_missing(r);
        return;
    }
    if (!v->cpu.syscall_callback) {
        r->rip -= 2;                        /* ABI: #UD at the instruction */
        guest_inject_trap(v, X86_TRAP_UD, 0);
        return;
    }
    const struct bounce b = { .handler = v->cpu.syscall_callback, .mask_events = v->cpu.syscall_mask_events };
    bounce(v, r, &b, "SYSCALL");
}

void guest_inject_trap(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    if (v->cpu.trap_pending)
        return;
    v->cpu.trap_pending = true;
    v->cpu.trap_software = false;
    v->cpu.trap_vector = vector;
    v->cpu.trap_error = error_code;
}

void guest_inject_software_interrupt(struct vcpu *v, uint8_t vector)
{
    if (v->cpu.trap_pending)
        return;
    guest_inject_trap(v, vector, 0);
    v->cpu.trap_software = true;
}

void guest_inject_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code)
{
    if (v->cpu.trap_pending)
        return;
    v->cpu.trap_cr2 = cr2;
    /* ABI: the user bit tells the guest's mode, not the hardware's (abi-map 3.7) */
    guest_inject_trap(v, X86_TRAP_PF, (error_code & ~4u) | (v->cpu.kernel_mode ? 0 : 4u));
}

struct cpu_user_regs *vcpu_regs(struct vcpu *v)
{
    struct cpu_info *info = this_cpu_info();
    return info->current == v ? &info->regs : &v->cpu.regs;
}

void iret_frame_unreadable(void);
void iret_frame_unreadable(void)
{
    struct vcpu *v = current_vcpu();
    domain_crash(v->domain, "vcpu %u: iret with an unreadable frame", v->id);
}

/* compat.S: entry_vector tells which instruction it was. */
void compat_syscall(struct cpu_user_regs *r);
void compat_syscall(struct cpu_user_regs *r)
{
    struct vcpu *v = current_vcpu();
    const bool sysenter = r->entry_vector == 0x102;
    const struct bounce b = {
        .handler = sysenter ? v->cpu.sysenter_callback : v->cpu.syscall32_callback,
        .mask_events = sysenter ? v->cpu.sysenter_mask_events : v->cpu.syscall32_mask_events,
    };
    if (b.handler) {
        bounce(v, r, &b, "a 32-bit system call");
        return;
    }
    if (sysenter) {
        guest_inject_trap(v, X86_TRAP_GP, 0);
        return;
    }
    r->rip -= 2;
    guest_inject_trap(v, X86_TRAP_UD, 0);
}
