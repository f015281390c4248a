/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlb.c - CR3 loads and remote flushes
 *
 * One request at a time in the machine. The sender waits with interrupts on, so two CPUs that want to flush each other
 * make progress: the one that waits for the lock serves the other's request. The lock is a leaf without a rank,
 * because flushes happen under almost any lock of ours.
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

void switch_cr3(uint64_t cr3)
{
    tlb_epoch_flushed(this_cpu());
    write_cr3(cr3);
}

static void flush_here(uint64_t va, bool cache)
{
    if (cache)
        asm volatile("wbinvd" : : : "memory");
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

static void flush_cpus(cpumask_t cpus, uint64_t va, bool cache)
{
    const uint64_t me = 1UL << this_cpu();
    const uint64_t others = cpus.bits & atomic_load(&online_cpus) & ~me;

    if (cpus.bits & me) {
        const unsigned long flags = machine_irq_save();
        flush_here(va, cache);
        machine_irq_restore(flags);
    }
    if (!others)
        return;
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

void machine_flush_tlb(cpumask_t cpus) { flush_cpus(cpus, ~0UL, false); }
void machine_flush_tlb_page(cpumask_t cpus, gva_t va) { flush_cpus(cpus, va.n, false); }
void machine_flush_cache(cpumask_t cpus) { flush_cpus(cpus, ~0UL, true); }
