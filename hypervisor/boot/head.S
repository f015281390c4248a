/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * head.S - from the boot loader to C
 *
 * Entered by multiboot1 (QEMU -kernel, GRUB) or multiboot2 (GRUB on BIOS and UEFI) in 32-bit protected mode without
 * paging; eax magic, ebx information. Both headers give load addresses, because the image is a flat file.
 * Boot page tables: 4 GiB one to one (slot 0) and the first GiB at IMAGE_START (slot 261), 2 MiB pages.
 * A CPU that cannot run us is told so on COM1 and the VGA text screen, then halted.
 */
#include "layout.h"

#define IMAGE IMAGE_START

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x00010003            /* page-aligned modules, memory map, load addresses below */
#define MB2_MAGIC 0xe85250d6

        .section .boot.head, "ax"
        .code32

        .balign 8
mb1_header:
        .long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
        .long mb1_header - IMAGE        /* header, load start, load end, bss end, entry: machine addresses */
        .long load_start_phys, load_end_phys, image_end_phys
        .long start32 - IMAGE

        .balign 8
mb2_header:
        .long MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + (mb2_end - mb2_header))
        .balign 8
        .short 1, 0                     /* information request: map, modules, ACPI, EFI */
        .long 8 + 4 * 8
        .long 1, 2, 3, 6, 14, 15, 12, 17
        .balign 8
        .short 2, 0                     /* addresses */
        .long 24
        .long mb2_header - IMAGE, load_start_phys, load_end_phys, image_end_phys
        .balign 8
        .short 3, 0                     /* entry */
        .long 12
        .long start32 - IMAGE
        .balign 8
        .short 6, 0                     /* page-aligned modules */
        .long 8
        .balign 8
        .short 0, 0
        .long 8
mb2_end:

        .globl start32
start32:
        cli
        cld
        lgdt boot_gdtr - IMAGE
        ljmp $0x18, $(1f - IMAGE)
1:      mov $0x10, %ecx
        mov %ecx, %ds
        mov %ecx, %es
        mov %ecx, %ss
        mov %eax, %ebp                  /* magic; ebx stays */
        mov $(boot_stack_top - IMAGE - 512), %esp

        mov $0x80000000, %eax
        push %ebx
        cpuid
        cmp $0x80000001, %eax
        jb no_long_mode
        mov $0x80000001, %eax
        cpuid
        pop %ebx
        mov $msg_lm - IMAGE, %esi
        bt $29, %edx
        jnc fail
        mov $msg_nx - IMAGE, %esi
        bt $20, %edx
        jnc fail

        /* Boot tables: L2 pages map 0..4 GiB; slot 261's L3 shares the first of them. */
        mov $(boot_l2 - IMAGE), %edi
        mov $0x83, %eax
        xor %edx, %edx
        mov $2048, %ecx
2:      mov %eax, (%edi)
        movl $0, 4(%edi)
        add $0x200000, %eax
        add $8, %edi
        loop 2b
        mov $(boot_l3 - IMAGE), %edi
        mov $(boot_l2 - IMAGE + 3), %eax
        mov $4, %ecx
3:      mov %eax, (%edi)
        add $0x1000, %eax
        add $8, %edi
        loop 3b
        movl $(boot_l2 - IMAGE + 3), boot_image_l3 - IMAGE
        movl $(boot_l3 - IMAGE + 3), boot_l4 - IMAGE
        movl $(boot_image_l3 - IMAGE + 3), boot_l4 - IMAGE + 8 * 261

        mov $0x20, %eax                 /* PAE */
        mov %eax, %cr4
        mov $(boot_l4 - IMAGE), %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x900, %eax                 /* LME, NXE */
        wrmsr
        mov $0x80010011, %eax           /* PG, WP, ET, PE */
        mov %eax, %cr0
        ljmp $0x08, $(4f - IMAGE)

        .code64
4:      movabs $5f, %rax
        jmp *%rax
5:      lea boot_gdtr64(%rip), %rax
        lgdt (%rax)
        xor %ecx, %ecx
        mov %ecx, %ds
        mov %ecx, %es
        mov %ecx, %fs
        mov %ecx, %gs
        lea boot_stack_top - 512(%rip), %rsp
        mov %ebp, %edi
        mov %ebx, %esi
        call start
        ud2

        .code32
no_long_mode:
        mov $msg_lm - IMAGE, %esi
fail:
        mov $0xb8000, %edi
6:      lodsb
        test %al, %al
        jz 8f
        mov %al, (%edi)
        movb $0x4f, 1(%edi)
        add $2, %edi
        mov %al, %ah
        mov $0x3fd, %dx
        mov $100000, %ecx
7:      in %dx, %al                     /* transmitter empty? but never wait for ever */
        test $0x20, %al
        loopz 7b
        mov $0x3f8, %dx
        mov %ah, %al
        out %al, %dx
        jmp 6b
8:      hlt
        jmp 8b

msg_lm: .asciz "paravane: this CPU has no 64-bit mode; an x86-64 machine is needed. Halted.\r\n"
msg_nx: .asciz "paravane: this CPU has no NX (execute disable), or firmware turned it off; it is needed. Halted.\r\n"

        .balign 8
boot_gdt:
        .quad 0
        .quad 0x00af9b000000ffff
        .quad 0x00cf93000000ffff
        .quad 0x00cf9b000000ffff
boot_gdtr:
        .word 31
        .long boot_gdt - IMAGE
        .balign 8
boot_gdtr64:
        .word 31
        .quad boot_gdt

        .section .bss
        .balign 4096
        .globl boot_l4
boot_l4: .skip 4096
boot_l3: .skip 4096
boot_image_l3: .skip 4096
boot_l2: .skip 4 * 4096
        .balign 32768
        .globl boot_stack
boot_stack: .skip 32768
boot_stack_top:
