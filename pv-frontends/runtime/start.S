/* SPDX-License-Identifier: MIT */
/*
 * First instructions of a tiny guest, and the Xen ELF notes by which a domain builder knows it.
 *
 * ABI: elfnote.h; at entry rsi = virtual address of start_info, flat selectors, upcalls masked.
 */
#define __ASSEMBLY__
#include <xen/elfnote.h>

.macro note_str type, text
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  .asciz "\text"
2:  .balign 4
    .popsection
.endm

.macro note_num type, value
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 8, \type
    .asciz "Xen"
    .quad \value
    .popsection
.endm

note_str XEN_ELFNOTE_GUEST_OS, "tiny"
note_str XEN_ELFNOTE_GUEST_VERSION, "1"
note_str XEN_ELFNOTE_LOADER, "generic"
note_str XEN_ELFNOTE_XEN_VERSION, "xen-3.0"
note_str XEN_ELFNOTE_PAE_MODE, "yes"
note_num XEN_ELFNOTE_VIRT_BASE, VIRT_BASE
note_num XEN_ELFNOTE_PADDR_OFFSET, 0
note_num XEN_ELFNOTE_ENTRY, _start
note_num XEN_ELFNOTE_HYPERCALL_PAGE, hypercall_page
note_num XEN_ELFNOTE_MOD_START_PFN, 1
/* No features wanted; "writable page tables" (bit 0) and "can be Dom0" (bit 11) offered. */
note_str XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb"
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 4, XEN_ELFNOTE_SUPPORTED_FEATURES
    .asciz "Xen"
    .long 0x801
    .popsection

    .section .text.hypercall_page, "ax"
    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096, 0xcc

    .text
    .globl _start
_start:
    cld
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp
    mov %rsi, %rdi
    call runtime_start
    ud2

/* A secondary vCPU starts with rdi = its struct cpu and its own stack (smp.c). */
    .globl smp_entry
smp_entry:
    cld
    xor %ebp, %ebp
    call smp_start_here
    ud2

    .bss
    .balign 16
    .skip 32768
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
