/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * context.c - switch a CPU from one vCPU to another
 *
 * Runs from SOFTIRQ_SCHED, with interrupts enabled by the caller and disabled here. There is one stack per CPU, so a
 * switch copies registers to and from the frame at its top and returns: the exit path then leaves to the new vCPU.
 *
 *   I1  d->mm.dirty_cpus has a CPU's bit before the CPU loads that domain's tables, and loses it only after others
 *       have been loaded.
 */
#include "cpu/cpu.h"
#include "cpu/pku.h"
#include "cpu/window.h"
#include "emul/emul.h"
#include "entry/current.h"
#include "entry/guest_mode.h"
#include "machine.h"
#include "mm/frame_alloc.h"
#include "mm/descriptor.h"
#include "sched/sched.h"
#include "time/time.h"

int load_ds(unsigned sel), load_es(unsigned sel), load_fs(unsigned sel), load_gs_shadow(unsigned sel);

static uint64_t read_fs_base(void)
{
    if (!cpu_features.fsgsbase)
        return rdmsr(MSR_FS_BASE);
    uint64_t v;
    asm volatile("rdfsbase %0" : "=r"(v));
    return v;
}

static void write_fs_base(uint64_t v)
{
    if (cpu_features.fsgsbase)
        asm volatile("wrfsbase %0" : : "r"(v));
    else
        wrmsr(MSR_FS_BASE, v);
}

static uint64_t read_gs_base(void)
{
    if (!cpu_features.fsgsbase)
        return rdmsr(MSR_GS_BASE);
    uint64_t v;
    asm volatile("rdgsbase %0" : "=r"(v));
    return v;
}

static void write_gs_base(uint64_t v)
{
    if (cpu_features.fsgsbase)
        asm volatile("wrgsbase %0" : : "r"(v));
    else
        wrmsr(MSR_GS_BASE, v);
}

/* CR4.FSGSBASE follows the guest; ours is needed for the instructions above. */
static uint64_t fsgsbase_on(void)
{
    const uint64_t cr4 = read_cr4();
    if (cpu_features.fsgsbase && !(cr4 & CR4_FSGSBASE))
        write_cr4(cr4 | CR4_FSGSBASE);
    return cr4;
}

static void fsgsbase_back(uint64_t cr4)
{
    if (cpu_features.fsgsbase && !(cr4 & CR4_FSGSBASE))
        write_cr4(cr4);
}

/* Which base is live in GS, which in SHADOW GS, depends on the guest's mode. */
static bool base_is_active_gs(const struct vcpu *v, enum guest_seg_base which)
{
    return which == (v->cpu.kernel_mode ? SEG_BASE_GS_KERNEL : SEG_BASE_GS_USER);
}

static uint64_t *saved_base(struct vcpu *v, enum guest_seg_base which)
{
    return which == SEG_BASE_FS ? &v->cpu.fs_base : which == SEG_BASE_GS_USER ? &v->cpu.gs_base_user
                                                                              : &v->cpu.gs_base_kernel;
}

uint64_t guest_seg_base_get(struct vcpu *v, enum guest_seg_base which)
{
    if (v != current_vcpu())
        return *saved_base(v, which);
    if (which == SEG_BASE_FS)
        return rdmsr(MSR_FS_BASE);
    return rdmsr(base_is_active_gs(v, which) ? MSR_GS_BASE : MSR_SHADOW_GS_BASE);
}

void guest_seg_base_set(struct vcpu *v, enum guest_seg_base which, uint64_t base)
{
    if (v != current_vcpu())
        *saved_base(v, which) = base;
    else if (which == SEG_BASE_FS)
        wrmsr(MSR_FS_BASE, base);
    else
        wrmsr(base_is_active_gs(v, which) ? MSR_GS_BASE : MSR_SHADOW_GS_BASE, base);
}

void machine_load_root(struct vcpu *v)
{
    const unsigned long flags = machine_irq_save();
    const uint64_t cr3 = v->cpu.kernel_mode ? v->cpu.kernel_cr3 : v->cpu.user_cr3;
    if (v == current_vcpu() && read_cr3() != cr3)
        switch_cr3(cr3);
    machine_irq_restore(flags);
    tlb_release(v);
}

void toggle_guest_mode(struct vcpu *v)
{
    const unsigned long flags = machine_irq_save();
    v->cpu.kernel_mode = !v->cpu.kernel_mode;
    swapgs();
    switch_cr3(v->cpu.kernel_mode ? v->cpu.kernel_cr3 : v->cpu.user_cr3);
    machine_irq_restore(flags);
}

static uint64_t guest_cr4_value(const struct vcpu *v)
{
    uint64_t cr4 = host_cr4 | (v->cpu.cr4 & (CR4_DE | CR4_FSGSBASE | CR4_TSD)) | pku_cr4(v);
    if (v->domain->time.vtsc)
        cr4 |= CR4_TSD;
    return cr4;
}

