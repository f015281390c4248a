/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runq.h - a CPU's run queue and between the files of sched/ */
#ifndef PARAVANE_RUNQ_H
#define PARAVANE_RUNQ_H

#include "sched/sched.h"

#define SLICE_NS 5000000UL              /* how long the first of several runs */
#define LOOK_NS 30000000UL              /* how often a vCPU that is alone on its CPU is accounted for */
#define CHARGE_NS (4 * LOOK_NS)         /* most that a vCPU is charged at once: see runq_account() */
#define WAKE_BONUS_NS 2000000UL         /* what a sleeper may be ahead of the queue when it wakes */
#define FORGIVE_NS 1000000000UL         /* after so long a sleep nobody is behind any more */
#define PREEMPT_NS 500000UL             /* how much a waking vCPU must be ahead to take the CPU before its turn */
#define BATCH_NS 1000000UL              /* how long a vCPU has run at least when that happens */
#define DEFAULT_WEIGHT 256u
#define CAP_PERIOD_NS 10000000UL
#define CAP_MIN_SLICE_NS 100000UL

struct runq {
    spinlock_t lock;                    /* RANK_RUNQ */
    /* under lock */
    struct list queue;                  /* runnable, not running; by vruntime, first come first among equals */
    struct vcpu *curr;                  /* running here; NULL: idle */
    uint64_t idle_since, idle_time;
    uint64_t next_balance, jitter;      /* only its own CPU */
    struct timer slice;
    /* written under lock, read by all */
    _Atomic uint64_t min_vruntime;      /* never decreases: the queue's virtual clock */
    _Atomic unsigned nr;                /* length of queue */
    _Atomic unsigned load;              /* weights of queue and curr */
};

extern struct runq runqs[MAX_CPUS];
extern _Atomic uint64_t idle_cpus;      /* CPUs that found nothing to run and are not claimed by a waker */
extern _Atomic unsigned nr_waiting;     /* queued vCPUs of the machine */

static inline struct runq *runq_of(unsigned cpu) { return &runqs[cpu]; }

/* Lock the queue of @v's CPU, which may change while we wait. */
struct runq *runq_lock_home(struct vcpu *v, unsigned long *flags);

/* Lock held. The queue's clock follows its first vCPU. */
void runq_advance_clock(struct runq *rq);
/* Lock held, @v belongs to @rq. Enter in order; a vCPU that comes from outside is fitted to the queue's clock first. */
void runq_insert(struct runq *rq, struct vcpu *v);
void runq_fit_vruntime(struct runq *rq, struct vcpu *v);
void runq_remove(struct runq *rq, struct vcpu *v);
/* Lock held. @v becomes, or stops being, what this CPU runs. */
void runq_set_curr(struct runq *rq, struct vcpu *v);
void runq_clear_curr(struct runq *rq);
/* Lock held. Charge @v, running, up to @now: virtual time and cap. */
void runq_account(struct runq *rq, struct vcpu *v, uint64_t now);

/* Lock held. Time in the old state is booked. */
void runstate_set(struct vcpu *v, uint8_t state, uint64_t now);
/* Which state is @v in while it neither runs nor waits for a CPU? */
uint8_t runstate_off(const struct vcpu *v);

/* Queue @v somewhere if it is runnable and neither queued, running nor parked. No lock held. */
void sched_place(struct vcpu *v);

/* ---- cap.c ---- */
bool cap_exhausted(const struct domain *d);
void cap_charge(struct domain *d, uint64_t ran, uint64_t now);
/* How long a vCPU of @d may run before its cap must be looked at again. */
uint64_t cap_slice(const struct domain *d, uint64_t slice);
void cap_domain_create(struct domain *d);
void cap_unpark_all(struct domain *d);

#endif
