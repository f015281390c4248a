/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trampoline.S - a CPU's way from real mode to our address space
 *
 * Copied to TRAMPOLINE_PAGE. Real mode at cs:ip = page:0; straight to long mode with the boot page tables, which map
 * this page one to one; then to the image's addresses.
 */
        .section .trampoline, "ax"
        .code16
        .globl trampoline_start
trampoline_start:
        cli
        cld
        mov %cs, %ax
        mov %ax, %ds
        lgdtl tr_gdtr - trampoline_start
        mov $0x11, %eax                 /* PE, ET */
        mov %eax, %cr0
        ljmpl $0x18, $(0x8000 + tr_32 - trampoline_start)

        .code32
tr_32:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %ss
        mov $0x20, %eax                 /* PAE */
        mov %eax, %cr4
        mov 0x8000 + tr_cr3 - trampoline_start, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x901, %eax                 /* SCE, LME, NXE */
        wrmsr
        mov $0x80010011, %eax           /* PG, WP, ET, PE */
        mov %eax, %cr0
        ljmp $0x08, $(0x8000 + tr_64 - trampoline_start)

        .code64
tr_64:
        mov 0x8000 + tr_stack - trampoline_start, %rsp
        movabs $ap_main, %rax
        jmp *%rax

        .balign 8
tr_gdt:
        .quad 0
        .quad 0x00af9b000000ffff        /* 0x08 code, 64-bit */
        .quad 0x00cf93000000ffff        /* 0x10 data */
        .quad 0x00cf9b000000ffff        /* 0x18 code, 32-bit */
tr_gdtr:
        .word 31
        .long 0x8000 + tr_gdt - trampoline_start
        .balign 8
        .globl tr_cr3, tr_stack
tr_cr3: .quad 0
tr_stack: .quad 0
        .globl trampoline_end
trampoline_end:
