/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_type.c - the state machine of a frame's type word
 *
 *     idle (count 0) --claim--> BUSY --validated--> count 1 <--> count n
 *        ^                       |  \--yield--> PARTIAL, count 0 --same type--> BUSY
 *        |                       |  \--error, undo yields--> PARTIAL|UNDO, count 0 --same type--> BUSY, undo goes on
 *        +------ released -------+
 *     count 1 --last put--> BUSY --released--> idle;  --yield--> PARTIAL, count 1 --put again--> BUSY
 *
 *   J1  Only the holder of BUSY stores to the word without an exchange, or touches stamp_progress of a frame that has
 *       a count.
 *   J2  An idle word keeps the last type; its stamp was read after the last user was gone (inside BUSY, so no get and
 *       put by another CPU can slip between the reading and the count). A claim for another type flushes by that
 *       stamp: stale writable translations when a table is born, stale paging-structure entries when one dies.
 *   J3  Waiting: a CPU spins for a BUSY frame only if it wants the same type of L1, or if the type is one whose holder waits
 *       for nothing (SEG, WRITABLE). Holders of BUSY on L1 wait only for the latter; holders of L2.. never spin on L2..
 *       (they give up with -ERESTART). So no cycle of waiters exists. Any other meeting is -EBUSY: the frame is in use
 *       as something else.
 *   J4  A PARTIAL, count 0 frame keeps the reference it holds on itself until somebody resumes or undoes it.
 *   J5  A frame that becomes a table is new to whoever copies the domain, also when its bytes are those that were sent: they
 *       were sent as data, and machine frames in them mean nothing elsewhere. One that ceases to be a table is not: what it
 *       holds is nobody's data until it is written, which is logged.
 *
 * Refused: a type for a frame whose count is full; another type while PARTIAL (a guest that abandons a call half way has to
 * finish it first).
 */
#include "mm/page_type.h"

#include "bug.h"
#include "domain/domain.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/pt_validate.h"

#define STAMP_BITS 48

static inline enum page_type type_of(uint64_t w) { return (enum page_type)(w >> 60); }
static inline uint64_t count_of(uint64_t w) { return w & PGT_COUNT_MASK; }
static inline bool is_table(enum page_type t) { return t >= PGT_L1 && t <= PGT_L4; }
static inline bool is_tree(enum page_type t) { return t >= PGT_L2 && t <= PGT_L4; }

static unsigned progress_get(const struct frame *f) { return (unsigned)(f->stamp_progress >> STAMP_BITS); }

static void progress_set(struct frame *f, unsigned progress)
{
    f->stamp_progress = (f->stamp_progress & ((1UL << STAMP_BITS) - 1)) | (uint64_t)progress << STAMP_BITS;
}

/* J1: end of BUSY. */
static void settle(struct frame *f, uint64_t word) { atomic_store_explicit(&f->type, word, memory_order_release); }

static void settle_idle(struct frame *f, enum page_type t)
{
    f->stamp_progress = tlb_epoch_now();                                    /* J2 */
    settle(f, PGT_WORD(t));
}

static int settle_partial(mfn_t m, enum page_type t, uint64_t flags, unsigned progress)
{
    page_ref_dup(m);                                                        /* J4; the caller holds one */
    progress_set(frame_of(m), progress);
    settle(frame_of(m), PGT_WORD(t) | PGT_PARTIAL | flags);
    return -ERESTART;
}

/* BUSY is ours: give the references of entries [0, progress) back, then report @rc. */
static int undo(mfn_t m, enum page_type t, unsigned progress, int rc)
{
    if (is_table(t) && table_release(m, t, &progress))
        return settle_partial(m, t, PGT_UNDO, progress);
    settle_idle(frame_of(m), t);
    return rc;
}

/* BUSY is ours; @old is what the word was before the claim. */
static int validate(mfn_t m, struct domain *d, enum page_type want, uint64_t old)
{
    struct frame *f = frame_of(m);
    unsigned progress = 0;
    int rc;

    if (old & PGT_PARTIAL) {
        progress = progress_get(f);
        page_ref_put(m);                                                    /* J4; the caller holds another */
        if (old & PGT_UNDO)
            return undo(m, want, progress, -EINVAL);
    } else if (type_of(old) != want && type_of(old) != PGT_NONE) {
        /* I2. Claimed already, so nobody can make it writable again behind the flush (XSA-401). */
        tlb_flush_since(f->stamp_progress);
    }

    if (want == PGT_WRITABLE)
        rc = 0;
    else if (want == PGT_SEG)
        rc = seg_validate(m);
    else
        rc = table_validate(m, d, want, &progress);

    if (rc == -ERESTART)
        return settle_partial(m, want, 0, progress);
    if (rc)
        return undo(m, want, progress, rc);
    progress_set(f, 0);
    settle(f, PGT_WORD(want) | 1);
    if (is_table(want))
        dirty_log_mark(d, m);               /* J5; after the word, or a round between would read the old one and forget */
    return 0;
}

