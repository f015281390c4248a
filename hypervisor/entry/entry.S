/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * entry.S - from the guest into the hypervisor and back
 *
 * The path user -> guest kernel -> user runs more often than anything else, so both halves are straight-line code
 * here: SYSCALL from guest user mode to the guest kernel's callback, and the iret hypercall back. Whatever is not
 * the common case leaves for C (traps.c, bounce.c, exit.c).
 *
 * Contract at every entry: interrupts off, guest's CR3 (which holds our sixteen slots), guest's segment registers
 * and bases (the active GS base is the guest mode's own, SHADOW GS the other mode's: switching modes is SWAPGS), DF
 * and AC clear before C is called. No CALL before the stack is ours.
 *
 * A fault on an access to guest memory here is in the fixup table (EX) and ends in C, which crashes the domain.
 */
#include "asm_offsets.h"
#include "entry/current.h"
#include "entry/gprs.h"

#define CS_GUEST64 0xe033
#define SS_GUEST   0xe02b
#define VECTOR_SYSCALL 0x100
#define RFLAGS_IF 0x200
/* cleared on entry to a guest kernel handler: TF NT RF VM AC (abi-map 3.3) */
#define RFLAGS_BOUNCE_CLEAR 0x74100
/* what IRET may restore for ring 3: CF PF AF ZF SF TF DF OF RF AC ID; never IOPL, NT, VM, VIF, VIP */
#define RFLAGS_USER 0x250dd5

        .macro EX at, fixup
        .pushsection .ex_table, "a"
        .quad \at, \fixup
        .popsection
        .endm

/* Patched to STAC and CLAC at boot where SMAP is on (cpu/features.c); three-byte NOPs otherwise. */
        .macro ASM_STAC
        .pushsection .smap_sites, "a"
        .quad .Lsmap\@
        .quad 0xcb
        .popsection
.Lsmap\@: .byte 0x0f, 0x1f, 0x00
        .endm
        .macro ASM_CLAC
        .pushsection .smap_sites, "a"
        .quad .Lsmap\@
        .quad 0xca
        .popsection
.Lsmap\@: .byte 0x0f, 0x1f, 0x00
        .endm

/* Offsets from %rsp when it points at the saved rip (regs.rip) */
#define F_rip 0
#define F_cs 8
#define F_rflags 16
#define F_rsp 24
#define F_ss 32
#define FROM_RIP(off) ((off) - INFO_regs - REGS_rip)

        .text

/*
 * One SYSCALL entry per CPU: nothing but rip is known here, so the entry itself knows its CPU. LSTAR of CPU n points
 * at syscall_stubs + 64 n. syscall_rsp[n] is that CPU's own cache line.
 */
        .balign 64
        .globl syscall_stubs
syscall_stubs:
        .set n, 0
        .rept MAX_CPUS
        .balign 64
        mov %rsp, syscall_rsp + 64 * n(%rip)
        movabs $(PERCPU_STACKS + (n + 1) * 32768 - CPU_INFO_SIZE + INFO_es), %rsp
        pushq $SS_GUEST
        pushq syscall_rsp + 64 * n(%rip)
        jmp syscall_common
        .set n, n + 1
        .endr

        .balign 64
syscall_common:
        push %r11
        pushq $CS_GUEST64
        push %rcx                               /* rsp = &regs.rip */
        mov FROM_RIP(INFO_current)(%rsp), %rcx  /* v */
        cmpb $0, VCPU_kernel_mode(%rcx)
        je syscall_from_user

        cmp $23, %rax
        je iret_fast
hypercall_slow:
        mov F_rip(%rsp), %rcx
        movabs $(VECTOR_SYSCALL << 32), %r11
        push %r11
        mov F_rflags + 8(%rsp), %r11
        SAVE_GPRS
        mov %rsp, %rdi
        sti
        call hypercall_from_guest
        jmp exit_to_guest_at_regs

/*
 * Guest user mode: toggle to the guest kernel and enter its syscall callback with the frame of abi-map 3.3 (no error
 * code): rcx r11 rip cs rflags rsp ss. Taken only when events are not masked, so that the frame's saved mask is 0.
 */
        .balign 16
