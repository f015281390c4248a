/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * timer.c - the timer queues
 *
 * A queue is a pairing heap: intrusive, so that setting a timer never allocates; O(1) to insert, O(log n) amortised to
 * take the first.
 *
 *   I1  t->queued: t is in the heap of queue[t->cpu], once. Changes under that queue's lock.
 *   I2  a parent expires no later than its children.
 *   I3  queue.armed <= the root's deadline, or SOFTIRQ_TIMER is pending on that CPU. The hardware may be armed earlier
 *       than needed (stopping a timer does not re-arm): one interrupt finds nothing and arms again.
 */
#include "time/timer.h"

#include "bug.h"
#include "limits.h"
#include "lock.h"
#include "machine.h"
#include "softirq.h"

#define NEVER (~0UL)

static struct timer_queue {
    spinlock_t lock;
    struct timer *root;
    _Atomic uint64_t armed;     /* under lock, or by the CPU itself with interrupts off */
} ALIGNED(64) queue[MAX_CPUS];

/* ---- pairing heap ---- */

/* Atomic only for those who peek without the lock; under it, an ordinary variable. */
static uint64_t expiry(const struct timer *t)
{
    return atomic_load_explicit(&t->expires, memory_order_relaxed);
}

static struct timer *heap_meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (expiry(b) < expiry(a)) {
        struct timer *tmp = a;
        a = b;
        b = tmp;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Make one heap of a list of siblings: meld pairs left to right, then the results right to left. */
static struct timer *heap_meld_siblings(struct timer *first)
{
    struct timer *pairs = NULL, *root = NULL;

    while (first) {
        struct timer *a = first, *b = a->next, *m;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        m = heap_meld(a, b);
        m->next = pairs;
        pairs = m;
    }
    while (pairs) {
        struct timer *m = pairs;
        pairs = m->next;
        m->next = m->prev = NULL;
        root = heap_meld(root, m);
    }
    return root;
}

static void heap_remove(struct timer_queue *q, struct timer *t)
{
    struct timer *children = heap_meld_siblings(t->child);

    if (t == q->root) {
        q->root = children;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        q->root = heap_meld(q->root, children);
    }
    t->child = t->next = t->prev = NULL;
    atomic_store_explicit(&t->queued, false, memory_order_relaxed);
}

static void heap_insert(struct timer_queue *q, struct timer *t)
{
    atomic_store_explicit(&t->queued, true, memory_order_relaxed);
    q->root = heap_meld(q->root, t);
}

/* ---- queues ---- */

static void set_armed(struct timer_queue *q, uint64_t deadline)
{
    atomic_store_explicit(&q->armed, deadline, memory_order_relaxed);
}

/* Lock held. Keep I3 after the root of @cpu's queue changed. */
static void rearm(unsigned cpu)
{
    struct timer_queue *q = &queue[cpu];

    if (!q->root || atomic_load_explicit(&q->armed, memory_order_relaxed) <= expiry(q->root))
        return;
    if (cpu == this_cpu()) {
        set_armed(q, expiry(q->root));
        machine_arm_timer(expiry(q->root));
    } else {
        softirq_raise_on(cpu, SOFTIRQ_TIMER);
    }
}

/* Lock the queue @t belongs to; it may be moved while we wait for the lock. */
static struct timer_queue *lock_queue(struct timer *t, unsigned long *flags)
{
    for (;;) {
        const unsigned cpu = atomic_load_explicit(&t->cpu, memory_order_relaxed);
        *flags = spin_lock_irq(&queue[cpu].lock);
        if (likely(t->cpu == cpu))
            return &queue[cpu];
        spin_unlock_irq(&queue[cpu].lock, *flags);
    }
}

void timer_init_cpu(unsigned cpu)
{
    spin_lock_init(&queue[cpu].lock, RANK_TIMER);
    queue[cpu].root = NULL;
    set_armed(&queue[cpu], NEVER);
}

void timer_init(struct timer *t, unsigned cpu, void (*handler)(void *data), void *data)
{
    *t = (struct timer){ .handler = handler, .data = data, .expires = NEVER, .cpu = cpu };
}

void timer_set(struct timer *t, uint64_t expires)
{
    unsigned long flags;
    struct timer_queue *q = lock_queue(t, &flags);

    if (t->queued)
        heap_remove(q, t);
    atomic_store_explicit(&t->expires, expires, memory_order_relaxed);
    if (!t->dead && expires != NEVER) {
        heap_insert(q, t);
        rearm(t->cpu);
    }
    spin_unlock_irq(&q->lock, flags);
}

void timer_stop(struct timer *t)
{
    unsigned long flags;
    struct timer_queue *q;

    if (!atomic_load_explicit(&t->queued, memory_order_relaxed))
        return;
    q = lock_queue(t, &flags);
    if (t->queued)
        heap_remove(q, t);
    spin_unlock_irq(&q->lock, flags);
}

void timer_migrate(struct timer *t, unsigned cpu)
{
    for (;;) {
        const unsigned old = atomic_load_explicit(&t->cpu, memory_order_relaxed);
        if (old == cpu)
            return;
        const unsigned long flags = machine_irq_save();
        spin_lock_pair(&queue[old].lock, old, &queue[cpu].lock, cpu);
        const bool same = t->cpu == old;
        if (same) {
            const bool queued = t->queued;
            if (queued)
                heap_remove(&queue[old], t);
            t->cpu = cpu;
            if (queued) {
                heap_insert(&queue[cpu], t);
                rearm(cpu);
            }
        }
        spin_unlock_pair(&queue[old].lock, &queue[cpu].lock);
        machine_irq_restore(flags);
        if (same)
            return;
    }
}

void timer_kill(struct timer *t)
{
    unsigned long flags;
    struct timer_queue *q;

    if (!t->handler)
        return;
    q = lock_queue(t, &flags);
    if (t->queued)
        heap_remove(q, t);
    t->dead = true;
    spin_unlock_irq(&q->lock, flags);
    while (atomic_load(&t->running))
        machine_cpu_relax();
}

void timer_interrupt(void)
{
    set_armed(&queue[this_cpu()], NEVER);                   /* irq off, our own queue; I3 by the softirq */
    softirq_raise(SOFTIRQ_TIMER);
}

/* Take the first expired timer off @q, marked running; or arm the hardware for the next one and return NULL. */
static struct timer *next_expired(struct timer_queue *q)
{
    const unsigned long flags = spin_lock_irq(&q->lock);
    struct timer *t = q->root;