static void load_debugregs(struct vcpu *v)
{
    const uint64_t dr7 = guest_dr7_hardware(v);
    if (!(dr7 & 0xff)) {
        write_dr7(0x400);
        return;
    }
    write_dr0(v->cpu.debugreg[0]);
    write_dr1(v->cpu.debugreg[1]);
    write_dr2(v->cpu.debugreg[2]);
    write_dr3(v->cpu.debugreg[3]);
    write_dr6(v->cpu.debugreg[6]);
    write_dr7(dr7);
}

static void load_control(struct vcpu *v)
{
    const uint64_t cr4 = guest_cr4_value(v);
    if (read_cr4() != cr4)
        write_cr4(cr4);
    pku_load(v);
    const uint64_t cr0 = (read_cr0() & ~CR0_TS) | v->cpu.cr0_ts;
    if (read_cr0() != cr0)
        write_cr0(cr0);
    load_debugregs(v);
    if (cpu_features.rdtscp)
        wrmsr(MSR_TSC_AUX, v->cpu.tsc_aux);
    fpu_load_xcr0(v);
}

void guest_hw_reload(struct vcpu *v)
{
    const unsigned long flags = machine_irq_save();
    if (v == current_vcpu())
        load_control(v);
    machine_irq_restore(flags);
}

static void save_segments(struct vcpu *v)
{
    struct guest_cpu *c = &v->cpu;
    asm volatile("mov %%ds, %0" : "=rm"(c->ds));
    asm volatile("mov %%es, %0" : "=rm"(c->es));
    asm volatile("mov %%fs, %0" : "=rm"(c->fs));
    asm volatile("mov %%gs, %0" : "=rm"(c->gs));
    const uint64_t cr4 = fsgsbase_on();
    c->fs_base = read_fs_base();
    const uint64_t active = read_gs_base();
    swapgs();
    const uint64_t shadow = read_gs_base();
    swapgs();
    fsgsbase_back(cr4);
    c->gs_base_kernel = c->kernel_mode ? active : shadow;
    c->gs_base_user = c->kernel_mode ? shadow : active;
}

static void load_segments(struct vcpu *v, struct cpu_user_regs *r)
{
    struct guest_cpu *c = &v->cpu;
    int bad = 0;
    bad |= load_ds(c->ds);
    bad |= load_es(c->es);
    bad |= load_fs(c->fs);
    bad |= load_gs_shadow(c->gs);
    const uint64_t cr4 = fsgsbase_on();
    write_fs_base(c->fs_base);
    write_gs_base(c->kernel_mode ? c->gs_base_kernel : c->gs_base_user);
    swapgs();
    write_gs_base(c->kernel_mode ? c->gs_base_user : c->gs_base_kernel);
    swapgs();
    fsgsbase_back(cr4);
    if (bad)
        bounce_failsafe(v, r, c->ds, c->es, c->fs, c->gs);
}

static void save_vcpu(struct vcpu *v, struct cpu_info *info)
{
    v->cpu.regs = info->regs;
    save_segments(v);
    write_cr0(read_cr0() & ~CR0_TS);
    fpu_save(v);
    if (v->cpu.debugreg[7] & 0xff)
        v->cpu.debugreg[6] = read_dr6();
    vcpu_drop_ldt(v);
}

static void load_vcpu(struct vcpu *v, struct cpu_info *info)
{
    info->regs = v->cpu.regs;
    info->current = v;
    bitmap_atomic_set(&v->domain->mm.dirty_cpus.bits, info->cpu);
    tlb_enter(v, v->cpu.kernel_mode ? v->cpu.kernel_cr3 : v->cpu.user_cr3);
    fpu_restore(v);
    load_control(v);
    window_load_gdt(v);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    struct cpu_info *info = this_cpu_info();
    irq_disable();
    if (prev)
        save_vcpu(prev, info);
    if (next)
        load_vcpu(next, info);
    else
        info->current = NULL;
    if (prev && !next)
        tlb_hold(prev);
    else if (prev && prev->domain != next->domain)
        bitmap_atomic_clear(&prev->domain->mm.dirty_cpus.bits, info->cpu);      /* I1 */
    if (prev)
        sched_switched_out(prev);
    irq_enable();
    if (prev && READ_ONCE(prev->domain->is_shutting_down))
        domain_shutdown_check(prev->domain);
    if (next) {
        load_segments(next, &info->regs);
        time_vcpu_switch_in(next);
    }
}

void guest_load_gs_selector(struct vcpu *v, uint16_t sel)
{
    if (v == current_vcpu())
        (void)load_gs_shadow(sel);
    else
        v->cpu.gs = sel;
}
