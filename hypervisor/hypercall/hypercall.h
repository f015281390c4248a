/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hypercall.h - from registers to calls
 *
 * Each call is one function in a file of its name. It reads its arguments through h->arg (one typed view per op),
 * copies structures in once, checks everything, commits, copies out, and returns a value for rax. To be preempted
 * it stores what is left to do into h->arg and returns -ERESTART: the dispatcher rewrites the guest's registers
 * (or the multicall entry) and lets the instruction run again (ABI: abi-map 2.2). -ERESTART never reaches a guest.
 */
#ifndef PARAVANE_HYPERCALL_H
#define PARAVANE_HYPERCALL_H

#include "domain/domain.h"
#include "hv_errno.h"
#include "machine.h"

struct hcall {
    uint64_t arg[6];        /* rdi rsi rdx r10 r8 r9 */
    bool in_multicall;
};

/* The call has set every register itself, rax included (iret); no value that a call returns otherwise. */
#define HCALL_REGS_SET INT64_MIN

typedef long hypercall_fn(struct vcpu *v, struct hcall *h);

hypercall_fn do_set_trap_table, do_mmu_update, do_set_gdt, do_stack_switch, do_set_callbacks, do_fpu_taskswitch,
    do_platform_op, do_set_debugreg, do_get_debugreg, do_update_descriptor, do_memory_op, do_multicall,
    do_update_va_mapping, do_set_timer_op, do_xen_version, do_console_io, do_grant_table_op, do_vm_assist,
    do_update_va_mapping_otherdomain, do_iret, do_vcpu_op, do_set_segment_base, do_mmuext_op, do_nmi_op,
    do_sched_op, do_callback_op, do_event_channel_op, do_physdev_op, do_sysctl, do_domctl;

/* -ENOSYS for what is not there. Also used by multicall for its entries. */
long hypercall_dispatch(struct vcpu *v, uint64_t nr, struct hcall *h);

/* Long loops call this each <= 64 items, before the work of an item (XSA-264). */
static inline bool hypercall_preempt(void) { return machine_preempt_pending(); }

#endif
