/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.c - who runs next, where a waking vCPU goes, how CPUs share the work
 *
 * Within a CPU the vCPU with the least weighted virtual time runs. Between CPUs the loads (sums of weights) are kept
 * level: a CPU that would idle takes any waiting vCPU it may run; a busy one, once a slice, takes one from a CPU whose
 * load exceeds its own by at least that vCPU's weight. With a difference of exactly one vCPU this rotates the odd
 * one, which is what makes three equal vCPUs on two CPUs get two thirds each.
 *
 * A vCPU that is still running (its registers are not saved yet) is never queued elsewhere nor taken; whoever wakes
 * it meanwhile leaves it to sched_switched_out(), which holds the same lock and looks again. So nothing is lost and
 * no two CPUs hold one vCPU.
 *
 * Idle CPUs: a CPU sets its bit in idle_cpus, then looks at all queues once more; a waker queues, then looks at
 * idle_cpus: one of them sees the other. A waker claims an idle CPU by clearing its bit, so that two wakers do not
 * choose the same.
 *
 * Locks: one RUNQ at a time. sched_choose runs with interrupts on, from SOFTIRQ_SCHED, never nested.
 */
#include "sched/runq.h"

#include "bug.h"
#include "hv_errno.h"
#include "machine.h"
#include "print.h"
#include "softirq.h"
#include "time/time.h"

static void slice_ended(void *data)
{
    (void)data;
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_init_cpu(unsigned cpu)
{
    struct runq *rq = runq_of(cpu);

    *rq = (struct runq){ 0 };
    spin_lock_init(&rq->lock, RANK_RUNQ);
    list_init(&rq->queue);
    timer_init(&rq->slice, cpu, slice_ended, NULL);
    rq->min_vruntime = 1UL << 40;                       /* away from zero: bonuses are subtracted */
    rq->idle_since = machine_now();
    rq->jitter = cpu;
    atomic_fetch_or(&idle_cpus, 1UL << cpu);            /* it may be given work before it ever looked for some */
}

bool vcpu_runnable(const struct vcpu *v)
{
    return atomic_load(&v->pause_flags) == 0 && atomic_load(&v->pause_count) == 0 &&
           atomic_load(&v->domain->pause_count) == 0;
}

static cpumask_t allowed_cpus(const struct vcpu *v)
{
    return (cpumask_t){ v->sched.hard_affinity.bits & machine_online_cpus().bits };
}

/* ---- placing ---- */

/* One of the idle CPUs in @mask, claimed; MAX_CPUS when there is none. */
static unsigned claim_idle(uint64_t mask)
{
    uint64_t idle;

    while ((idle = atomic_load(&idle_cpus) & mask) != 0) {
        const uint64_t bit = idle & -idle;
        if (atomic_fetch_and(&idle_cpus, ~bit) & bit)
            return (unsigned)__builtin_ctzl(bit);
    }
    return MAX_CPUS;
}

/* Where should @v wait for a CPU? *@claimed: that CPU was idle and counts on being woken. */
static unsigned pick_cpu(const struct vcpu *v, bool *claimed)
{
    const uint64_t mask = allowed_cpus(v).bits, soft = mask & v->sched.soft_affinity.bits;
    const unsigned home = v->sched.cpu;
    unsigned cpu = MAX_CPUS, best = UINT32_MAX;

    *claimed = true;
    if ((mask >> home) & 1)
        cpu = claim_idle(1UL << home);
    if (cpu == MAX_CPUS && soft)
        cpu = claim_idle(soft);
    if (cpu == MAX_CPUS)
        cpu = claim_idle(mask);
    if (cpu != MAX_CPUS)
        return cpu;

    *claimed = false;
    if (((mask >> home) & 1) || !mask)
        return home;
    cpumask_for_each(c, (cpumask_t){ mask }) {
        const unsigned load = atomic_load(&runq_of((unsigned)c)->load);
        if (load < best) {
            best = load;
            cpu = (unsigned)c;
        }
    }
    return cpu;
}

/*
 * Lock of @rq held, @v has just been queued there. When should its CPU look? A vCPU that is far enough ahead does not wait for
 * the end of the slice, but it waits for BATCH_NS: two domains that pass packets to each other would otherwise switch for each.
 */
static uint64_t when_to_look(struct runq *rq, const struct vcpu *v, uint64_t now)
{
    const struct vcpu *curr = rq->curr;
    uint64_t vr;

    if (!curr)
        return now;
    vr = curr->sched.vruntime;
    if (now > curr->sched.accounted)
        vr += (now - curr->sched.accounted) * DEFAULT_WEIGHT / curr->sched.weight;
    if ((int64_t)(vr - v->sched.vruntime) <= (int64_t)PREEMPT_NS)
        return now + SLICE_NS;
    return MAX(now, curr->sched.state_since + BATCH_NS);
}

/* Lock of its queue @rq held. A long sleep pays off what @v is behind the others (I4 of runq.c). */
static void forgive_by_sleep(const struct runq *rq, struct vcpu *v, uint64_t now)
{
    const bool long_asleep = v->sched.state != RUNSTATE_runnable && now > v->sched.state_since + FORGIVE_NS;

    if (long_asleep && (int64_t)(v->sched.vruntime - rq->min_vruntime) > 0)
        v->sched.vruntime = rq->min_vruntime;
}

static bool may_be_placed(const struct vcpu *v)
{
    return !v->sched.queued && !v->sched.parked && !atomic_load(&v->sched.running) && vcpu_runnable(v);
}

void sched_place(struct vcpu *v)
{
    const uint64_t now = machine_now();
    bool claimed = false;
    uint64_t look;
    unsigned cpu, helper = MAX_CPUS;
    unsigned long flags;
    struct runq *rq = runq_lock_home(v, &flags);

    if (!may_be_placed(v)) {
        spin_unlock_irq(&rq->lock, flags);
        return;
    }
    forgive_by_sleep(rq, v, now);
    cpu = pick_cpu(v, &claimed);
    if (cpu != v->sched.cpu) {
        /* Fit to the clock it leaves; the difference is what it carries to the other queue. */
        runq_fit_vruntime(rq, v);
        v->sched.vruntime += atomic_load(&runq_of(cpu)->min_vruntime) - rq->min_vruntime;
        atomic_store(&v->sched.cpu, cpu);
        spin_unlock_irq(&rq->lock, flags);
        rq = runq_lock_home(v, &flags);
    }
    if (!may_be_placed(v)) {                            /* somebody else was faster, or it is paused again */
        spin_unlock_irq(&rq->lock, flags);
        if (claimed)
            softirq_raise_on(cpu, SOFTIRQ_SCHED);       /* gives the claim back */
        return;
    }
    runstate_set(v, RUNSTATE_runnable, now);
    runq_fit_vruntime(rq, v);
    runq_insert(rq, v);
    look = when_to_look(rq, v, now);
    if (look > now && atomic_load(&rq->slice.expires) > look)
        timer_set(&rq->slice, look);
    if (look > now)
        helper = claim_idle(allowed_cpus(v).bits);
    const unsigned home = v->sched.cpu;
    spin_unlock_irq(&rq->lock, flags);

    if (look == now)
        softirq_raise_on(home, SOFTIRQ_SCHED);
    if (claimed && cpu != home)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
    if (helper != MAX_CPUS)
        softirq_raise_on(helper, SOFTIRQ_SCHED);
}

void vcpu_wake(struct vcpu *v)
{
    sched_place(v);
}

/* ---- taking work from other CPUs ---- */

/* Take one vCPU from @victim for @cpu, whose load is @load; NULL when nothing fits. It is in no queue on return. */
static struct vcpu *take_from(unsigned victim, unsigned cpu, unsigned load)
{
    struct runq *rq = runq_of(victim);
    struct vcpu *found = NULL;
    unsigned long flags;

    if (atomic_load(&rq->nr) == 0 || atomic_load(&rq->load) <= load)
        return NULL;
    flags = spin_lock_irq(&rq->lock);
    list_for_each (pos, &rq->queue) {
        struct vcpu *v = list_entry(pos, struct vcpu, sched.runq);
        if (cpumask_test(v->sched.hard_affinity, cpu) && !atomic_load(&v->sched.running) &&
            atomic_load(&rq->load) >= load + v->sched.weight) {
            found = v;
            break;
        }
    }
    if (found) {
        runq_remove(rq, found);
        found->sched.vruntime += atomic_load(&runq_of(cpu)->min_vruntime) - rq->min_vruntime;
        atomic_store(&found->sched.cpu, cpu);
    }
    spin_unlock_irq(&rq->lock, flags);
    return found;
}

/* Bring one vCPU from a more loaded CPU into the queue of @cpu, which is this one. */
static bool pull_one(unsigned cpu, uint64_t now)
{
    const cpumask_t online = machine_online_cpus();
    const unsigned load = atomic_load(&runq_of(cpu)->load);
    struct vcpu *v = NULL;

    for (unsigned i = 1; i < MAX_CPUS && !v; i++) {
        const unsigned victim = (cpu + i) % MAX_CPUS;
        if (cpumask_test(online, victim))
            v = take_from(victim, cpu, load);
    }
    if (!v)
        return false;

    unsigned long flags;
    struct runq *rq = runq_lock_home(v, &flags);
    if (may_be_placed(v)) {
        runq_fit_vruntime(rq, v);
        runq_insert(rq, v);
    } else if (!v->sched.queued && !atomic_load(&v->sched.running)) {
        runstate_set(v, runstate_off(v), now);          /* paused in between */
    }
    spin_unlock_irq(&rq->lock, flags);
    return true;
}

/*
 * One to four slices from now. The jitter keeps CPUs out of step: in step they would hand the odd vCPUs round in a
 * circle, and always the same ones would be the odd ones. Only the CPU itself uses these fields.
 */
static void set_next_balance(struct runq *rq, uint64_t now)
{
    rq->jitter = rq->jitter * 6364136223846793005UL + 1442695040888963407UL;
    rq->next_balance = now + SLICE_NS + (rq->jitter >> 33) % (3 * SLICE_NS);
}

/* ---- choosing ---- */

/* Lock held. @prev stops being current: charge it, queue it again if it can go on here. */
static void put_prev(struct runq *rq, unsigned cpu, struct vcpu *prev, uint64_t now)
{
    ASSERT(rq->curr == prev);
    runq_account(rq, prev, now);
    runq_clear_curr(rq);
    if (vcpu_runnable(prev) && cap_exhausted(prev->domain))
        prev->sched.parked = true;
    if (vcpu_runnable(prev) && !prev->sched.parked && cpumask_test(prev->sched.hard_affinity, cpu)) {
        if (prev->sched.yielded && !list_empty(&rq->queue)) {
            const struct vcpu *head = list_entry(rq->queue.next, struct vcpu, sched.runq);
            if ((int64_t)(prev->sched.vruntime - head->sched.vruntime) < 0)
                prev->sched.vruntime = head->sched.vruntime;    /* behind its equals: the first goes now */
        }
        runq_insert(rq, prev);
    }
    prev->sched.yielded = false;
}

/* Lock held. The first vCPU whose cap is not used up becomes current; NULL: idle. */
static struct vcpu *take_first(struct runq *rq, unsigned cpu, uint64_t now)
{
    struct vcpu *v = NULL;

    while (!list_empty(&rq->queue)) {
        v = list_entry(rq->queue.next, struct vcpu, sched.runq);
        runq_remove(rq, v);
        if (!cap_exhausted(v->domain))
            break;
        v->sched.parked = true;                         /* waits in state runnable */
        v = NULL;
    }
    if (!v) {
        timer_stop(&rq->slice);
        atomic_fetch_or(&idle_cpus, 1UL << cpu);
        return NULL;
    }
    atomic_fetch_and(&idle_cpus, ~(1UL << cpu));
    runq_set_curr(rq, v);
    atomic_store(&v->sched.running, true);
    v->sched.accounted = now;
    runstate_set(v, RUNSTATE_running, now);
    runq_advance_clock(rq);
    timer_set(&rq->slice, now + cap_slice(v->domain, atomic_load(&nr_waiting) ? SLICE_NS : LOOK_NS));
    return v;
}

/* Lock held. Who did not get on is not running any more, as far as the runstate is concerned. */
static void book_states(struct runq *rq, struct vcpu *prev, struct vcpu *next, uint64_t now)
{
    if (prev && prev != next)
        runstate_set(prev, prev->sched.queued ? RUNSTATE_runnable : runstate_off(prev), now);
    if (!prev && next && now > rq->idle_since)
        rq->idle_time += now - rq->idle_since;
    if (prev && !next)
        rq->idle_since = now;
}

struct vcpu *sched_choose(unsigned cpu, struct vcpu *prev, uint64_t now)
{
    struct runq *rq = runq_of(cpu);
    struct vcpu *next;
    unsigned long flags;

    if (unlikely(atomic_load(&nr_waiting) != 0) && prev && now >= rq->next_balance) {
        set_next_balance(rq, now);
        (void)pull_one(cpu, now);
    }
    flags = spin_lock_irq(&rq->lock);
    if (prev)
        put_prev(rq, cpu, prev, now);
    next = take_first(rq, cpu, now);
    spin_unlock_irq(&rq->lock, flags);

    /* Our idle bit is set: a vCPU queued before a waker could see it is found here. */
    while (!next && atomic_load(&nr_waiting) != 0 && pull_one(cpu, now)) {
        flags = spin_lock_irq(&rq->lock);
        next = take_first(rq, cpu, now);
        spin_unlock_irq(&rq->lock, flags);
    }

    flags = spin_lock_irq(&rq->lock);
    book_states(rq, prev, next, now);
    spin_unlock_irq(&rq->lock, flags);
    if (prev && prev != next)
        time_vcpu_switch_out(prev);
    return next;
}

void sched_switched_out(struct vcpu *prev)
{
    unsigned long flags;
    struct runq *rq = runq_lock_home(prev, &flags);
    unsigned helper = MAX_CPUS;
    bool place;

    atomic_store(&prev->sched.running, false);
    place = may_be_placed(prev);
    if (prev->sched.queued && unlikely(atomic_load(&idle_cpus) != 0))
        helper = claim_idle(allowed_cpus(prev).bits);   /* nobody could take it while it was running */
    spin_unlock_irq(&rq->lock, flags);
    if (place)
        sched_place(prev);
    if (helper != MAX_CPUS)
        softirq_raise_on(helper, SOFTIRQ_SCHED);
}

/* ---- stopping, affinity ---- */

void vcpu_sleep_nosync(struct vcpu *v)
{
    unsigned long flags;
    struct runq *rq = runq_lock_home(v, &flags);
    const unsigned cpu = v->sched.cpu;
    const bool running = atomic_load(&v->sched.running);

    if (!vcpu_runnable(v)) {
        if (v->sched.queued)
            runq_remove(rq, v);
        if (rq->curr != v)
            runstate_set(v, runstate_off(v), machine_now());
    }
    spin_unlock_irq(&rq->lock, flags);
    if (running)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
}

void vcpu_sleep_sync(struct vcpu *v)
{
    vcpu_sleep_nosync(v);
    while (atomic_load(&v->sched.running))
        machine_cpu_relax();
}

int sched_set_affinity(struct vcpu *v, cpumask_t hard, cpumask_t soft)
{
    unsigned long flags;
    struct runq *rq;
    bool requeue, running;
    unsigned cpu;

    if (!(hard.bits & machine_online_cpus().bits))
        return -EINVAL;
    rq = runq_lock_home(v, &flags);
    v->sched.hard_affinity = hard;
    v->sched.soft_affinity = soft;
    cpu = v->sched.cpu;
    running = atomic_load(&v->sched.running) && !cpumask_test(hard, cpu);
    requeue = v->sched.queued && !atomic_load(&v->sched.running);   /* an idle CPU may have come into reach */
    if (requeue)
        runq_remove(rq, v);
    spin_unlock_irq(&rq->lock, flags);
    if (requeue)
        sched_place(v);
    if (running)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);           /* sched_switched_out finds it a new place */
    return 0;
}

