/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emul.h - instructions that a PV guest may not execute itself (abi-map 3.6)
 *
 * Called from the exception handlers with the guest's registers; on success the instruction is done and rip moved.
 */
#ifndef PARAVANE_EMUL_H
#define PARAVANE_EMUL_H

#include "domain/domain.h"

/* #GP(@error) raised by guest code. True: dealt with (emulated, or another trap queued). False: inject the #GP. */
bool emul_general_protection(struct vcpu *v, struct cpu_user_regs *regs, uint32_t error);
/* #UD: the forced-emulation prefix and its CPUID. */
bool emul_invalid_opcode(struct vcpu *v, struct cpu_user_regs *regs);
/*
 * A store of guest kernel code to a read-only page: decode the instruction at regs->rip and compute, for the 8-byte entry holding
 * @va, its new value from *@old (the current one). Used by pt_emulate_write, which calls pt_write_commit after
 * the validated store succeeded with the same old value.
 */
struct pt_write {
    gva_t va;
    uint64_t new_value;         /* whole entry */
    /* register results to commit */
    uint64_t dst_reg_value;
    uint64_t rflags;
    unsigned length;
    uint8_t reg;                /* index or 0xff */
    uint8_t reg_size;
    bool store;                 /* false: a failed cmpxchg: registers only */
};
struct pt_write_insn;           /* decoded form, private to emul/ */
bool pt_write_decode(struct vcpu *v, const struct cpu_user_regs *regs, gva_t va, uint64_t old, struct pt_write *out);
void pt_write_commit(struct vcpu *v, struct cpu_user_regs *regs, const struct pt_write *w);

/* Up to 15 instruction bytes at regs->rip into @buf; returns how many were readable. */
unsigned emul_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t buf[15]);

/* MSR reads and writes after policy; false: #GP. Shared with domctl vcpu_msrs. */
bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* ABI set_debugreg / get_debugreg and MOV DR. -EPERM -EINVAL -ENODEV (abi-map 2.8). */
int guest_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value);
int guest_get_debugreg(struct vcpu *v, unsigned reg, uint64_t *value);
/* What may be loaded into the real DR7 for @v: its own value without I/O breakpoints, which are never armed. */
uint64_t guest_dr7_hardware(const struct vcpu *v);

/* ABI: the hypercall page: 32-byte stubs by number, the rest int3 (abi-map 2.1). @page is the guest's, in our mapping. */
void hypercall_page_fill(void *page);

#endif
