/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.h - fair spin locks with ranks
 *
 * Ticket locks: waiters are served in order, so no CPU starves (XSA-114). Our own code on metal and on the host,
 * so that sanitizers see it. spin_lock() does not touch the interrupt flag; spin_lock_irq() disables interrupts
 * and returns the old flag for spin_unlock_irq(). Ranks from RUNQ on are taken by interrupt handlers, so always with
 * the irq form (checked).
 */
#ifndef PARAVANE_LOCK_H
#define PARAVANE_LOCK_H

#include "bug.h"
#include "lock_rank.h"
#include "types.h"

typedef struct spinlock {
    _Atomic uint32_t next;      /* ticket to hand out */
    _Atomic uint32_t serving;   /* ticket that holds the lock */
    uint16_t rank;              /* enum lock_rank */
    uint16_t holder;            /* cpu + 1 while held; debugging only */
} spinlock_t;

#define SPINLOCK_INIT(r) { .rank = RANK_##r }

void spin_lock_init(spinlock_t *l, enum lock_rank rank);
void spin_lock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
MUST_CHECK bool spin_trylock(spinlock_t *l);
MUST_CHECK unsigned long spin_lock_irq(spinlock_t *l);
void spin_unlock_irq(spinlock_t *l, unsigned long flags);

/* Held by the calling CPU? For ASSERTs. */
bool spin_is_held(const spinlock_t *l);

/*
 * Take two locks of one rank. Ordered by @ka, @kb (domids); a and b may be the same lock (a domain may map its own
 * grant), then it is taken once.
 */
void spin_lock_pair(spinlock_t *a, unsigned ka, spinlock_t *b, unsigned kb);
void spin_unlock_pair(spinlock_t *a, spinlock_t *b);

#endif