/* ---- creation ---- */

int sched_vcpu_create(struct vcpu *v)
{
    static _Atomic unsigned turn;
    const cpumask_t online = machine_online_cpus();
    struct vcpu_sched *s = &v->sched;
    unsigned skip = v->domain->privileged ? v->id : atomic_fetch_add(&turn, 1);

    skip %= MAX((unsigned)__builtin_popcountl(online.bits), 1u);
    cpumask_for_each(cpu, online) {
        if (skip-- == 0) {
            s->cpu = (unsigned)cpu;
            break;
        }
    }
    list_init(&s->runq);
    s->hard_affinity = s->soft_affinity = (cpumask_t){ ~0UL };
    s->vruntime = runq_of(s->cpu)->min_vruntime;
    s->state = RUNSTATE_offline;
    s->state_since = machine_now();
    return 0;
}

void sched_vcpu_destroy(struct vcpu *v)
{
    BUG_ON(v->sched.queued || atomic_load(&v->sched.running));
    if (domain_is_dying(v->domain))
        sched_domain_destroy(v->domain);                /* its handler walks the vCPUs: before the first one goes */
}

void sched_domain_create(struct domain *d)
{
    d->sched.weight = DEFAULT_WEIGHT;
    cap_domain_create(d);
}

void sched_domain_destroy(struct domain *d)
{
    timer_kill(&d->sched.cap_timer);
}

