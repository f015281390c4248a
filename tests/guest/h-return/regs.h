/* SPDX-License-Identifier: GPL-2.0-or-later */
/* regs.h - one instruction with every register set before and read after */
#ifndef REGS_H
#define REGS_H

#include <stdint.h>

/* rsp is not among them: it must stay, or nothing works. */
struct regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags;
    uint64_t ds, es, fs, gs;            /* selectors; read after only */
};

/* Load @r, execute the instruction of that name, store what is there then to @r. The first three trap: the guest's
 * handler must step over them. */
void regs_ud2(struct regs *r);
void regs_int3(struct regs *r);
/* A load from address r->rbx, 3 bytes long. */
void regs_load(struct regs *r);
void regs_hypercall(struct regs *r);
void regs_cpuid(struct regs *r);
void regs_rdmsr(struct regs *r);
void regs_nothing(struct regs *r);

#endif
