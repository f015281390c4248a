/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iret.c - the iret hypercall, every case that entry.S leaves to C
 *
 * ABI: xen-x86_64.h struct iret_context, abi-map 3.4. The frame decides the mode by the RPL of its CS; what reaches
 * the hardware is ring 3 with interrupts on, whatever the frame says (XSA-202). An unreadable frame crashes the domain.
 */
#include "entry/guest_mode.h"
#include "hypercall/hypercall.h"

#include <xen/xen.h>

#define RFLAGS_USER 0x250dd5UL  /* CF PF AF ZF SF TF DF OF RF AC ID: the same mask as entry.S */
#define RFLAGS_IF 0x200UL
#define VMASST_architectural_iopl 4

long do_iret(struct vcpu *v, struct hcall *h)
{
    struct cpu_user_regs *r = vcpu_regs(v);
    struct iret_context f;

    if (unlikely(guest_copy_in(&f, gva(r->rsp), sizeof(f)))) {
        domain_crash(v->domain, "vcpu %u: iret with an unreadable frame at %lx", v->id, r->rsp);
        return HCALL_REGS_SET;
    }
    if ((f.cs & 3) == 3) {
        if (v->cpu.user_cr3 == 0) {
            domain_crash(v->domain, "vcpu %u: iret to user mode without user page tables", v->id);
            return HCALL_REGS_SET;
        }
        toggle_guest_mode(v);
    }
    if (v->domain->vm_assist & (1UL << VMASST_architectural_iopl))
        v->cpu.iopl = (uint8_t)(f.rflags >> 12 & 3);

    r->rax = f.rax;
    r->rip = f.rip;
    r->cs = (uint16_t)(f.cs | 3);
    r->rflags = (f.rflags & RFLAGS_USER) | RFLAGS_IF | 2;
    r->rsp = f.rsp;
    r->ss = (uint16_t)(f.ss | 3);
    if (!(f.flags & VGCF_in_syscall)) {
        r->r11 = f.r11;
        r->rcx = f.rcx;
    } else {
        r->r11 = r->rflags;
        r->rcx = r->rip;
    }
    v->cpu.nmi_masked = false;
    WRITE_ONCE(v->info->evtchn_upcall_mask, (f.rflags & RFLAGS_IF) ? 0 : 1);
    (void)h;
    return HCALL_REGS_SET;
}