void sched_dump(void)
{
    static const char *const names[] = { "running", "runnable", "blocked", "offline" };
    struct domain *d;

    pr_info("scheduler: idle %lx, %u waiting\n", atomic_load(&idle_cpus), atomic_load(&nr_waiting));
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        struct runq *rq = runq_of(cpu);
        if (!cpumask_test(machine_online_cpus(), cpu))
            continue;
        const struct vcpu *curr = READ_ONCE(rq->curr);
        pr_info("  cpu %u: %u waiting, load %u, clock %lu us, curr d%dv%d\n", cpu, atomic_load(&rq->nr),
                atomic_load(&rq->load), rq->min_vruntime / 1000, curr ? curr->domain->id : -1,
                curr ? (int)curr->id : -1);
    }
    for (unsigned id = 0; id < MAX_DOMID && (d = domain_lookup_from((domid_t)id)) != NULL; id = d->id + 1u, domain_put(d)) {
        pr_info("  d%u: weight %u cap %u\n", d->id, d->sched.weight, d->sched.cap);
        domain_for_each_vcpu(d, v)
            pr_info("    v%u: cpu %u %s%s%s, flags %x, vruntime %lu us, ran %lu us\n", v->id, v->sched.cpu,
                    names[v->sched.state], v->sched.queued ? " queued" : "", v->sched.parked ? " parked" : "",
                    atomic_load(&v->pause_flags), v->sched.vruntime / 1000, v->sched.state_time[0] / 1000);
    }
}
