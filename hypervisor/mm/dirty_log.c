/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty_log.c - which frames of a domain were written
 *
 * Guest memory is user memory to the CPU, so protection keys for user pages cover all of it. The key sits in bits 62:59 of a
 * leaf entry; in present L1 entries those bits are ours. While a domain is logged one epoch e (1..15) is current and
 * PKRU denies writes through every other key. The first write through an entry faults; we set the frame's bit, store key
 * e in the entry and let it happen. A new round is e + 1: all older keys are denied from that moment, without a walk or
 * a flush, because PKRU is consulted at each access. When e would pass 15, one sweep puts key 0 everywhere.
 *
 * The guest's RW bits stay as it wrote them: a guest reads and copies its own entries (fork), so hiding RW would be
 * visible to it, and wrong.
 *
 *   I1  A log, once made, lives as long as the domain's frames: who marks needs no lock.
 *   I2  A frame's bit is set before an entry with the current key names it. A round has a map of its own: the next
 *       epoch and the change of maps happen together, with the domain paused, so current key implies bit set in the
 *       current map. That is all that the domain is paused for: a step of the same length for any domain. What the
 *       round before wrote is handed out, and taken away, from its map while the domain runs.
 *   I3  Entries get key 0 when they are made (l1e_fixed) and after a sweep; no key of an epoch that is yet to come is in any
 *       table. Stale translations with such a key are flushed with the sweep.
 *   I4  The epoch changes only while the domain is paused; each vCPU loads its PKRU when it is switched in.
 *
 * A guest may execute WRPKRU while it is logged: it spoils its own copy. The next denied access puts the register back.
 */
#include "mm/dirty_log.h"

#include "bug.h"
#include "grant/grant.h"
#include "heap.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "machine.h"
#include "mm/dirty_fault.h"
#include "mm/dirty_log_priv.h"
#include "mm/foreign.h"
#include "mm/frame_alloc.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"

#define PKEY_SHIFT 59
#define WRITES_DENIED 0xaaaaaaaaU               /* WD of all sixteen keys */
#define CHUNK_WORDS 64                          /* bitmap words copied between two looks at the clock */

static uint64_t key_bits(unsigned epoch) { return (uint64_t)epoch << PKEY_SHIFT; }

/* ---- marking ---- */

static void mark_pfn(struct dirty_log *log, uint64_t pfn_value)
{
    unsigned now;

    /* The guest chooses what its M2P entries say: bounded here, and wrong only for itself. */
    if (pfn_value >= log->pfns)
        return;
    do {                                        /* other domains do not stand still when the maps change */
        now = atomic_load(&log->now);
        if (!bitmap_test(log->bits[now], (unsigned)pfn_value))
            bitmap_atomic_set(log->bits[now], (unsigned)pfn_value);
    } while (unlikely(atomic_load(&log->now) != now));
}

void dirty_log_mark_slow(struct domain *d, mfn_t m)
{
    struct dirty_log *log = READ_ONCE(d->mm.log);

    if (atomic_load(&log->active) && mfn_is_ram(m))
        mark_pfn(log, m2p_get(m));
}

bool dirty_log_pkru_slow(const struct domain *d, uint32_t *pkru)
{
    struct dirty_log *log = READ_ONCE(d->mm.log);

    if (!atomic_load(&log->active))
        return false;
    *pkru = WRITES_DENIED & ~(2U << (2 * log->epoch));
    return true;
}

