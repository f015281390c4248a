/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gprs.h - assembly only: push and pop the general registers in the order of struct cpu_user_regs (ABI: xen-x86_64.h) */
#ifndef PARAVANE_GPRS_H
#define PARAVANE_GPRS_H

#ifdef __ASSEMBLY__
        .macro SAVE_GPRS
        push %rdi
        push %rsi
        push %rdx
        push %rcx
        push %rax
        push %r8
        push %r9
        push %r10
        push %r11
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        .endm

        .macro RESTORE_GPRS
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rax
        pop %rcx
        pop %rdx
        pop %rsi
        pop %rdi
        .endm
#endif

#endif