    if (t && expiry(t) <= machine_now()) {
        heap_remove(q, t);
        atomic_fetch_add(&t->running, 1);
    } else {
        t = NULL;
        set_armed(q, NEVER);
        rearm(this_cpu());
    }
    spin_unlock_irq(&q->lock, flags);
    return t;
}

void timer_softirq(void)
{
    struct timer *t;

    while ((t = next_expired(&queue[this_cpu()])) != NULL) {
        t->handler(t->data);
        atomic_fetch_sub(&t->running, 1);               /* t may be freed from here on */
    }
}

uint64_t timer_next(unsigned cpu)
{
    const unsigned long flags = spin_lock_irq(&queue[cpu].lock);
    const uint64_t e = queue[cpu].root ? queue[cpu].root->expires : NEVER;

    spin_unlock_irq(&queue[cpu].lock, flags);
    return e;
}

/* Every node once, without recursion: down to the child, else to the next sibling, else up until there is one. */
static void audit_heap(unsigned cpu, const struct timer *root)
{
    const struct timer *t = root;

    BUG_ON(root && (root->prev || root->next));
    while (t) {
        BUG_ON(!t->queued || t->cpu != cpu || t->dead || !t->handler);                          /* I1 */
        BUG_ON(t->child && (t->child->prev != t || t->child->expires < t->expires));            /* I2 */
        BUG_ON(t->next && t->next->prev != t);
        if (t->child) {
            t = t->child;
            continue;
        }
        while (t && !t->next) {
            while (t->prev && t->prev->child != t)
                t = t->prev;                            /* leftmost sibling, then its parent */
            t = t->prev;
        }
        if (t)
            t = t->next;
    }
}

void timer_audit(void)
{
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (!cpumask_test(machine_online_cpus(), cpu))
            continue;
        const unsigned long flags = spin_lock_irq(&queue[cpu].lock);
        struct timer *root = queue[cpu].root;
        audit_heap(cpu, root);
        BUG_ON(root && queue[cpu].armed > root->expires && !softirq_pending(cpu));              /* I3 */
        spin_unlock_irq(&queue[cpu].lock, flags);
    }
}
