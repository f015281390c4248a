/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_cpu.h - the virtual CPU that a PV guest sees, apart from its memory
 *
 * A PV64 guest's kernel and user code both run in ring 3; `kernel_mode` tells which it is, selects the page tables
 * in CR3 and the meaning of SYSCALL. Only the CPU that runs the vCPU, or one that has paused it, touches these.
 * Offsets of the fields used by entry.S come from entry/asm_offsets.c.
 */
#ifndef PARAVANE_GUEST_CPU_H
#define PARAVANE_GUEST_CPU_H

#include <xen/xen.h>

#include "limits.h"
#include "types.h"

/* A callback address registered by the guest; 0 is none. Canonical and outside our range: checked when stored. */
struct guest_callback {
    uint64_t address;
    bool mask_events;           /* ABI: CALLBACKF_mask_events */
};

struct guest_trap {
    uint64_t address;           /* 0: not set */
    uint8_t dpl;                /* for INT n */
    bool mask_events;           /* ABI: TI_IF */
    uint16_t cs;
};

struct fpu_state;               /* cpu/fpu.h: XSAVE area */

struct guest_cpu {
    /* Registers while not running; while running they are in the CPU's stack frame: entry/current.h. */
    struct cpu_user_regs regs;
    bool kernel_mode;
    bool syscall_mask_events;   /* = callback[CALLBACK_SYSCALL].mask_events, for entry.S */
    uint8_t iopl;               /* virtual IOPL, 0..3 */

    /* Page tables: roots hold one L4 type reference each. user_root may be MFN_INVALID (none). */
    mfn_t kernel_root, user_root;
    uint64_t kernel_cr3, user_cr3;      /* what entry.S loads; 0: none */
    uint32_t tlb_cpu;                   /* the CPU that loaded them last: it may keep translations while idle (cpu/tlb.c) */
    _Atomic uint64_t held_by;           /* CPUs that are idle with one of the roots in CR3 */

    /* Stack for user -> kernel bounces; checked when stored: [sp - 128, sp) is guest space. */
    uint64_t kernel_sp;
    uint16_t kernel_ss;

    uint64_t event_callback, failsafe_callback, syscall_callback, syscall32_callback, sysenter_callback;
    bool failsafe_mask_events, syscall32_mask_events, sysenter_mask_events;
    struct guest_trap traps[256];

    uint64_t cr0_ts;            /* guest's view of CR0.TS: 0 or 8 */
    uint64_t cr4;               /* guest's view: the bits it controls (TSD DE FSGSBASE OSXSAVE) */
    uint64_t xcr0;              /* 1 until the guest sets it */
    uint64_t debugreg[8];       /* 0..3 addresses, 6, 7; sanitised */

    /* Segment bases and selectors while not running. */
    uint64_t fs_base, gs_base_user, gs_base_kernel;
    uint16_t ds, es, fs, gs;

    /* GDT and LDT: frames hold one descriptor type reference each (mm/descriptor.h). */
    mfn_t gdt_frames[GDT_FRAMES];
    unsigned gdt_entries;
    uint64_t ldt_base;
    unsigned ldt_entries;

    gva_t iobitmap;             /* PHYSDEVOP_set_iobitmap; read at each use */
    unsigned iobitmap_ports;

    bool nmi_pending, nmi_masked;
    bool trap_pending;          /* an exception to bounce before returning: emul/ and entry/ */
    bool trap_software;         /* it is an INT n: no error code, no CR2 */
    uint8_t trap_vector;
    uint32_t trap_error;
    uint64_t trap_cr2;

    uint64_t tsc_aux;
    uint64_t misc_features;     /* MSR 0x140 */

    struct fpu_state *fpu;
};

/*
 * Queue exception @vector for @v: bounced before the guest runs again. With an error code where the architecture
 * has one. For #PF use guest_inject_page_fault. At most one is pending: the first wins.
 */
void guest_inject_trap(struct vcpu *v, uint8_t vector, uint32_t error_code);
void guest_inject_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code);
/* INT @vector: as the ABI has it, never an error code, also for vectors that are exceptions with one. */
void guest_inject_software_interrupt(struct vcpu *v, uint8_t vector);

/* Registers of @v: the stack frame when it is current on this CPU, v->cpu.regs when it is not running. */
struct cpu_user_regs *vcpu_regs(struct vcpu *v);

#endif