syscall_from_user:
        mov %rax, FROM_RIP(INFO_scratch)(%rsp)
        cmpb $0, VCPU_kernel_entry_work(%rcx)
        jne syscall_user_slow
        mov VCPU_info(%rcx), %r11
        cmpb $0, VI_mask(%r11)
        jne syscall_user_slow
        cmpq $0, VCPU_syscall_callback(%rcx)
        je syscall_user_slow
        cmpb $0, VCPU_syscall_mask_events(%rcx)
        je 1f
        movb $1, VI_mask(%r11)
1:
        swapgs
        mov VCPU_kernel_cr3(%rcx), %r11
        mov %r11, %cr3
        movb $1, VCPU_kernel_mode(%rcx)
        mov VCPU_kernel_sp(%rcx), %r11          /* guest space and 16-byte aligned: checked when it was stored */
        ASM_STAC
2:      movq $SS_GUEST, -8(%r11)
        mov F_rsp(%rsp), %rax
3:      mov %rax, -16(%r11)
        mov F_rflags(%rsp), %rax
4:      mov %rax, -24(%r11)
5:      movq $CS_GUEST64, -32(%r11)
6:      mov %rax, -48(%r11)                     /* r11 as SYSCALL left it */
        mov F_rip(%rsp), %rax
7:      mov %rax, -40(%r11)
8:      mov %rax, -56(%r11)                     /* rcx likewise */
        ASM_CLAC
        EX 2b, syscall_user_fault
        EX 3b, syscall_user_fault
        EX 4b, syscall_user_fault
        EX 5b, syscall_user_fault
        EX 6b, syscall_user_fault
        EX 7b, syscall_user_fault
        EX 8b, syscall_user_fault
        mov VCPU_syscall_callback(%rcx), %rcx   /* canonical, checked when it was registered: SYSRET is safe */
        mov FROM_RIP(INFO_scratch)(%rsp), %rax
        mov %r11, F_rsp(%rsp)
        mov F_rflags(%rsp), %r11
        and $~RFLAGS_BOUNCE_CLEAR, %r11
        mov F_rsp(%rsp), %rsp
        lea -56(%rsp), %rsp
        sysretq

/* The kernel stack is not there. Mode is already toggled; C crashes the domain. */
syscall_user_fault:
        ASM_CLAC
syscall_user_slow:
        mov FROM_RIP(INFO_scratch)(%rsp), %rax
        movabs $(VECTOR_SYSCALL << 32), %rcx
        push %rcx
        mov F_rip + 8(%rsp), %rcx
        mov F_rflags + 8(%rsp), %r11
        SAVE_GPRS
        mov %rsp, %rdi
        sti
        call syscall_from_user_slow
        jmp exit_to_guest_at_regs

/*
 * Hypercall 23 from the guest kernel: its stack holds rax r11 rcx flags rip cs rflags rsp ss. Here only the way to
 * user mode with events unmasked and nothing to deliver; the rest is hypercall/iret.c.
 */
        .balign 16
iret_fast:
        mov F_rsp(%rsp), %r11
        movabs $HV_END, %rax
        cmp %rax, %r11                          /* a stack in the guest kernel's half; others go the slow way */
        jb iret_slow
        cmpl $0, FROM_RIP(INFO_softirq)(%rsp)
        jne iret_slow
        cmpq $0, VCPU_user_cr3(%rcx)
        je iret_slow
        cmpb $0, VCPU_exit_work(%rcx)
        jne iret_slow
        cmpw $0, VCPU_nmi_pending(%rcx)         /* pending, or masked: this iret ends that */
        jne iret_slow
        ASM_STAC
1:      mov 40(%r11), %eax                      /* cs */
        not %eax
        test $3, %al                            /* all of RPL 3: user */
        jnz iret_slow_clac
2:      cmpq $0, 24(%r11)                       /* flags */
        jne iret_slow_clac
3:      mov 48(%r11), %rax                      /* rflags */
        test $RFLAGS_IF, %eax
        jz iret_slow_clac
        /* From here on our copy of the frame (F_*) is overwritten; a fault crashes the domain in any case. */
        and $RFLAGS_USER, %eax
        or $RFLAGS_IF | 2, %eax
        mov %rax, F_rflags(%rsp)
