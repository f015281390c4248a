/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_update.c - one entry becomes another
 *
 *   I1  References first, then the store, then the old entry's references: at no moment does an entry stand without its
 *       references. The store is an exchange against the entry that was judged, so each old entry is dropped exactly
 *       once, by whoever replaced it, however many vCPUs write the same slot.
 *   I2  Fast paths change no reference, or only drop one: same frame, difference inside an allow-list of bits.
 *   I3  A and D bits that the CPU sets between judging and storing do not make the judgement stale.
 */
#include "mm/pt_update.h"

#include "bug.h"
#include "emul/emul.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/dirty_log.h"
#include "mm/page_ref.h"
#include "mm/pt_replace.h"
#include "mm/pt_validate.h"

#define PTE_AD (PTE_A | PTE_D)
#define MAX_TRIES 8             /* against other vCPUs of the domain storing to the same slot */

/*
 * Store @new over *@old (I3). False: the entry changed otherwise; *@old is what it is now. With @strict even A and D count.
 */
static bool slot_exchange(uint64_t *slot, uint64_t *old, uint64_t new, bool preserve_ad, bool strict)
{
    for (;;) {
        const uint64_t judged = *old;
        const uint64_t keep = preserve_ad ? judged & PTE_AD : 0;

        if (likely(__atomic_compare_exchange_n(slot, old, new | keep, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
            return true;
        if (strict || ((*old ^ judged) & ~PTE_AD))
            return false;
    }
}

/* The new entry is present. 0, error, or -EAGAIN: *@old changed, judge again. */
static int l1_replace_present(struct domain *d, uint64_t *slot, uint64_t *old, uint64_t new, struct domain *pg_owner,
                              bool preserve_ad, bool strict)
{
    const uint64_t diff = *old ^ new;

    if ((*old & PTE_P) && !(diff & ~(L1E_FREE_BITS | PTE_RW)) && !(new & ~*old & PTE_RW)) {
        /* I2: same frame, same rights or fewer. */
        const uint64_t was = *old;

        if (!slot_exchange(slot, old, new, preserve_ad, strict))
            return -EAGAIN;
        if ((diff & PTE_RW) && mfn_is_ram(pte_mfn(was)))
            page_type_drop_leaf(pte_mfn(was));
        return 0;
    }

    const int rc = l1e_get(d, pg_owner, &new);

    if (rc)
        return rc;
    if (!slot_exchange(slot, old, new, preserve_ad, strict)) {
        l1e_put(new);
        return -EAGAIN;
    }
    if (*old & PTE_P)
        l1e_put(*old);
    return 0;
}

static int l1_replace_slow(struct domain *d, uint64_t *slot, uint64_t val, struct domain *pg_owner, bool preserve_ad,
                           uint64_t *expect)
{
    uint64_t old = READ_ONCE(*slot);
    int rc = -EAGAIN;

    if (expect && old != *expect) {
        *expect = old;
        return -EAGAIN;
    }
    for (unsigned tries = 0; rc == -EAGAIN; tries++) {
        if (tries == MAX_TRIES)
            return -EBUSY;
        if (val & PTE_P) {
            rc = l1_replace_present(d, slot, &old, l1e_fixed(val), pg_owner, preserve_ad, expect);
        } else if (slot_exchange(slot, &old, val, false, expect)) {
            if (old & PTE_P)
                l1e_put(old);
            rc = 0;
        }
        if (rc == -EAGAIN && expect) {
            *expect = old;
            return rc;
        }
    }
    return rc;
}

/* RW is all that an entry of the domain's own gains: new references first, then the old plain one goes (I1). */
static bool l1_gain_rw(struct domain *d, uint64_t *slot, uint64_t old, uint64_t new)
{
    const mfn_t m = pte_mfn(old);

    if (unlikely(!page_ref_get(m, d)))
        return false;
    if (likely(page_type_get_fast(m, d, PGT_WRITABLE) == 0)) {
        if (likely(__atomic_compare_exchange_n(slot, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))) {
            page_ref_put(m);
            return true;
        }
        page_type_drop_leaf(m);
    }
    page_ref_put(m);
    return false;
}

int l1_replace(struct domain *d, uint64_t *slot, uint64_t val, struct domain *pg_owner, bool preserve_ad,
               uint64_t *expect)
{
    uint64_t old = expect ? *expect : READ_ONCE(*slot);
    const uint64_t fixed = l1e_fixed(val), diff = old ^ fixed;
    uint64_t new = fixed;

    /* I2, straight through: what mprotect, fork and page ageing do. */
    if (likely(!(diff & ~(L1E_FREE_BITS | PTE_RW)) && (new & PTE_P))) {
        if (preserve_ad)
            new |= old & PTE_AD;
        if (new & diff & PTE_RW) {
            if (pg_owner == d && l1_gain_rw(d, slot, old, new))
                return 0;
        } else if (likely(__atomic_compare_exchange_n(slot, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))) {
            if ((diff & PTE_RW) && likely(mfn_is_ram(pte_mfn(old))))
                page_type_drop_leaf(pte_mfn(old));
            return 0;
        }
    }
    /* A first mapping, in an empty slot. */
    if ((val & PTE_P) && !(old & PTE_P) && !expect) {
        const int rc = l1e_get(d, pg_owner, &new);

        if (unlikely(rc))
            return rc;
        if (likely(__atomic_compare_exchange_n(slot, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
            return 0;
        l1e_put(new);
    }
    return l1_replace_slow(d, slot, val, pg_owner, preserve_ad, expect);
}

int table_replace(struct vcpu *v, struct domain *d, enum page_type t, uint64_t *slot, uint64_t val, bool preserve_ad,
                  bool *flush)
{
    const unsigned index = (unsigned)(((uintptr_t)slot & (PAGE_SIZE - 1)) / sizeof(*slot));
    uint64_t old = READ_ONCE(*slot), new = val;

    if (t == PGT_L4 && l4_slot_is_ours(index))
        return -EINVAL;
    if ((val & PTE_P) && (old & PTE_P) && !((old ^ (val | PTE_US)) & ~TABLE_FREE_BITS))
        return slot_exchange(slot, &old, val | PTE_US, preserve_ad, false) ? 0 : -EBUSY;    /* I2 */

    if (val & PTE_P) {
        const int rc = table_entry_get(d, t, &new);

        if (rc)
            return rc;
    }
    if (!slot_exchange(slot, &old, new, preserve_ad && (val & PTE_P), false)) {
        /* Another vCPU of the domain stored here at the same time. */
        if (val & PTE_P)
            pt_put_or_defer(v, pte_mfn(new));
        return -EBUSY;
    }
    if (old & PTE_P) {
        *flush = true;
        pt_put_or_defer(v, pte_mfn(old));
    }
    return 0;
}

bool pt_hold_l1(struct domain *d, maddr_t slot, uint64_t **entry)
{
    const mfn_t m = maddr_to_mfn(slot);

    if ((slot.n & 7) || !page_ref_get(m, d))
        return false;
    /* Peek: a frame that is no table yet must not be made one on the way. */
    if (page_type_peek(m) != PGT_L1 || page_type_get_fast(m, d, PGT_L1)) {
        page_ref_put(m);
        return false;
    }
    *entry = (uint64_t *)frame_ptr(m) + (slot.n & (PAGE_SIZE - 1)) / sizeof(uint64_t);
    return true;
}

void pt_release_l1(maddr_t slot)
{
    page_type_drop_leaf(maddr_to_mfn(slot));
    page_ref_put(maddr_to_mfn(slot));
}

int pt_update_l1(struct vcpu *v, maddr_t slot, uint64_t val, struct domain *pg_owner, bool preserve_ad,
                 uint64_t *cmpxchg_old)
{
    uint64_t *entry = (uint64_t *)frame_ptr(maddr_to_mfn(slot)) + (slot.n & (PAGE_SIZE - 1)) / sizeof(uint64_t);
    const int rc = l1_replace(v->domain, entry, val, pg_owner, preserve_ad, cmpxchg_old);

    if (rc == 0)
        dirty_log_mark(v->domain, maddr_to_mfn(slot));
    return rc;
}

bool pt_emulate_write(struct vcpu *v, gva_t va)
{
    struct cpu_user_regs *regs = vcpu_regs(v);
    const uint64_t mapping = pt_walk_kernel_leaf(v, va);
    const maddr_t slot = maddr((mapping & PTE_ADDR) + (va.n & (PAGE_SIZE - 8)));
    uint64_t *entry;
    struct pt_write w;
    bool done = false;

    if (!(mapping & PTE_P) || (mapping & PTE_RW) || !pt_hold_l1(v->domain, slot, &entry))
        return false;

    uint64_t old = READ_ONCE(*entry);
    int rc = -EAGAIN;

    for (unsigned tries = 0; rc == -EAGAIN && tries < MAX_TRIES; tries++) {
        if (!pt_write_decode(v, regs, va, old, &w))
            break;
        rc = w.store ? pt_update_l1(v, slot, w.new_value, v->domain, false, &old) : 0;
    }
    if (rc == 0) {
        pt_write_commit(v, regs, &w);
        done = true;
    }
    pt_release_l1(slot);
    return done;
}

static bool grant_slot(struct vcpu *v, uint64_t va_or_slot, bool is_slot, maddr_t *slot, uint64_t **entry)
{
    if (is_slot)
        *slot = maddr(va_or_slot);
    else if (!pt_walk_l1(v, gva(va_or_slot), slot))
        return false;
    return pt_hold_l1(v->domain, *slot, entry);
}

int pt_grant_map(struct vcpu *v, uint64_t va_or_slot, bool is_slot, uint64_t pte)
{
    struct domain *pg_owner;
    uint64_t *entry;
    maddr_t slot;
    int rc = -EINVAL;

    if (!(pte & PTE_P) || !mfn_is_ram(pte_mfn(pte)) || !grant_slot(v, va_or_slot, is_slot, &slot, &entry))
        return -EINVAL;
    pg_owner = domain_by_id_unreferenced(frame_owner(frame_of(pte_mfn(pte))));   /* fixed: the caller has a reference */
    if (pg_owner)
        rc = l1_replace(v->domain, entry, pte, pg_owner, false, NULL);
    if (rc == 0)
        dirty_log_mark(v->domain, maddr_to_mfn(slot));
    pt_release_l1(slot);
    return rc;
}

int pt_grant_unmap(struct vcpu *v, uint64_t va_or_slot, bool is_slot, uint64_t expect)
{
    uint64_t *entry;
    maddr_t slot;
    int rc = -EINVAL;

    if (!grant_slot(v, va_or_slot, is_slot, &slot, &entry))
        return -EINVAL;

    uint64_t old = READ_ONCE(*entry);

    while (rc == -EINVAL && !((old ^ expect) & (PTE_ADDR | PTE_P | PTE_RW))) {
        if (__atomic_compare_exchange_n(entry, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            l1e_put(old);
            dirty_log_mark(v->domain, maddr_to_mfn(slot));
            rc = 0;
        }
    }
    pt_release_l1(slot);
    return rc;
}
