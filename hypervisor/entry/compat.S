/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compat.S - SYSCALL (AMD) and SYSENTER (Intel) from a guest's 32-bit user code
 *
 * Not hot: both build the common frame and go to C. SYSENTER is given our stack by MSR; SYSCALL needs an entry per
 * CPU like the 64-bit one. SYSENTER keeps no return address: rip and rsp read 0 (abi-map 3.2). It does not clear NT
 * or TF either, so the flags are loaded afresh before anything else (XSA-44).
 */
#include "asm_offsets.h"
#include "entry/current.h"
#include "entry/gprs.h"

#define CS_GUEST32 0xe023
#define SS_GUEST 0xe02b
#define VECTOR_SYSCALL32 0x101
#define VECTOR_SYSENTER 0x102

        .text
        .balign 64
        .globl syscall32_stubs
syscall32_stubs:
        .set n, 0
        .rept MAX_CPUS
        .balign 64
        mov %rsp, syscall_rsp + 64 * n(%rip)
        movabs $(PERCPU_STACKS + (n + 1) * 32768 - CPU_INFO_SIZE + INFO_es), %rsp
        pushq $SS_GUEST
        pushq syscall_rsp + 64 * n(%rip)
        jmp syscall32_common
        .set n, n + 1
        .endr

        .balign 16
syscall32_common:
        push %r11
        pushq $CS_GUEST32
        push %rcx
        push %rcx
        movl $0, (%rsp)
        movl $VECTOR_SYSCALL32, 4(%rsp)
        jmp compat_common

        .balign 16
        .globl sysenter_entry
sysenter_entry:
        pushq $SS_GUEST
        pushq $0
        pushfq
        pushq $2
        popfq                                   /* NT, TF, AC off before anything can trip over them */
        andl $~0x4100, (%rsp)                   /* the guest's copy: NT TF */
        orl $0x200, (%rsp)
        pushq $3
        pushq $0
        pushq $0
        movl $VECTOR_SYSENTER, 4(%rsp)
compat_common:
        SAVE_GPRS
        cld
        mov %rsp, %rdi
        sti
        call compat_syscall
        jmp exit_to_guest