/* The L1 entry at @slot allows the write: mark, then give it the current key (I2). */
static bool open_entry(struct domain *d, struct dirty_log *log, uint64_t *entry)
{
    uint64_t e = READ_ONCE(*entry);

    while ((e & PTE_P) && (e & PTE_RW)) {
        const mfn_t m = pte_mfn(e);

        /* Frames of others and of ours are in no log of this domain. */
        if (mfn_is_ram(m) && frame_owner(frame_of(m)) == d->id)
            mark_pfn(log, m2p_get(m));
        if ((e & PTE_PKEY) == key_bits(log->epoch))
            return true;                        /* somebody was faster, or our translation was stale: the fault dropped it */
        if (__atomic_compare_exchange_n(entry, &e, (e & ~PTE_PKEY) | key_bits(log->epoch), false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
    }
    return false;                               /* the guest's own permission fault */
}

bool dirty_log_fault(struct vcpu *v, gva_t va)
{
    struct domain *d = v->domain;
    struct dirty_log *log = READ_ONCE(d->mm.log);
    uint64_t *entry;
    maddr_t slot;
    bool done;

    if (!log || !atomic_load(&log->active))
        return false;
    if (machine_restore_pkru(v))
        return true;                            /* the guest had changed it */
    if (!pt_walk_slot(machine_current_root(v), va, &slot) || !pt_hold_l1(d, slot, &entry))
        return false;
    done = open_entry(d, log, entry);
    pt_release_l1(slot);
    if (done)
        atomic_fetch_add_explicit(&log->faults, 1, memory_order_relaxed);
    return done;
}

/* ---- rounds ---- */

/* Key 0 for every entry of the L1 table @m. */
static void sweep_table(mfn_t m)
{
    uint64_t *table = frame_ptr(m);

    for (unsigned i = 0; i < 512; i++) {
        if ((table[i] & PTE_P) && (table[i] & PTE_PKEY))
            __atomic_fetch_and(&table[i], ~PTE_PKEY, __ATOMIC_SEQ_CST);     /* the CPU may be setting A and D */
    }
}

/* The domain is paused and stays so over -ERESTART. */
static int sweep(struct domain *d, struct dirty_log *log)
{
    uint64_t *entry;

    for (; log->cursor < max_mfn; log->cursor++) {
        const mfn_t m = mfn(log->cursor);

        if (log->cursor % 256 == 255 && hypercall_preempt()) {
            log->cursor++;
            return -ERESTART;
        }
        if (frame_owner(frame_of(m)) != d->id || !pt_hold_l1(d, mfn_to_maddr(m), &entry))
            continue;
        sweep_table(m);
        pt_release_l1(mfn_to_maddr(m));
    }
    machine_flush_tlb((cpumask_t){ domain_dirty_cpus(d).bits | 1UL << this_cpu() });        /* I3 */
    log->cursor = 0;
    return 0;
}

/* A new epoch. @d is paused by the caller, and by us while a sweep is cut short. */
static int next_epoch(struct domain *d, struct dirty_log *log)
{
    if (log->epoch < EPOCH_MAX) {
        log->epoch++;
        return 0;
    }

    const int rc = sweep(d, log);

    log->sweeping = rc == -ERESTART;
    if (rc == 0)
        log->epoch = 1;
    return rc;
}

/* What a call that is cut short leaves paused, the call that finishes it unpauses. */
static void pause_begin(struct domain *d, const struct dirty_log *log)
{
    if (!log->paused)
        domain_pause(d);
}

static void pause_end(struct domain *d, struct dirty_log *log, int rc)
{
    log->paused = rc == -ERESTART;
    if (!log->paused)
        domain_unpause(d);
}

static uint64_t wanted_pfns(const struct domain *d)
{
    const uint64_t said = d->shared_info ? READ_ONCE(d->shared_info->arch.max_pfn) : 0;
    /* Linux leaves holes of up to 4 GiB in its numbering; beyond that a guest's word buys it no memory of ours. */
    const uint64_t believable = MIN(d->mm.max_pages, 1UL << 34) * 2 + (1UL << 20);

    return ROUND_UP(MAX(MIN(said, believable), d->mm.tot_pages), 64 * CHUNK_WORDS);
}

static void log_free(struct dirty_log *log)
{
    heap_free(log->bits[0]);
    heap_free(log->bits[1]);
    heap_free(log);
}

static struct dirty_log *log_make(struct domain *d, uint64_t pfns)
{
    struct dirty_log *log = heap_alloc(sizeof(*log));

    if (!log)
        return NULL;
    log->pfns = pfns;
    for (unsigned i = 0; i < 2; i++)
        log->bits[i] = heap_alloc_array(pfns / 64, sizeof(uint64_t));
    if (!log->bits[0] || !log->bits[1]) {
        log_free(log);
        return NULL;
    }
    log->older = d->mm.log;
    log->epoch = log->older ? log->older->epoch : 0;
    return log;
}

int dirty_log_enable(struct domain *d)
{
    const uint64_t pfns = wanted_pfns(d);
    struct dirty_log *log = d->mm.log;
    int rc;

    if (!machine_has_pku())
        return -EOPNOTSUPP;
    if ((log && atomic_load(&log->active)) || !domain_vcpu(d, 0))
        return -EINVAL;
    if (!log || (log->pfns < pfns && !log->sweeping)) {
        log = log_make(d, pfns);
        if (!log)
            return -ENOMEM;
    }
    for (unsigned i = 0; i < 2; i++)
        __builtin_memset(log->bits[i], 0, log->pfns / 8);
    pause_begin(d, log);
    __atomic_store_n(&d->mm.log, log, __ATOMIC_RELEASE);
    /* Keys of an earlier logging may be left in the tables: a new epoch denies them like any others. */
    rc = next_epoch(d, log);
    if (rc == 0) {
        atomic_store(&log->faults, 0);
        log->reading = log->owed = false;
        log->copied = log->dirty = 0;
        atomic_store(&log->active, true);
    }
    pause_end(d, log, rc);
    return rc;
}

int dirty_log_off(struct domain *d)
{
    struct dirty_log *log = d->mm.log;

    if (!log)
        return 0;
    pause_begin(d, log);                        /* vCPUs drop PKRU when they are switched in again */
    atomic_store(&log->active, false);
    log->sweeping = log->reading = false;
    log->cursor = 0;
    pause_end(d, log, 0);
    return 0;
}

static uint64_t written(const struct dirty_log *log, uint64_t word)
{
    const uint64_t w = READ_ONCE(log->bits[log->from][word]);

    return unlikely(log->owed) ? w | READ_ONCE(log->bits[!log->from][word]) : w;
}

/* One chunk from word @first on: @words of them, bits from @pages on masked. */
static int copy_chunk(struct dirty_log *log, gva_t bitmap, uint64_t first, uint64_t pages, bool clean)
{
    uint64_t chunk[CHUNK_WORDS] = { 0 };
    const uint64_t left = pages - first * 64, words = MIN((left + 63) / 64, CHUNK_WORDS);
    uint32_t dirty = 0;

    for (uint64_t i = 0; i < words && first + i < log->pfns / 64; i++) {
        uint64_t mask = left - i * 64 < 64 ? (1UL << (left - i * 64)) - 1 : ~0UL;

        chunk[i] = written(log, first + i) & mask;
        if (chunk[i])                           /* most of a large guest is not written in a round */
            dirty += (uint32_t)__builtin_popcountl(chunk[i]);
    }
    if (bitmap.n && guest_copy_out(gva(bitmap.n + first * 8), chunk, MIN((left + 7) / 8, CHUNK_WORDS * 8)))
        return -EFAULT;
    /* Only what was handed out is forgotten; a bit that came late stays, and shows when the map is the current one again. */
    for (uint64_t i = 0; clean && dirty && i < words && first + i < log->pfns / 64; i++) {
        if (chunk[i])
            __atomic_fetch_and(&log->bits[log->from][first + i], ~chunk[i], __ATOMIC_SEQ_CST);
    }
    log->dirty += dirty;
    return 0;
}

static int copy_all(struct dirty_log *log, gva_t bitmap, uint64_t pages, bool clean)
{
    while (log->copied < pages) {
        const int rc = copy_chunk(log, bitmap, log->copied / 64, pages, clean);

        if (rc)
            return rc;
        log->copied += CHUNK_WORDS * 64;
        if (log->copied < pages && hypercall_preempt())
            return -ERESTART;
    }
    return 0;
}

/* The start of a round, or of a look: all that the domain stands still for. */
static int begin_read(struct domain *d, struct dirty_log *log, bool clean)
{
    int rc;

    pause_begin(d, log);
    log->copied = log->dirty = 0;
    log->from = atomic_load(&log->now);
    grant_mark_written(d);
    rc = clean ? next_epoch(d, log) : 0;
    if (rc == 0 && clean)
        atomic_store(&log->now, !log->from);                                                        /* I2 */
    pause_end(d, log, rc);
    return rc;
}

/* A copy that fails half way costs a round entries opened again and bits handed out twice, and never a bit. */
int dirty_log_read(struct domain *d, gva_t bitmap, uint64_t pages, bool clean, uint32_t *dirty, uint32_t *faults)
{
    struct dirty_log *log = d->mm.log;
    int rc = 0;

    if (!log || !atomic_load(&log->active) || pages > 1UL << 40)
        return -EINVAL;
    if (!log->reading)
        rc = begin_read(d, log, clean);
    if (rc)
        return rc;
    rc = copy_all(log, bitmap, pages, clean);
    log->reading = rc == -ERESTART;
    if (clean && rc != -ERESTART)
        log->owed = rc != 0;
    if (rc == 0) {
        *dirty = log->dirty;
        *faults = clean ? atomic_exchange(&log->faults, 0) : atomic_load(&log->faults);
    }
    return rc;
}

void dirty_log_destroy(struct domain *d)
{
    for (struct dirty_log *log = d->mm.log, *older; log; log = older) {
        older = log->older;
        log_free(log);
    }
    d->mm.log = NULL;
}

void dirty_log_audit(struct domain *d)
{
    const struct dirty_log *log = d->mm.log;
    uint64_t *entry;

    for (mfn_t m = mfn(0); log && mfn_valid(m); m.n++) {
        if (frame_owner(frame_of(m)) != d->id || !pt_hold_l1(d, mfn_to_maddr(m), &entry))
            continue;
        for (unsigned i = 0; i < 512; i++) {
            const uint64_t e = entry[i], key = (e & PTE_PKEY) >> PKEY_SHIFT;
            const mfn_t f = pte_mfn(e);

            if (!(e & PTE_P))
                continue;
            BUG_ON(key > log->epoch);                                                           /* I3 */
            if (key == log->epoch && (e & PTE_RW) && mfn_is_ram(f) && frame_owner(frame_of(f)) == d->id &&
                m2p_get(f) < log->pfns)
                BUG_ON(!bitmap_test(log->bits[atomic_load(&log->now)], (unsigned)m2p_get(f)));                          /* I2 */
        }
        pt_release_l1(mfn_to_maddr(m));
    }
}
