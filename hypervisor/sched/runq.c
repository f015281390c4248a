/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runq.c - the run queue of a CPU, virtual time, runstate accounting
 *
 *   I1  v->sched.queued: v is in the queue of v->sched.cpu, once, and that queue's lock guards all of it.
 *   I2  a vCPU that is running belongs to the CPU it runs on, and is in no queue but that CPU's.
 *   I3  load = weights of the queued and of curr; nr = length of the queue; nr_waiting = sum of nr.
 *   I4  min_vruntime never decreases. A vCPU enters a queue at most WAKE_BONUS_NS before it, so that a long sleep starves
 *       nobody. What it is behind (it has had more than its share) it keeps, also to another CPU's clock, until the
 *       others have caught up or it slept for FORGIVE_NS. Otherwise a vCPU of little weight could rest for a moment instead of waiting its turn.
 */
#include "sched/runq.h"

#include "bug.h"
#include "machine.h"

struct runq runqs[MAX_CPUS];
_Atomic uint64_t idle_cpus;
_Atomic unsigned nr_waiting;

struct runq *runq_lock_home(struct vcpu *v, unsigned long *flags)
{
    for (;;) {
        const unsigned cpu = atomic_load(&v->sched.cpu);
        *flags = spin_lock_irq(&runqs[cpu].lock);
        if (likely(v->sched.cpu == cpu))
            return &runqs[cpu];
        spin_unlock_irq(&runqs[cpu].lock, *flags);
    }
}

static struct vcpu *first(const struct runq *rq)
{
    return list_empty(&rq->queue) ? NULL : list_entry(rq->queue.next, struct vcpu, sched.runq);
}

void runq_advance_clock(struct runq *rq)
{
    const struct vcpu *head = first(rq), *curr = rq->curr;
    uint64_t clock;

    if (!head && !curr)
        return;
    clock = head ? head->sched.vruntime : curr->sched.vruntime;
    if (curr && (int64_t)(curr->sched.vruntime - clock) < 0)
        clock = curr->sched.vruntime;
    if ((int64_t)(clock - rq->min_vruntime) > 0)
        rq->min_vruntime = clock;
}

void runq_fit_vruntime(struct runq *rq, struct vcpu *v)
{
    const int64_t lag = (int64_t)(v->sched.vruntime - rq->min_vruntime);

    if (lag < -(int64_t)WAKE_BONUS_NS)
        v->sched.vruntime = rq->min_vruntime - WAKE_BONUS_NS;
}

static void load_add(struct runq *rq, struct vcpu *v)
{
    v->sched.weight = v->domain->sched.weight;
    atomic_fetch_add(&rq->load, v->sched.weight);
}

static void load_sub(struct runq *rq, struct vcpu *v)
{
    atomic_fetch_sub(&rq->load, v->sched.weight);
}

void runq_insert(struct runq *rq, struct vcpu *v)
{
    struct list *after = rq->queue.prev;

    ASSERT(!v->sched.queued && runq_of(v->sched.cpu) == rq);
    while (after != &rq->queue &&
           (int64_t)(list_entry(after, struct vcpu, sched.runq)->sched.vruntime - v->sched.vruntime) > 0)
        after = after->prev;
    list_insert_between(&v->sched.runq, after, after->next);
    v->sched.queued = true;
    load_add(rq, v);
    atomic_fetch_add(&rq->nr, 1);
    atomic_fetch_add(&nr_waiting, 1);
}

void runq_remove(struct runq *rq, struct vcpu *v)
{
    ASSERT(v->sched.queued && runq_of(v->sched.cpu) == rq);
    list_remove(&v->sched.runq);
    v->sched.queued = false;
    load_sub(rq, v);
    atomic_fetch_sub(&rq->nr, 1);
    atomic_fetch_sub(&nr_waiting, 1);
}

void runq_set_curr(struct runq *rq, struct vcpu *v)
{
    rq->curr = v;
    load_add(rq, v);
}

void runq_clear_curr(struct runq *rq)
{
    load_sub(rq, rq->curr);
    rq->curr = NULL;
}

/*
 * A vCPU is looked at every LOOK_NS. Where much more than that has passed, the CPU itself stood still: a cloud's host ran somebody
 * else. Charged for all of it, the vCPU that happened to be there would wait as long again, for as long as another one works.
 */
