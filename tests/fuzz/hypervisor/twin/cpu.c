/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.c - two CPUs: scheduler, softirqs, hypercalls with preemption, failures and foreign writes injected
 *
 * With one thread, a CPU that waits for another one (machine_cpu_relax) lets that one switch, and while a preempted call waits
 * to be made again others make theirs, nested on our stack. A vCPU that is in the middle of an operation below us on the
 * stack counts as busy with its own affairs when it is chosen to run.
 */
#include "twin.h"

#include "domain/deferred.h"
#include "domain/domain.h"
#include "entry/guest_mode.h"
#include "event/event.h"
#include "heap_fake.h"
#include "hypercall/hypercall.h"
#include "machine_fake.h"
#include "mm/descriptor.h"
#include "mm/frame_alloc.h"
#include "mm/pt_update.h"
#include "sched/sched.h"
#include "softirq.h"
#include "time/time.h"
#include "time/timer.h"

void domain_rcu_softirq(void);

#define TRIES 48                        /* to get a descheduled vCPU back before its call is given up */
#define MAX_NESTED 3

static struct { struct vcpu *running; unsigned idle; } cpus[TWIN_CPUS];

/* This thread's: whose turn it is, and a stream of choices of its own, so that the grammar's draws stay undisturbed. */
static _Thread_local struct { struct vm *vm; unsigned vcpu, nested; uint64_t choices; } here;

struct vcpu *twin_running(unsigned cpu) { return cpus[cpu].running; }
struct vm *twin_here(void) { return here.vm; }
struct gen *twin_gen(void) { return &here.vm->gen[here.vcpu]; }

static unsigned choose(unsigned n) { return (unsigned)((random_next(&here.choices) >> 33) % n); }

static void count(uint64_t *counter) { __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED); }

void twin_enter(struct vm *vm, unsigned vcpu)
{
    here.vm = vm;
    here.vcpu = vcpu;
    fake_set_current(domain_vcpu(vm->d, vcpu));
}

/* ---- what entry/ does ---- */

static void context_switch(unsigned cpu, struct vcpu *prev, struct vcpu *next)
{
    if (prev)
        vcpu_drop_ldt(prev);
    if (next)
        bitmap_atomic_set(&next->domain->mm.dirty_cpus.bits, cpu);
    cpus[cpu].running = next;
    fake_set_current(next);
    fake_root[cpu] = next ? machine_current_root(next) : MFN_INVALID;
    tlb_epoch_flushed(cpu);
    if (prev && (!next || next->domain != prev->domain))
        bitmap_atomic_clear(&prev->domain->mm.dirty_cpus.bits, cpu);
    if (prev)
        sched_switched_out(prev);
    if (prev && READ_ONCE(prev->domain->is_shutting_down))
        domain_shutdown_check(prev->domain);
    if (next)
        time_vcpu_switch_in(next);
}

static void schedule(unsigned cpu)
{
    struct vcpu *prev = cpus[cpu].running, *next = sched_choose(cpu, prev, machine_now());

    if (next != prev)
        context_switch(cpu, prev, next);
}

void twin_cpu_softirqs(unsigned cpu)
{
    uint32_t bits;

    for (unsigned i = 0; i < 64 && (bits = atomic_exchange(&fake_softirq[cpu], 0)) != 0; i++) {
        if (bits & 1u << SOFTIRQ_TIMER)
            timer_softirq();
        if (bits & 1u << SOFTIRQ_RCU)
            domain_rcu_softirq();
        if (bits & 1u << SOFTIRQ_SCHED)
            schedule(cpu);
    }
}

/* A CPU spins: for another one to switch, or, with threads, just for a while. */
static void others_go_on(void)
{
    const unsigned self = fake_cpu;
    struct vcpu *const mine = cpus[self].running;

    for (unsigned cpu = 0; cpu < TWIN_CPUS; cpu++) {
        if (cpu == self)
            continue;
        fake_cpu = cpu;
        fake_set_current(cpus[cpu].running);
        twin_cpu_softirqs(cpu);
    }
    fake_cpu = self;
    fake_set_current(mine);
}

