/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * current.h - what sits at the top of each CPU's stack
 *
 * One hypervisor stack per physical CPU, STACK_SIZE bytes, aligned to its size:
 *
 *   page 0  IST stack for #DB         page 1  IST stack for NMI       page 2  IST stack for #DF and #MC
 *   page 3  guard, not mapped         pages 4..7  the stack; struct cpu_info at its very top
 *
 * Any stack pointer inside leads to cpu_info by masking, IST stacks included. info->regs is where a trap or a
 * SYSCALL from the guest leaves the guest's registers; TSS.rsp0 points right behind it.
 */
#ifndef PARAVANE_CURRENT_H
#define PARAVANE_CURRENT_H

#include "include/layout.h"
#include "include/limits.h"

#define PERCPU_STACKS PERCPU_START
#define PERCPU_WINDOWS (PERCPU_START + 0x40000000)
#define WINDOW_STRIDE 0x40000           /* 16 pages of GDT, 16 of LDT, room */
#define CPU_INFO_SIZE 272

#ifndef __ASSEMBLY__
#include <xen/xen.h>

#include "types.h"

struct cpu_info {
    uint64_t pad;                       /* makes &regs.es 16-byte aligned, as the CPU wants its frame */
    struct cpu_user_regs regs;
    struct vcpu *current;               /* NULL: idle */
    uint32_t cpu;
    _Atomic uint32_t softirq;           /* pending bits, set from anywhere */
    uint64_t scratch[3];                /* entry.S */

    uint64_t spare[3];
} ALIGNED(16);
_Static_assert(sizeof(struct cpu_info) == CPU_INFO_SIZE, "entry.S computes its address");
_Static_assert(offsetof(struct cpu_info, regs.es) % 16 == 0, "the CPU aligns the frame it pushes");

static inline struct cpu_info *cpu_info_of(unsigned cpu)
{
    return (struct cpu_info *)(PERCPU_STACKS + (cpu + 1) * STACK_SIZE - sizeof(struct cpu_info));
}

static inline struct cpu_info *this_cpu_info(void)
{
    uint64_t sp;
    asm("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1 - sizeof(struct cpu_info));
}

#define current_vcpu() (this_cpu_info()->current)

/* entry.S */
NORETURN void exit_to_guest(void);          /* from any depth: unwinds to the guest's (or idle) exit path */
extern const char iretq_to_guest[];
extern const char hypercall_page_template[];

/* exit.c, called by entry.S with interrupts off: everything that must happen before the guest runs */
void exit_work(void);

/* context.c */
void context_switch(struct vcpu *prev, struct vcpu *next);


/* bounce.c */
void bounce_pending_trap(struct vcpu *v, struct cpu_user_regs *r);
void bounce_event(struct vcpu *v, struct cpu_user_regs *r);
void bounce_failsafe(struct vcpu *v, struct cpu_user_regs *r, uint16_t ds, uint16_t es, uint16_t fs, uint16_t gs);

/* traps.c */
void trap_from_guest(struct cpu_user_regs *r);
void trap_in_hypervisor(struct cpu_user_regs *r);
void syscall_from_user_slow(struct cpu_user_regs *r);
void bounce_stack_missing(struct cpu_user_regs *r);
void hypercall_from_guest(struct cpu_user_regs *r);
#endif

#endif