/* The frame is BUSY with another CPU. 0: look again; else the answer (J3). */
static int meet_busy(uint64_t old, enum page_type want)
{
    const enum page_type t = type_of(old);

    if (t == PGT_SEG || t == PGT_WRITABLE || (t == PGT_L1 && want == PGT_L1)) {
        machine_cpu_relax();
        return 0;
    }
    return t == want ? -ERESTART : -EBUSY;
}

int page_type_get(mfn_t m, struct domain *d, enum page_type want)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->type, memory_order_relaxed), new;

    do {                                        /* decide: only the exchange changes anything */
        while (unlikely(old & PGT_BUSY)) {
            const int rc = meet_busy(old, want);

            if (rc)
                return rc;
            old = atomic_load_explicit(&f->type, memory_order_relaxed);
        }
        if (likely(count_of(old))) {
            if (type_of(old) != want || (old & PGT_PARTIAL))
                return -EBUSY;
            if (count_of(old) == PGT_COUNT_MASK)
                return -ERANGE;
            new = old + 1;
        } else if (old & PGT_PARTIAL) {
            if (type_of(old) != want)
                return -EBUSY;
            new = old | PGT_BUSY;
        } else {
            const bool simple = want == PGT_WRITABLE && (type_of(old) == want || type_of(old) == PGT_NONE);

            new = PGT_WORD(want) | 1 | (simple ? 0 : PGT_BUSY);             /* claim */
        }
    } while (!atomic_compare_exchange_weak_explicit(&f->type, &old, new, memory_order_acq_rel,
                                                    memory_order_relaxed));

    return unlikely(new & PGT_BUSY) ? validate(m, d, want, old) : 0;
}

int page_type_drop(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load_explicit(&f->type, memory_order_relaxed), new;

    do {
        /* We own one of the count: nobody else can be busy with it, and a pin would be one more. */
        BUG_ON(count_of(old) == 0 || (old & PGT_BUSY) || ((old & PGT_PINNED) && count_of(old) == 1));
        new = count_of(old) > 1 ? old - 1 : old | PGT_BUSY;
    } while (!atomic_compare_exchange_weak_explicit(&f->type, &old, new, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (likely(!(new & PGT_BUSY)))
        return 0;

    const enum page_type t = type_of(old);

    if (is_table(t)) {
        unsigned progress = old & PGT_PARTIAL ? progress_get(f) : 512;

        if (table_release(m, t, &progress)) {
            progress_set(f, progress);
            settle(f, PGT_WORD(t) | PGT_PARTIAL | 1);
            return -ERESTART;
        }
    }
    settle_idle(f, t);
    return 0;
}

int page_type_put(mfn_t m, struct domain *d)
{
    ASSERT(frame_owner(frame_of(m)) == d->id);
    return page_type_drop(m);
}

void page_type_put_leaf(mfn_t m, struct domain *d)
{
    ASSERT(frame_owner(frame_of(m)) == d->id);
    page_type_drop_leaf(m);
}

void page_type_drop_last_leaf(mfn_t m)
{
    ASSERT(!is_tree(type_of(atomic_load_explicit(&frame_of(m)->type, memory_order_relaxed))));
    BUG_ON(page_type_drop(m));
}

int page_get_and_type(mfn_t m, struct domain *d, enum page_type want)
{
    if (!page_ref_get(m, d))
        return -EINVAL;

    const int rc = page_type_get(m, d, want);

    if (rc)
        page_ref_put(m);
    return rc;
}

int page_drop_and_type(mfn_t m)
{
    const int rc = page_type_drop(m);

    if (rc == 0)
        page_ref_put(m);
    return rc;
}

int page_put_and_type(mfn_t m, struct domain *d)
{
    ASSERT(frame_owner(frame_of(m)) == d->id);
    return page_drop_and_type(m);
}

int page_pin(mfn_t m, struct domain *d, enum page_type level)
{
    const int rc = page_get_and_type(m, d, level);

    if (rc)
        return rc;
    return atomic_fetch_or(&frame_of(m)->type, PGT_PINNED) & PGT_PINNED ? -EEXIST : 0;
}

int page_unpin(mfn_t m, struct domain *d)
{
    if (!page_ref_get(m, d))
        return -EINVAL;
    const bool was = atomic_fetch_and(&frame_of(m)->type, ~PGT_PINNED) & PGT_PINNED;
    page_ref_put(m);
    return was ? 0 : -EINVAL;
}

int page_type_abandon(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t old = atomic_load(&f->type);
    const enum page_type t = type_of(old);

    do {
        if (!(old & PGT_PARTIAL) || (old & PGT_BUSY) || count_of(old))
            return 0;
    } while (!atomic_compare_exchange_weak(&f->type, &old, old | PGT_BUSY));

    const unsigned progress = progress_get(f);

    page_ref_put(m);
    return undo(m, t, progress, 0);
}

enum page_type page_type_now(mfn_t m, bool *pinned)
{
    const uint64_t w = atomic_load(&frame_of(m)->type);

    *pinned = w & PGT_PINNED;
    return count_of(w) && !(w & (PGT_BUSY | PGT_PARTIAL)) ? type_of(w) : PGT_NONE;
}