void twin_cpu_init(void)
{
    here.choices = twin_options.seed * 0x2545f4914f6cdd1dUL | 1;
    here.nested = 0;
    fake_online = (cpumask_t){ (1UL << TWIN_CPUS) - 1 };
    fake_on_relax = twin_options.threads ? NULL : others_go_on;
    for (unsigned cpu = 0; cpu < TWIN_CPUS; cpu++) {
        cpus[cpu].running = NULL;
        fake_root[cpu] = MFN_INVALID;
        timer_init_cpu(cpu);
        sched_init_cpu(cpu);
    }
}

void twin_cpu_idle_all(void)
{
    for (unsigned cpu = 0; cpu < TWIN_CPUS; cpu++) {
        fake_cpu = cpu;
        softirq_raise(SOFTIRQ_SCHED);
        twin_cpu_softirqs(cpu);
    }
    fake_cpu = 0;
    fake_set_current(NULL);
}

/* ---- hypercalls ---- */

static void pass_time(void)
{
    __atomic_add_fetch(&fake_now, 500 + choose(8000), __ATOMIC_RELAXED);
    if (choose(8) == 0)
        softirq_raise(SOFTIRQ_TIMER);
}

static void leave_hypervisor(struct vcpu *v)
{
    /* The guest takes its upcall, its traps and NMIs, and comes back by a system call if it has gone to user mode. */
    if (vcpu_event_deliverable(v))
        WRITE_ONCE(v->info->evtchn_upcall_pending, 0);
    v->cpu.trap_pending = v->cpu.nmi_pending = false;
    if (!v->cpu.kernel_mode)
        toggle_guest_mode(v);
}

/* @v's call, or the next of its operation, can be made on this CPU now. False: not in any time we wait for. */
static bool wait_for_turn(struct vcpu *v)
{
    const unsigned cpu = fake_cpu;

    for (unsigned i = 0; i < TRIES; i++) {
        pass_time();
        if (i > 1 && !twin_options.threads && here.nested < MAX_NESTED)
            twin_cpu_step((cpu + choose(TWIN_CPUS)) % TWIN_CPUS);
        fake_cpu = cpu;
        if (cpus[cpu].running != v)
            softirq_raise(SOFTIRQ_SCHED);
        twin_cpu_softirqs(cpu);
        if (cpus[cpu].running == v) {
            fake_set_current(v);
            return true;
        }
        if (twin_options.threads && cpus[cpu].running)
            vcpu_yield(cpus[cpu].running);
    }
    return false;
}

static void arm_injections(void)
{
    const unsigned what = choose(16);

    if (what < 4)
        fake_preempt_at(1 + choose(6), 1 + choose(4));
    if (what >= 14)
        fake_heap_fail_at(1 + choose(4));
}

static void disarm_injections(void)
{
    fake_preempt_at(0, 0);
    fake_heap_fail_at(0);
}

/* A neighbour vCPU of a hostile domain writes where the arguments are. */
static void scribble(struct vm *vm, unsigned vcpu)
{
    const struct gen *g = &vm->gen[1 - vcpu];

    if (vm->privileged || !g->scratch || choose(64) || twin_options.quiet_memory)
        return;
    const uint64_t word = random_next(&here.choices);
    memcpy(g->scratch + choose(1024) * 8, &word, 1 + choose(8));
}

static void record(uint64_t nr, long rc)
{
    const unsigned slot = rc >= 0 ? 0 : rc == HCALL_REGS_SET ? 0 : rc > -127 ? (unsigned)-rc : 127;

    count(&twin_stats->calls);
    count(&twin_stats->rc[nr % 64][slot]);
}

long hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    struct vm *const vm = here.vm;
    const unsigned vcpu = here.vcpu, cpu = fake_cpu;
    struct vcpu *const v = domain_vcpu(vm->d, vcpu);
    struct hcall h = { .arg = { a, b, c, d, e, 0 } };
    long rc = -ERESTART;

    while (rc == -ERESTART) {
        if (cpus[cpu].running != v && !wait_for_turn(v)) {
            count(&twin_stats->abandoned);
            return -1;                          /* dead, stopped, or never continued: nobody there to see it */
        }
        arm_injections();
        rc = hypercall_dispatch(v, nr, &h);
        disarm_injections();
        scribble(vm, vcpu);
        pass_time();
        twin_cpu_softirqs(cpu);
        if (rc == -ERESTART) {
            count(&twin_stats->restarts);
            if (!twin_options.threads && here.nested < MAX_NESTED && choose(2)) {
                twin_cpu_step((cpu + 1) % TWIN_CPUS);
                fake_cpu = cpu;
                fake_set_current(cpus[cpu].running);
            }
            if (choose(64) == 0 && !vm->privileged)
                break;                          /* an interrupt came, and the guest never went back */
        }
    }
    record(nr, rc);
    leave_hypervisor(v);
    return rc == HCALL_REGS_SET ? 0 : rc;
}

unsigned probe_write(uint64_t va, uint64_t value)
{
    /* mov %rcx, (%rbx) */
    static uint8_t code[16] = { 0x48, 0x89, 0x0b };
    struct vcpu *const v = domain_vcpu(here.vm->d, here.vcpu);
    struct cpu_user_regs *const r = vcpu_regs(v);

    if (cpus[fake_cpu].running != v || !v->cpu.kernel_cr3)
        return 14;
    uint64_t *p = fake_mmu(v->cpu.kernel_root, va & ~7UL, true);
    if (p) {
        __atomic_store_n(p, value, __ATOMIC_RELAXED);
        return TRAP_NONE;
    }
    r->rip = (uintptr_t)code;
    r->rbx = va & ~7UL;
    r->rcx = value;
    r->cs |= 3;
    return pt_walk_leaf(v, gva(va)) & PTE_P && pt_emulate_write(v, gva(va & ~7UL)) ? TRAP_NONE : 14;
}

bool world_set_stack(uint64_t sp)
{
    vcpu_regs(domain_vcpu(here.vm->d, here.vcpu))->rsp = sp;
    return true;
}

/* ---- a CPU's turn ---- */

static struct vm *vm_of(const struct domain *d)
{
    for (unsigned i = 0; i < TWIN_DOMAINS; i++)
        if (vms[i].d == d)
            return &vms[i];
    return NULL;
}

void twin_cpu_step(unsigned cpu)
{
    const __typeof__(here) saved = here;
    const unsigned saved_cpu = fake_cpu;

    fake_cpu = cpu;
    fake_set_current(cpus[cpu].running);
    if (here.choices == 0)
        here.choices = (twin_options.seed + cpu) * 0x9e3779b97f4a7c15UL | 1;
    pass_time();
    twin_cpu_softirqs(cpu);

    struct vcpu *const v = cpus[cpu].running;
    struct vm *const vm = v ? vm_of(v->domain) : NULL;
    if (!v) {
        softirq_raise(SOFTIRQ_TIMER);
        softirq_raise(SOFTIRQ_SCHED);
    } else if (!vm || v->id >= TWIN_VCPUS || __atomic_exchange_n(&vm->busy[v->id], true, __ATOMIC_ACQUIRE)) {
        leave_hypervisor(v);
        vcpu_yield(v);                          /* not one of ours, or busy further down the stack */
    } else {
        here.nested++;
        twin_enter(vm, v->id);
        count(&twin_stats->steps);
        gen_step(&vm->gen[v->id]);
        __atomic_store_n(&vm->busy[v->id], false, __ATOMIC_RELEASE);
        if (choose(32) == 0 && cpus[cpu].running)
            vcpu_yield(cpus[cpu].running);
    }
    const uint64_t choices = here.choices;
    here = saved;
    here.choices = choices;
    fake_cpu = saved_cpu;
    fake_set_current(cpus[saved_cpu].running);
}