4:      mov 40(%r11), %eax
        movzwl %ax, %eax
        mov %rax, F_cs(%rsp)
5:      mov 64(%r11), %eax
        movzwl %ax, %eax
        or $3, %eax
        mov %rax, F_ss(%rsp)
6:      mov 32(%r11), %rax
        mov %rax, F_rip(%rsp)
7:      mov 56(%r11), %rax
        mov %rax, F_rsp(%rsp)
8:      mov 0(%r11), %rax
        mov %rax, FROM_RIP(INFO_scratch)(%rsp)
9:      mov 16(%r11), %rax
        mov %rax, FROM_RIP(INFO_scratch + 8)(%rsp)
10:     mov 8(%r11), %r11
        ASM_CLAC
        EX 1b, iret_fault
        EX 2b, iret_fault
        EX 3b, iret_fault
        EX 4b, iret_fault
        EX 5b, iret_fault
        EX 6b, iret_fault
        EX 7b, iret_fault
        EX 8b, iret_fault
        EX 9b, iret_fault
        EX 10b, iret_fault
        mov VCPU_info(%rcx), %rax
        movb $0, VI_mask(%rax)
        cmpb $0, VI_pending(%rax)
        jne iret_event
        movb $0, VCPU_kernel_mode(%rcx)
        mov VCPU_user_cr3(%rcx), %rax
        mov %rax, %cr3
        swapgs
        mov FROM_RIP(INFO_scratch + 8)(%rsp), %rcx
        mov FROM_RIP(INFO_scratch)(%rsp), %rax
        jmp iretq_to_guest

/* An event is waiting: become user mode all the same, then let the exit path bounce it from there. */
iret_event:
        movb $0, VCPU_kernel_mode(%rcx)
        mov VCPU_user_cr3(%rcx), %rax
        mov %rax, %cr3
        swapgs
        mov FROM_RIP(INFO_scratch + 8)(%rsp), %rcx
        mov FROM_RIP(INFO_scratch)(%rsp), %rax
        pushq $0
        SAVE_GPRS
        jmp exit_to_guest_at_regs

iret_slow_clac:
        ASM_CLAC
iret_slow:
        mov $23, %eax
        jmp hypercall_slow

iret_fault:
        ASM_CLAC
        pushq $0
        SAVE_GPRS
        sti
        call iret_frame_unreadable
        jmp exit_to_guest_at_regs

/* ---- leaving ---- */

/* From any depth of C: the guest's registers are in cpu_info. */
        .globl exit_to_guest
exit_to_guest:
        mov %rsp, %rax
        or $(32768 - 1), %rax
        lea 1 - CPU_INFO_SIZE + INFO_regs(%rax), %rsp
exit_to_guest_at_regs:
        cli
        mov INFO_current - INFO_regs(%rsp), %rcx
        test %rcx, %rcx
        jz exit_slow
        cmpl $0, INFO_softirq - INFO_regs(%rsp)
        jne exit_slow
        cmpb $0, VCPU_exit_work(%rcx)
        jne exit_slow
        cmpb $0, VCPU_nmi_pending(%rcx)
        jne exit_slow
        mov VCPU_info(%rcx), %rax
        cmpb $0, VI_pending(%rax)
        je 1f
        cmpb $0, VI_mask(%rax)
        je exit_slow
1:      RESTORE_GPRS
        add $8, %rsp
        .globl iretq_to_guest
iretq_to_guest:
        iretq

exit_slow:
        call exit_work
        jmp 1b

/* ---- exceptions and interrupts ---- */

        .macro VECTOR_NOERR vec
        .balign 16
        pushq $0
        movl $\vec, 4(%rsp)
        jmp trap_common
        .endm
        .macro VECTOR_ERR vec
        .balign 16
        movl $\vec, 4(%rsp)
        jmp trap_common
        nop
        .endm

/* 256 entries of 16 bytes */
        .balign 16
        .globl idt_stubs
idt_stubs:
        .set vec, 0
        .rept 256
        .if vec == 14
        .balign 16
        jmp page_fault
        .elseif vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30
        VECTOR_ERR vec
        .else
        VECTOR_NOERR vec
        .endif
        .set vec, vec + 1
        .endr
        .balign 16

