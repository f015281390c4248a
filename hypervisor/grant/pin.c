/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.c - one entry lent: announce, refer, count
 *
 * The entry is shared with the granter, who may change it at any moment. So: flags and domid are read as one word and
 * judged; the reading/writing flags are put in by an exchange that fails if anything changed since; only then is the
 * frame read, once. From there on the granter sees that the entry is in use, and we use our own copy of the frame.
 *
 * A granter that keeps changing the word gets a bounded number of tries (XSA-295).
 */
#include "grant/table.h"

#include "bug.h"
#include "mm/dirty_log.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"

#define ANNOUNCE_TRIES 5

/* ABI: the first 32 bits of an entry, as one atomic unit. */
static uint32_t *entry_word(struct grant_entry_v1 *sh)
{
    _Static_assert(offsetof(struct grant_entry_v1, flags) == 0 && offsetof(struct grant_entry_v1, domid) == 2 &&
                   offsetof(struct grant_entry_v1, frame) == 4, "ABI");
    return (uint32_t *)(void *)sh;
}

static int16_t announce(struct grant_entry_v1 *sh, domid_t to, bool readonly)
{
    uint32_t old = __atomic_load_n(entry_word(sh), __ATOMIC_RELAXED);

    for (unsigned i = 0; i < ANNOUNCE_TRIES; i++) {
        if ((old & GTF_type_mask) != GTF_permit_access || old >> 16 != to)
            return GNTST_general_error;
        if (!readonly && (old & GTF_readonly))
            return GNTST_general_error;
        const uint32_t new = old | GTF_reading | (readonly ? 0 : GTF_writing);
        if (__atomic_compare_exchange_n(entry_word(sh), &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

/* Take back what no pin needs. The granter may have scribbled over the word: we touch our two bits only. */
static void retract(const struct grant_table *gt, uint32_t ref, const struct grant_active *a)
{
    const uint32_t keep = ~((a->writers ? 0 : GTF_writing) | (grant_pinned(a) ? 0 : GTF_reading));

    if (!gt->sealed)
        __atomic_fetch_and(entry_word(grant_shared_of(gt, ref)), keep, __ATOMIC_SEQ_CST);
}

static bool refer(mfn_t m, struct domain *owner, bool readonly)
{
    if (!page_ref_get(m, owner))
        return false;
    if (readonly || page_type_get(m, owner, PGT_WRITABLE) == 0)
        return true;
    page_ref_put(m);
    return false;
}

int16_t grant_pin(struct domain *rd, uint32_t ref, domid_t to, bool readonly, mfn_t *frame)
{
    struct grant_table *gt = rd->grants;
    struct grant_active *a = grant_active_of(gt, ref);
    int16_t status;

    ASSERT(spin_is_held(&gt->lock));
    if (gt->sealed)
        return GNTST_bad_domain;
    if (!a)
        return GNTST_bad_gntref;
    if (grant_pinned(a) && a->domid != to)
        return GNTST_general_error;
    if ((readonly ? a->readers : a->writers) == PIN_MAX)
        return GNTST_general_error;

    status = announce(grant_shared_of(gt, ref), to, readonly);
    if (status != GNTST_okay)
        return status;
    *frame = grant_pinned(a) ? a->frame : mfn(__atomic_load_n(&grant_shared_of(gt, ref)->frame, __ATOMIC_RELAXED));
    if (!refer(*frame, rd, readonly)) {
        retract(gt, ref, a);
        return GNTST_general_error;
    }
    a->frame = *frame;
    a->domid = to;
    if (readonly) {
        a->readers++;
    } else {
        a->writers++;
        gt->writing++;
    }
    return GNTST_okay;
}

void grant_unpin(struct domain *rd, uint32_t ref, bool readonly)
{
    struct grant_table *gt = rd->grants;
    struct grant_active *a = grant_active_of(gt, ref);

    ASSERT(spin_is_held(&gt->lock));
    BUG_ON(!a || (readonly ? a->readers : a->writers) == 0);
    if (!readonly) {
        dirty_log_mark(rd, a->frame);                   /* for a copy as for a mapping */
        page_type_put_leaf(a->frame, rd);
    }
    page_ref_put(a->frame);
    if (readonly) {
        a->readers--;
    } else {
        a->writers--;
        gt->writing--;
    }
    retract(gt, ref, a);                                /* after the references: I2 */
}

void grant_swap(struct domain *d, struct gnttab_swap_grant_ref *op)
{
    struct grant_table *gt = d->grants;
    struct grant_active *a, *b;

    spin_lock(&gt->lock);
    a = grant_active_of(gt, op->ref_a);
    b = grant_active_of(gt, op->ref_b);
    if (!a || !b || gt->sealed) {
        op->status = GNTST_bad_gntref;
    } else if (grant_pinned(a) || grant_pinned(b)) {
        op->status = GNTST_eagain;
    } else {
        struct grant_entry_v1 *sa = grant_shared_of(gt, op->ref_a), *sb = grant_shared_of(gt, op->ref_b);
        const struct grant_entry_v1 ea = { READ_ONCE(sa->flags), READ_ONCE(sa->domid), READ_ONCE(sa->frame) };
        const struct grant_entry_v1 eb = { READ_ONCE(sb->flags), READ_ONCE(sb->domid), READ_ONCE(sb->frame) };
        *sa = eb;
        *sb = ea;
        op->status = GNTST_okay;
    }
    spin_unlock(&gt->lock);
}
