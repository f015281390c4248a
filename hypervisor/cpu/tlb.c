/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb.c - CR3 loads and remote flushes
 *
 * One request at a time in the machine. The sender waits with interrupts on, so two CPUs that want to flush each other
 * make progress: the one that waits for the lock serves the other's request. The lock is a leaf without a rank,
 * because flushes happen under almost any lock of ours.
 *
 * A CPU that goes idle keeps the tables of the vCPU that went to sleep, and its translations: mostly it is the one that
 * runs there next.
 *
 *   I1  held.vcpu is set and cleared by its own CPU only. The vCPU's held_by and its domain's dirty_cpus have the CPU's
 *       bit from before that until other tables are loaded.
 *   I2  A flush of a CPU that holds is only noted: sender: note, read held; holder: clear held, read note. The note is
 *       taken back only by a full flush. So it is made good before a guest runs there again.
 *   I3  Before frames change hands or use, and before a vCPU's root is dropped, holders leave: a CPU walks the tables it has
 *       loaded whenever it likes, and sets A bits in them.
 *   I4  Translations are kept only for the vCPU they were made for, and only if it ran nowhere else (tlb_cpu): its local flushes
 *       happened elsewhere then.
 */
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "entry/current.h"
#include "machine.h"
#include "mm/frame_alloc.h"

static struct {
    _Atomic uint32_t locked;
    _Atomic uint64_t pending;       /* CPUs that have not answered yet */
    uint64_t va;                    /* ~0: everything */
    bool cache;
} request;

uint64_t idle_cr3;
_Atomic uint64_t online_cpus;

cpumask_t machine_online_cpus(void)
{
    return (cpumask_t){ atomic_load_explicit(&online_cpus, memory_order_relaxed) };
}

static struct {
    struct vcpu *_Atomic vcpu;      /* NULL unless idle */
    _Atomic bool missed;
} ALIGNED(64) held[MAX_CPUS];

void switch_cr3(uint64_t cr3)
{
    const unsigned cpu = this_cpu();
    atomic_store_explicit(&held[cpu].missed, false, memory_order_relaxed);
    tlb_epoch_flushed(cpu);
    write_cr3(cr3);
}

/* This CPU has other tables now, those of @stays if any. */
static void let_go(struct vcpu *v, const struct domain *stays)
{
    const unsigned cpu = this_cpu();
    if (v->domain != stays)
        bitmap_atomic_clear(&v->domain->mm.dirty_cpus.bits, cpu);
    atomic_fetch_and(&v->cpu.held_by, ~(1UL << cpu));       /* the last touch: @v may be gone from here on */
}

void tlb_enter(struct vcpu *v, uint64_t cr3)
{
    const unsigned cpu = this_cpu();
    struct vcpu *was = atomic_load_explicit(&held[cpu].vcpu, memory_order_relaxed);
    if (was)
        atomic_store(&held[cpu].vcpu, NULL);
    if (was != v || v->cpu.tlb_cpu != cpu || read_cr3() != cr3 || atomic_load(&held[cpu].missed))
        switch_cr3(cr3);
    WRITE_ONCE(v->cpu.tlb_cpu, cpu);
    if (was)
        let_go(was, v->domain);
}

void tlb_hold(struct vcpu *v)
{
    atomic_fetch_or(&v->cpu.held_by, 1UL << this_cpu());
    atomic_store(&held[this_cpu()].vcpu, v);
}

static void leave(struct vcpu *was)
{
    atomic_store(&held[this_cpu()].vcpu, NULL);
    switch_cr3(idle_cr3);
    tlb_epoch_idle(this_cpu());
    let_go(was, NULL);
}

/* I2. False: @cpu has to flush itself. */
static bool note(unsigned cpu)
{
    if (!atomic_load_explicit(&held[cpu].vcpu, memory_order_relaxed))
        return false;
    atomic_store(&held[cpu].missed, true);
    return atomic_load(&held[cpu].vcpu) != NULL;
}

static void flush_here(uint64_t va, bool cache)
{
    struct vcpu *idle_with = atomic_load_explicit(&held[this_cpu()].vcpu, memory_order_relaxed);
    if (cache)
        asm volatile("wbinvd" : : : "memory");
    else if (idle_with)
        leave(idle_with);
    else if (va != ~0UL)
        asm volatile("invlpg (%0)" : : "r"(va) : "memory");
    else
        switch_cr3(read_cr3());
}

void tlb_flush_interrupt(void)
{
    const uint64_t me = 1UL << this_cpu();
    if (!(atomic_load(&request.pending) & me))
        return;
    flush_here(request.va, request.cache);
    atomic_fetch_and(&request.pending, ~me);
}

/* Those of @cpus that cannot put the flush off. */
static inline cpumask_t without_idle(cpumask_t cpus)
{
    cpumask_t now = cpus;
    if (likely(cpus.bits == 1UL << this_cpu()))
        return cpus;
    cpumask_for_each(cpu, cpus) {
        if (note((unsigned)cpu))
            now.bits &= ~(1UL << cpu);
    }
    return now;
}

static void flush_others(uint64_t others, uint64_t va, bool cache)
{
    uint32_t free;
    while (free = 0, !atomic_compare_exchange_weak(&request.locked, &free, 1))
        machine_cpu_relax();
    request.va = va;
    request.cache = cache;
    atomic_store(&request.pending, others);
    cpumask_for_each(cpu, ((cpumask_t){ others }))
        apic_send_ipi((unsigned)cpu, VECTOR_FLUSH);
    while (atomic_load(&request.pending))
        machine_cpu_relax();
    atomic_store(&request.locked, 0);
}

static inline void flush_cpus(cpumask_t cpus, uint64_t va, bool cache)
{
    const uint64_t me = 1UL << this_cpu();
    const uint64_t others = cpus.bits & ~me & atomic_load_explicit(&online_cpus, memory_order_relaxed);

    if (cpus.bits & me) {
        const unsigned long flags = machine_irq_save();
        flush_here(va, cache);
        machine_irq_restore(flags);
    }
    if (unlikely(others))
        flush_others(others, va, cache);
}

void machine_flush_tlb_now(cpumask_t cpus) { flush_cpus(cpus, ~0UL, false); }
void machine_flush_tlb(cpumask_t cpus) { flush_cpus(without_idle(cpus), ~0UL, false); }
void machine_flush_tlb_page(cpumask_t cpus, gva_t va) { flush_cpus(without_idle(cpus), va.n, false); }

void tlb_release(struct vcpu *v)
{
    const uint64_t cpus = atomic_load(&v->cpu.held_by);
    if (unlikely(cpus))
        machine_flush_tlb_now((cpumask_t){ cpus });
}

void machine_flush_cache(cpumask_t cpus) { flush_cpus(cpus, ~0UL, true); }