/*
 * #PF. The usual one comes from guest user mode and is the guest kernel's to handle: straight to its handler, like SYSCALL
 * above, with the frame rcx r11 error rip cs rflags rsp ss. Everything else (kernel mode, our own range, protection keys,
 * masked events, no handler) goes the common way. The hardware's error code is right as it is: user mode faults say U=1.
 */
#define E_cs 16
#define E_rflags 24
#define E_rsp 32
#define E_ss 40
#define FROM_ERROR(off) ((off) - INFO_regs - REGS_error_code)
#define PF_PKEY 0x20
        .balign 16
page_fault:
        movl $14, 4(%rsp)
        testb $3, E_cs(%rsp)
        jz trap_common
        cld
        mov %rcx, FROM_ERROR(INFO_scratch)(%rsp)
        mov %r11, FROM_ERROR(INFO_scratch + 8)(%rsp)
        mov %rax, FROM_ERROR(INFO_scratch + 16)(%rsp)
        mov FROM_ERROR(INFO_current)(%rsp), %rcx
        cmpb $0, VCPU_kernel_mode(%rcx)
        jne page_fault_slow
        cmpb $0, VCPU_kernel_entry_work(%rcx)
        jne page_fault_slow
        testl $PF_PKEY, (%rsp)
        jnz page_fault_slow
        cmpq $0, VCPU_trap14_address(%rcx)
        je page_fault_slow
        mov %cr2, %rax
        mov %rax, %r11
        shr $43, %r11
        cmp $(HV_START >> 43), %r11             /* our sixteen slots: windows, M2P */
        je page_fault_slow
        mov VCPU_info(%rcx), %r11
        cmpb $0, VI_mask(%r11)
        jne page_fault_slow
        mov %rax, VI_cr2(%r11)
        mov VCPU_trap14_mask_events(%rcx), %al
        mov %al, VI_mask(%r11)
        swapgs
        mov VCPU_kernel_cr3(%rcx), %r11
        mov %r11, %cr3
        movb $1, VCPU_kernel_mode(%rcx)
        mov VCPU_kernel_sp(%rcx), %r11
        ASM_STAC
        movzwl E_ss(%rsp), %eax
1:      mov %rax, -8(%r11)
        mov E_rsp(%rsp), %rax
2:      mov %rax, -16(%r11)
        mov E_rflags(%rsp), %rax
3:      mov %rax, -24(%r11)
        movzwl E_cs(%rsp), %eax
4:      mov %rax, -32(%r11)
        mov 8(%rsp), %rax                       /* rip */
5:      mov %rax, -40(%r11)
        movzwl (%rsp), %eax
6:      mov %rax, -48(%r11)
        mov FROM_ERROR(INFO_scratch + 8)(%rsp), %rax
7:      mov %rax, -56(%r11)
        mov FROM_ERROR(INFO_scratch)(%rsp), %rax
8:      mov %rax, -64(%r11)
        ASM_CLAC
        EX 1b, page_fault_no_stack
        EX 2b, page_fault_no_stack
        EX 3b, page_fault_no_stack
        EX 4b, page_fault_no_stack
        EX 5b, page_fault_no_stack
        EX 6b, page_fault_no_stack
        EX 7b, page_fault_no_stack
        EX 8b, page_fault_no_stack
        mov VCPU_trap14_address(%rcx), %rcx     /* canonical, checked when it was registered: SYSRET is safe */
        mov FROM_ERROR(INFO_scratch + 16)(%rsp), %rax
        mov %r11, E_rsp(%rsp)
        mov E_rflags(%rsp), %r11
        and $~RFLAGS_BOUNCE_CLEAR, %r11
        mov E_rsp(%rsp), %rsp
        lea -64(%rsp), %rsp
        sysretq

page_fault_slow:
        mov FROM_ERROR(INFO_scratch)(%rsp), %rcx
        mov FROM_ERROR(INFO_scratch + 8)(%rsp), %r11
        mov FROM_ERROR(INFO_scratch + 16)(%rsp), %rax
        jmp trap_common

page_fault_no_stack:
        mov FROM_ERROR(INFO_scratch)(%rsp), %rcx
        mov FROM_ERROR(INFO_scratch + 8)(%rsp), %r11
        mov FROM_ERROR(INFO_scratch + 16)(%rsp), %rax
        SAVE_GPRS
        ASM_CLAC
        mov %rsp, %rdi
        sti
        call bounce_stack_missing
        jmp exit_to_guest_at_regs

