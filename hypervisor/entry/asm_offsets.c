/* SPDX-License-Identifier: GPL-2.0-or-later */
/* asm_offsets.c - field offsets for entry.S; compiled to assembly and picked out by the build, never linked */
#include "domain/domain.h"
#include "entry/current.h"

#define DEFINE(sym, val) asm volatile("\n->" #sym " %0" : : "i"(val))

/* iret_fast looks at both in one word. */
_Static_assert(offsetof(struct guest_cpu, nmi_masked) == offsetof(struct guest_cpu, nmi_pending) + 1, "adjacent");

void asm_offsets(void);
void asm_offsets(void)
{
    DEFINE(INFO_regs, offsetof(struct cpu_info, regs));
    DEFINE(INFO_es, offsetof(struct cpu_info, regs.es));
    DEFINE(INFO_current, offsetof(struct cpu_info, current));
    DEFINE(INFO_softirq, offsetof(struct cpu_info, softirq));
    DEFINE(INFO_scratch, offsetof(struct cpu_info, scratch));

    DEFINE(REGS_rip, offsetof(struct cpu_user_regs, rip));
    DEFINE(REGS_cs, offsetof(struct cpu_user_regs, cs));
    DEFINE(REGS_rflags, offsetof(struct cpu_user_regs, rflags));
    DEFINE(REGS_rsp, offsetof(struct cpu_user_regs, rsp));
    DEFINE(REGS_ss, offsetof(struct cpu_user_regs, ss));
    DEFINE(REGS_error_code, offsetof(struct cpu_user_regs, error_code));

    DEFINE(VCPU_kernel_mode, offsetof(struct vcpu, cpu.kernel_mode));
    DEFINE(VCPU_syscall_mask_events, offsetof(struct vcpu, cpu.syscall_mask_events));
    DEFINE(VCPU_kernel_entry_work, offsetof(struct vcpu, time.areas_pending));
    DEFINE(VCPU_exit_work, offsetof(struct vcpu, cpu.trap_pending));
    DEFINE(VCPU_nmi_pending, offsetof(struct vcpu, cpu.nmi_pending));
    DEFINE(VCPU_kernel_cr3, offsetof(struct vcpu, cpu.kernel_cr3));
    DEFINE(VCPU_user_cr3, offsetof(struct vcpu, cpu.user_cr3));
    DEFINE(VCPU_kernel_sp, offsetof(struct vcpu, cpu.kernel_sp));
    DEFINE(VCPU_syscall_callback, offsetof(struct vcpu, cpu.syscall_callback));
    DEFINE(VCPU_trap14_address, offsetof(struct vcpu, cpu.traps[14].address));
    DEFINE(VCPU_trap14_mask_events, offsetof(struct vcpu, cpu.traps[14].mask_events));
    DEFINE(VI_cr2, offsetof(struct vcpu_info, arch.cr2));
    DEFINE(VCPU_info, offsetof(struct vcpu, info));
    DEFINE(VI_pending, offsetof(struct vcpu_info, evtchn_upcall_pending));
    DEFINE(VI_mask, offsetof(struct vcpu_info, evtchn_upcall_mask));
}
