/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See regs.h. The frame pointer to struct regs waits on the stack while every register is the test's. */

.macro run name, insn:vararg
    .globl \name
\name:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov %rdi, %rax
    pushq 120(%rax)
    popfq
    mov 8(%rax), %rbx
    mov 16(%rax), %rcx
    mov 24(%rax), %rdx
    mov 32(%rax), %rsi
    mov 40(%rax), %rdi
    mov 48(%rax), %rbp
    mov 56(%rax), %r8
    mov 64(%rax), %r9
    mov 72(%rax), %r10
    mov 80(%rax), %r11
    mov 88(%rax), %r12
    mov 96(%rax), %r13
    mov 104(%rax), %r14
    mov 112(%rax), %r15
    mov 0(%rax), %rax
    \insn
    xchg %rax, (%rsp)
    mov %rbx, 8(%rax)
    mov %rcx, 16(%rax)
    mov %rdx, 24(%rax)
    mov %rsi, 32(%rax)
    mov %rdi, 40(%rax)
    mov %rbp, 48(%rax)
    mov %r8, 56(%rax)
    mov %r9, 64(%rax)
    mov %r10, 72(%rax)
    mov %r11, 80(%rax)
    mov %r12, 88(%rax)
    mov %r13, 96(%rax)
    mov %r14, 104(%rax)
    mov %r15, 112(%rax)
    pushfq
    popq 120(%rax)
    cld
    pushq $0x202
    popfq
    popq 0(%rax)
    mov %ds, 128(%rax)
    mov %es, 136(%rax)
    mov %fs, 144(%rax)
    mov %gs, 152(%rax)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
.endm

    .text
run regs_ud2, ud2
run regs_int3, int3
run regs_load, mov (%rbx), %rax
run regs_hypercall, syscall
run regs_cpuid, cpuid
run regs_rdmsr, rdmsr
run regs_nothing, nop

    .section .note.GNU-stack, "", @progbits