trap_common:
        SAVE_GPRS
        cld
        ASM_CLAC
        mov %rsp, %rdi
        testb $3, REGS_cs(%rsp)
        jz trap_nested
        /* From the guest, but on an IST stack? Then the frame moves to where all guest frames live. */
        mov %rsp, %rax
        or $(32768 - 1), %rax
        lea 1 - CPU_INFO_SIZE + INFO_regs(%rax), %rax
        cmp %rax, %rsp
        jne trap_from_ist
trap_on_stack:
        call trap_from_guest
        jmp exit_to_guest_at_regs

trap_from_ist:
        mov %rsp, %rsi
        mov %rax, %rdi
        mov $(REGS_ss + 8) / 8, %ecx
        mov %rax, %rsp
        rep movsq
        mov %rsp, %rdi
        jmp trap_on_stack

trap_nested:
        mov %rsp, %rbx
        and $~15, %rsp
        call trap_in_hypervisor
        mov %rbx, %rsp
        RESTORE_GPRS
        add $8, %rsp
        iretq

/*
 * Copy @n bytes between us and the guest; the caller checked the range. rdi dst, rsi src, rdx n; 0 or -EFAULT.
 */
        .globl guest_copy_raw
guest_copy_raw:
        ASM_STAC
        mov %rdx, %rcx
        shr $3, %rcx
1:      rep movsq
        mov %rdx, %rcx
        and $7, %ecx
2:      rep movsb
        xor %eax, %eax
3:      ASM_CLAC
        ret
4:      mov $-14, %eax
        cltq
        jmp 3b
        EX 1b, 4b
        EX 2b, 4b

        .globl guest_clear_raw
guest_clear_raw:
        ASM_STAC
        mov %rsi, %rcx
        xor %eax, %eax
1:      rep stosb
2:      ASM_CLAC
        ret
3:      mov $-14, %eax
        cltq
        jmp 2b
        EX 1b, 3b

/* rdmsr_safe(msr, *value), wrmsr_safe(msr, value): 0 or -EINVAL. xsetbv_safe(value), xrstor_safe(area, mask) too. */
        .globl rdmsr_safe
rdmsr_safe:
        mov %edi, %ecx
1:      rdmsr
        shl $32, %rdx
        or %rdx, %rax
        mov %rax, (%rsi)
        xor %eax, %eax
        ret
2:      mov $-22, %eax
        ret
        EX 1b, 2b

        .globl wrmsr_safe
wrmsr_safe:
        mov %edi, %ecx
        mov %rsi, %rax
        mov %rsi, %rdx
        shr $32, %rdx
1:      wrmsr
        xor %eax, %eax
        ret
2:      mov $-22, %eax
        ret
        EX 1b, 2b

        .globl xrstor_safe
xrstor_safe:
        mov %rsi, %rax
        mov %rsi, %rdx
        shr $32, %rdx
1:      xrstor64 (%rdi)
        xor %eax, %eax
        ret
2:      mov $-22, %eax
        ret
        EX 1b, 2b

/* Load a data segment selector that the guest chose; 0, or -EINVAL and the register is null. */
        .macro LOAD_SEG name, reg
        .globl load_\name
load_\name:
1:      mov %edi, %\reg
        xor %eax, %eax
        ret
2:      xor %eax, %eax
        mov %eax, %\reg
        mov $-22, %eax
        ret
        EX 1b, 2b
        .endm
        LOAD_SEG ds, ds
        LOAD_SEG es, es
        LOAD_SEG fs, fs

/* GS: the selector's load would destroy the active base, so it happens behind SWAPGS, on the other base. */
        .globl load_gs_shadow
load_gs_shadow:
        swapgs
1:      mov %edi, %gs
        mfence
        swapgs
        xor %eax, %eax
        ret
2:      xor %eax, %eax
        mov %eax, %gs
        mfence
        swapgs
        mov $-22, %eax
        ret
        EX 1b, 2b

        .bss
        .balign 64
        .globl syscall_rsp
syscall_rsp:
        .skip 64 * MAX_CPUS
