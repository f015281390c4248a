/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.c - ticket locks and the rank check
 *
 * Each CPU keeps a small stack of the ranks it holds. It lives here, indexed by CPU, not in the lock: a lock that
 * is destroyed while held would take its own evidence along.
 */
#include "lock.h"

#include "limits.h"
#include "machine.h"

#define MAX_HELD 12

static struct held {
    unsigned depth;
    uint8_t rank[MAX_HELD];
} ALIGNED(64) held[MAX_CPUS];

static const char *const rank_name[RANK_COUNT] = {
    [RANK_NONE] = "none",
#define RANK_NAME(name, what) [RANK_##name] = #name,
    LOCK_RANKS(RANK_NAME)
#undef RANK_NAME
};

static void held_push(const spinlock_t *l, unsigned cpu, bool pair)
{
#define TOP(h) ((h)->depth ? (h)->rank[(h)->depth - 1] : 0)
    struct held *h = &held[cpu];
    if (h->depth >= MAX_HELD || l->rank < TOP(h) || (l->rank == TOP(h) && !pair && l->rank != RANK_NONE))
        machine_panic("lock order: taking %s while holding %s", rank_name[l->rank], rank_name[TOP(h)]);
    h->rank[h->depth++] = (uint8_t)l->rank;
}

/* Locks are usually, but not always, released in reverse order. */
static void held_pop(const spinlock_t *l, unsigned cpu)
{
    struct held *h = &held[cpu];
    for (unsigned i = h->depth; i-- > 0;) {
        if (h->rank[i] != l->rank)
            continue;
        for (unsigned j = i + 1; j < h->depth; j++)
            h->rank[j - 1] = h->rank[j];
        h->depth--;
        return;
    }
    BUG();
}

void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = (spinlock_t){ .rank = (uint16_t)rank };
}

static void acquire(spinlock_t *l)
{
    const uint32_t ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&l->serving, memory_order_acquire) != ticket)
        machine_cpu_relax();
}

static void lock_it(spinlock_t *l)
{
    const unsigned cpu = this_cpu();
    held_push(l, cpu, false);
    acquire(l);
    l->holder = (uint16_t)(cpu + 1);
}

void spin_lock(spinlock_t *l)
{
    BUG_ON(l->rank >= RANK_FIRST_IRQ);
    lock_it(l);
}

void spin_unlock(spinlock_t *l)
{
    const unsigned cpu = this_cpu();
    BUG_ON(l->holder != cpu + 1);
    held_pop(l, cpu);
    l->holder = 0;
    const uint32_t serving = atomic_load_explicit(&l->serving, memory_order_relaxed);
    atomic_store_explicit(&l->serving, serving + 1, memory_order_release);
}

bool spin_trylock(spinlock_t *l)
{
    /* The acquire that pairs with the last unlock's release is this one: the exchange below is on the other word. */
    uint32_t serving = atomic_load_explicit(&l->serving, memory_order_acquire);
    if (!atomic_compare_exchange_strong_explicit(&l->next, &serving, serving + 1, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    const unsigned cpu = this_cpu();
    held_push(l, cpu, true);
    l->holder = (uint16_t)(cpu + 1);
    return true;
}

unsigned long spin_lock_irq(spinlock_t *l)
{
    const unsigned long flags = machine_irq_save();
    lock_it(l);
    return flags;
}

void spin_unlock_irq(spinlock_t *l, unsigned long flags)
{
    spin_unlock(l);
    machine_irq_restore(flags);
}

bool spin_is_held(const spinlock_t *l)
{
    return READ_ONCE(l->holder) == this_cpu() + 1;
}

void spin_lock_pair(spinlock_t *a, unsigned ka, spinlock_t *b, unsigned kb)
{
    spinlock_t *const first = ka <= kb ? a : b, *const second = ka <= kb ? b : a;
    lock_it(first);
    if (first == second)
        return;
    const unsigned cpu = this_cpu();
    held_push(second, cpu, true);
    acquire(second);
    second->holder = (uint16_t)(cpu + 1);
}

void spin_unlock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_unlock(a);
    if (a != b)
        spin_unlock(b);
}
