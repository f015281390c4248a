/* SPDX-License-Identifier: MIT */
/*
 * Where the hypervisor bounces traps, system calls and events to.
 *
 * The bounce frame has rcx and r11 on top of what hardware would push, so they are popped first and
 * what remains is made uniform: error code (0 when there is none), then our vector number. Vector
 * numbers from 0x100 up are the callbacks; trap.h names them. The way back is the iret hypercall,
 * which takes rax, r11, rcx and flags above a hardware frame.
 */
.macro entry_point name, vector, has_error=0
    .globl \name
    .balign 16
\name:
    pop %rcx
    pop %r11
    .if \has_error == 0
    push $0
    .endif
    push $\vector
    jmp trap_common
.endm

    .text
/* One stub for each of the 256 vectors; an error code comes with 8, 10-14, 17 and 21 only. */
    .globl trap_stubs
    .balign 16
trap_stubs:
    .set v, 0
    .rept 256
    .balign 16
    pop %rcx
    pop %r11
    .if !(v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21)
    push $0
    .endif
    push $v
    jmp trap_common
    .set v, v + 1
    .endr

entry_point syscall_entry, 0x100
entry_point event_entry, 0x101
entry_point sysenter_entry, 0x103
entry_point syscall32_entry, 0x104

/* The failsafe frame carries ds, es, fs and gs behind rcx and r11: they are dropped. */
    .globl failsafe_entry
    .balign 16
failsafe_entry:
    pop %rcx
    pop %r11
    add $32, %rsp
    push $0
    push $0x102
    jmp trap_common

    .balign 16
trap_common:
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap_dispatch
    mov %rbp, %rsp
    .globl trap_return
trap_return:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    push $0
    push %rcx
    push %r11
    push %rax
    mov $23, %eax
    syscall
    ud2

/* void trap_enter(struct trap_frame *): continue with the registers of the frame; no way back. */
    .globl trap_enter
trap_enter:
    mov %rdi, %rsp
    jmp trap_return

/*
 * int context_save(struct context *): 0 when it saves, the value given to context_jump() when control
 * comes back here. Used by threads and by code that must survive leaving through user mode.
 */
    .globl context_save
context_save:
    mov (%rsp), %rax
    mov %rbx, 0(%rdi)
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rcx
    mov %rcx, 48(%rdi)
    mov %rax, 56(%rdi)
    xor %eax, %eax
    ret

/* void context_jump(struct context *, int value) */
    .globl context_jump
context_jump:
    mov 0(%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    mov %esi, %eax
    jmp *56(%rdi)

    .section .note.GNU-stack, "", @progbits