void runq_account(struct runq *rq, struct vcpu *v, uint64_t now)
{
    const uint64_t ran = now > v->sched.accounted ? MIN(now - v->sched.accounted, CHARGE_NS) : 0;

    v->sched.accounted = now;
    v->sched.vruntime += ran * DEFAULT_WEIGHT / v->sched.weight;
    runq_advance_clock(rq);
    cap_charge(v->domain, ran, now);
}

void runstate_set(struct vcpu *v, uint8_t state, uint64_t now)
{
    struct vcpu_sched *s = &v->sched;

    if (s->state == state)
        return;
    if (now > s->state_since) {                         /* another CPU's clock may have been read a little later */
        s->state_time[s->state] += now - s->state_since;
        s->state_since = now;
    }
    s->state = state;
}

uint8_t runstate_off(const struct vcpu *v)
{
    if (vcpu_runnable(v))
        return RUNSTATE_runnable;                       /* parked by its cap, or about to be queued */
    return atomic_load(&v->pause_flags) & VPF_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline;
}

void sched_runstate_snapshot(struct vcpu *v, struct vcpu_runstate_info *out)
{
    unsigned long flags;
    struct runq *rq = runq_lock_home(v, &flags);
    const struct vcpu_sched *s = &v->sched;

    __builtin_memset(out, 0, sizeof(*out));             /* padding goes to the guest too */
    out->state = s->state;
    out->state_entry_time = s->state_since;
    for (unsigned i = 0; i < 4; i++)
        out->time[i] = s->state_time[i];
    spin_unlock_irq(&rq->lock, flags);
}

void sched_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    const uint64_t now = machine_now();

    sched_runstate_snapshot(v, out);
    if (now > out->state_entry_time)
        out->time[out->state] += now - out->state_entry_time;
}

uint64_t sched_vcpu_cpu_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    sched_get_runstate(v, &r);
    return r.time[RUNSTATE_running];
}

uint64_t sched_idle_time(unsigned cpu)
{
    struct runq *rq = runq_of(cpu);
    const uint64_t now = machine_now();
    const unsigned long flags = spin_lock_irq(&rq->lock);
    uint64_t t = rq->idle_time;

    if (!rq->curr && now > rq->idle_since)
        t += now - rq->idle_since;
    spin_unlock_irq(&rq->lock, flags);
    return t;
}

static unsigned audit_queue(unsigned cpu, struct runq *rq)
{
    unsigned nr = 0, load = rq->curr ? rq->curr->sched.weight : 0;
    const struct vcpu *last = NULL;

    list_for_each (pos, &rq->queue) {
        struct vcpu *v = list_entry(pos, struct vcpu, sched.runq);
        BUG_ON(!v->sched.queued || v->sched.cpu != cpu || v->sched.parked);                     /* I1 */
        BUG_ON(v == rq->curr);
        BUG_ON(pos->next->prev != pos);
        BUG_ON(last && (int64_t)(v->sched.vruntime - last->sched.vruntime) < 0);
        last = v;
        nr++;
        load += v->sched.weight;
    }
    BUG_ON(nr != atomic_load(&rq->nr) || load != atomic_load(&rq->load));                       /* I3 */
    BUG_ON(rq->curr && (rq->curr->sched.queued || rq->curr->sched.cpu != cpu || !atomic_load(&rq->curr->sched.running)));
    return nr;
}

/* Lock of @v's queue held by nobody: the machine is quiet, softirqs done. Who is runnable is somewhere. */
static void audit_vcpu(const struct vcpu *v)
{
    const bool somewhere = v->sched.queued || v->sched.parked || atomic_load(&v->sched.running);

    BUG_ON(vcpu_runnable(v) && !somewhere);
    BUG_ON(v->sched.queued && !vcpu_runnable(v));
}

void sched_audit(void)
{
    unsigned waiting = 0;
    struct domain *d;

    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (!cpumask_test(machine_online_cpus(), cpu))
            continue;
        const unsigned long flags = spin_lock_irq(&runqs[cpu].lock);
        waiting += audit_queue(cpu, &runqs[cpu]);
        spin_unlock_irq(&runqs[cpu].lock, flags);
    }
    BUG_ON(waiting != atomic_load(&nr_waiting));
    for (unsigned id = 0; id < MAX_DOMID && (d = domain_lookup_from((domid_t)id)) != NULL; id = d->id + 1u, domain_put(d)) {
        domain_for_each_vcpu(d, v)
            audit_vcpu(v);
    }
}
