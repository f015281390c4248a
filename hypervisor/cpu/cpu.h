/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.h - instructions and control registers; metal only
 */
#ifndef PARAVANE_CPU_H
#define PARAVANE_CPU_H

#include "domain/domain.h"
#include "types.h"

#define CR0_TS (1UL << 3)
#define CR0_WP (1UL << 16)
#define CR4_TSD (1UL << 2)
#define CR4_DE (1UL << 3)
#define CR4_PAE (1UL << 5)
#define CR4_MCE (1UL << 6)
#define CR4_OSFXSR (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_FSGSBASE (1UL << 16)
#define CR4_OSXSAVE (1UL << 18)
#define CR4_SMEP (1UL << 20)
#define CR4_SMAP (1UL << 21)
#define CR4_PKE (1UL << 22)

#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_SHADOW_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define MSR_PAT 0x277
#define MSR_APIC_BASE 0x1b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_TSC_DEADLINE 0x6e0

/* ABI: the PAT layout PV guests build their cache attributes for (abi-map 3.8) */
#define PAT_VALUE 0x050100070406UL

#define X86_TRAP_DB 1
#define X86_TRAP_NMI 2
#define X86_TRAP_UD 6
#define X86_TRAP_NM 7
#define X86_TRAP_DF 8
#define X86_TRAP_GP 13
#define X86_TRAP_PF 14
#define X86_TRAP_MC 18

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

MUST_CHECK int rdmsr_safe(uint32_t msr, uint64_t *v);
MUST_CHECK int wrmsr_safe(uint32_t msr, uint64_t v);

#define CR_ACCESS(n)                                                                                         \
    static inline uint64_t read_cr##n(void)                                                                  \
    {                                                                                                        \
        uint64_t v;                                                                                          \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v));                                                        \
        return v;                                                                                            \
    }                                                                                                        \
    static inline void write_cr##n(uint64_t v) { asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); }
CR_ACCESS(0)
CR_ACCESS(2)
CR_ACCESS(3)
CR_ACCESS(4)

#define DR_ACCESS(n)                                                                                         \
    static inline uint64_t read_dr##n(void)                                                                  \
    {                                                                                                        \
        uint64_t v;                                                                                          \
        asm volatile("mov %%dr" #n ", %0" : "=r"(v));                                                        \
        return v;                                                                                            \
    }                                                                                                        \
    static inline void write_dr##n(uint64_t v) { asm volatile("mov %0, %%dr" #n : : "r"(v)); }
DR_ACCESS(0)
DR_ACCESS(1)
DR_ACCESS(2)
DR_ACCESS(3)
DR_ACCESS(6)
DR_ACCESS(7)

static inline void cpuid_count(uint32_t leaf, uint32_t sub, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    asm volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}

static inline uint64_t rdtsc_ordered(void)
{
    uint32_t lo, hi;
    asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

static inline void irq_enable(void) { asm volatile("sti" : : : "memory"); }
static inline void irq_disable(void) { asm volatile("cli" : : : "memory"); }
static inline void swapgs(void) { asm volatile("swapgs" : : : "memory"); }

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outb(uint16_t port, uint8_t v) { asm volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }

/* ---- what this machine has (features.c) ---- */
extern struct cpu_features {
    bool fsgsbase, xsave, xsaveopt, smep, smap, pku, rdtscp, x2apic, tsc_deadline, tsc_invariant, nx, page1gb, arat;
    unsigned phys_bits;
    bool amd;
} cpu_features;

void features_detect(void);             /* BSP, once */
void features_enable(void);             /* each CPU: EFER, CR0, CR4, PAT, SYSCALL MSRs */
extern uint64_t host_cr4;               /* CR4 without the guest-controlled bits */

void vulnerable_init(void);
void compat_entry_init_cpu(unsigned cpu);

/* ---- desc.c ---- */
void desc_init_cpu(unsigned cpu);       /* GDT window page 14, TSS, IDT; loads them */

/* ---- fpu.c ---- */
void fpu_init(void);                    /* BSP: sizes */
void fpu_init_cpu(void);
void fpu_save(struct vcpu *v);
void fpu_restore(struct vcpu *v);
void fpu_load_xcr0(struct vcpu *v);

/* ---- tlb.c ---- */
void tlb_flush_interrupt(void);
/* Load CR3 and tell the TLB epochs; interrupts off. The only writer of CR3 in C. */
void switch_cr3(uint64_t cr3);
/* Context switches, interrupts off: this CPU runs @v, with @cr3; or goes idle and keeps the tables of @v, which ran here. */
void tlb_enter(struct vcpu *v, uint64_t cr3);
void tlb_hold(struct vcpu *v);
/* Whoever is idle with a root of @v leaves it. Interrupts on. */
void tlb_release(struct vcpu *v);
extern uint64_t idle_cr3;

/* ---- tsc.c, reboot.c, smp.c, idle.c, panic.c ---- */
void tsc_init(void);
void timer_hw_init_cpu(void);
void machine_time_init_done(void);
void power_init(void);
unsigned smp_boot_others(void);
void smp_stop_others(void);
void dump_registers(const struct cpu_user_regs *r);
void dump_hv_stack(uint64_t rsp, unsigned words);
void dump_guest_stack(struct vcpu *v, const struct cpu_user_regs *r);
extern _Atomic uint64_t online_cpus;

#endif
