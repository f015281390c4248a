/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame_alloc.c - the buddy allocator
 *
 * Zone z holds the free blocks whose first frame number has its top bit at z, so "below 2^b bytes" is "zone below
 * b - 12" and needs no search. Anybody who does not care gets high zones first, and what lies below 4 GiB last.
 *
 *   I1  A block of order o is aligned to 2^o, lies in one zone, and its first frame has FRAME_F_FREE, count 0, its order in
 *       `type`, and the newest TLB stamp of its frames; the other frames' words are count 0 and mean nothing.
 *   I2  Two buddies of one order are never both free: they were merged.
 *   I3  free_pages >= claimed_pages: a claim is a promise.
 *   I4  Frame 0 is never handed over, so 0 ends a list.
 *   I5  What a domain gave back waits, frame by frame, on a list of its own for a CPU that has nothing else to do; it clears
 *       it, marks it FRAME_CLEAN and puts it into the buddy lists. Waiting frames, and those in such a CPU's hand, are counted
 *       in free_pages: who finds no block takes the waiting ones as they are, and waits for what is in hand.
 *
 * A block may still be in somebody's TLB; whoever takes one flushes by its stamp, then clears it, then publishes it
 * (XSA-511). That is frame_owner.c.
 */
#include "mm/frame_alloc.h"

#include "bug.h"
#include "hv_errno.h"
#include "lock.h"
#include "machine.h"

#define MAX_ORDER 18                    /* 1 GiB */
#define ZONES (MAX_PHYS_BITS - PAGE_SHIFT)
#define LOW_ZONES 20                    /* below 4 GiB */
#define LOW_RESERVE (16384UL)           /* frames (64 MiB) kept for address-limited requests where there is RAM above */

static spinlock_t heap_lock = SPINLOCK_INIT(HEAP);
/* under heap_lock */
static uint32_t free_head[ZONES][MAX_ORDER + 1];
static uint64_t zone_free[ZONES];
static uint64_t free_pages, claimed_pages;
static bool ram_above_low;

static uint32_t waiting;                /* list by `next` (I5) */
static uint64_t nr_waiting_frames, nr_in_hand;

#define STAMP_MASK ((1UL << 48) - 1)
#define SCRUB_FRAMES 4                  /* at a time: how long an idle CPU does not look for work */
#define DRAIN_FRAMES 1024               /* at a time: how long the lock is held */

static unsigned zone_of(mfn_t m) { return 63 - (unsigned)__builtin_clzl(m.n); }

static void list_add_block(mfn_t m, unsigned order)
{
    struct frame *f = frame_of(m);
    uint32_t *head = &free_head[zone_of(m)][order];

    f->next = *head;
    f->prev = 0;
    if (*head)
        frame_table[*head].prev = (uint32_t)m.n;
    *head = (uint32_t)m.n;
    atomic_store_explicit(&f->type, order, memory_order_relaxed);
    atomic_store_explicit(&f->ref, (FRAME_DOMID_XEN << FRAME_OWNER_SHIFT) | FRAME_F_FREE, memory_order_relaxed);
}

static void list_del_block(mfn_t m, unsigned order)
{
    struct frame *f = frame_of(m);

    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        free_head[zone_of(m)][order] = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    f->next = f->prev = 0;
    atomic_store_explicit(&f->type, 0, memory_order_relaxed);
    atomic_store_explicit(&f->ref, FRAME_DOMID_XEN << FRAME_OWNER_SHIFT, memory_order_relaxed);
}

static void set_stamp(mfn_t m, uint64_t stamp)
{
    struct frame *f = frame_of(m);

    f->stamp_progress = (f->stamp_progress & FRAME_CLEAN) | stamp;
}

static bool is_free_block(mfn_t m, unsigned order)
{
    const struct frame *f = frame_of(m);

    return (atomic_load_explicit(&f->ref, memory_order_relaxed) & FRAME_F_FREE) &&
           atomic_load_explicit(&f->type, memory_order_relaxed) == order;
}

/* free_pages is the caller's. */
static void insert_block_locked(mfn_t m, unsigned order)
{
    uint64_t stamp = frame_of(m)->stamp_progress & STAMP_MASK;

    zone_free[zone_of(m)] += 1UL << order;
    while (order < MAX_ORDER) {
        const mfn_t buddy = mfn(m.n ^ (1UL << order));

        if (!mfn_valid(buddy) || buddy.n == 0 || zone_of(buddy) != zone_of(m) || !is_free_block(buddy, order))
            break;
        list_del_block(buddy, order);
        stamp = MAX(stamp, frame_of(buddy)->stamp_progress & STAMP_MASK);
        m = mfn(m.n & ~(1UL << order));
        order++;
    }
    set_stamp(m, stamp);
    list_add_block(m, order);
}

static void free_block_locked(mfn_t m, unsigned order)
{
    free_pages += 1UL << order;
    insert_block_locked(m, order);
}

void frame_free_block(mfn_t m, unsigned order)
{
    spin_lock(&heap_lock);
    free_block_locked(m, order);
    spin_unlock(&heap_lock);
}

/* ---- frames that wait to be cleared (I5) ---- */

void frame_free_uncleared(mfn_t first, mfn_t last, unsigned n)
{
    spin_lock(&heap_lock);
    frame_of(last)->next = waiting;
    waiting = (uint32_t)first.n;
    WRITE_ONCE(nr_waiting_frames, nr_waiting_frames + n);
    free_pages += n;
    spin_unlock(&heap_lock);
}

static mfn_t pop_waiting_locked(void)
{
    const mfn_t m = mfn(waiting);
    struct frame *f = frame_of(m);

    waiting = f->next;
    f->next = 0;
    WRITE_ONCE(nr_waiting_frames, nr_waiting_frames - 1);
    return m;
}

bool frame_scrub_wanted(void) { return READ_ONCE(nr_waiting_frames) != 0; }

void frame_scrub_some(void)
{
    mfn_t hand[SCRUB_FRAMES];
    uint64_t stamp = 0;
    unsigned n = 0;

    spin_lock(&heap_lock);
    while (n < SCRUB_FRAMES && nr_waiting_frames) {
        hand[n] = pop_waiting_locked();
        stamp = MAX(stamp, frame_of(hand[n])->stamp_progress & STAMP_MASK);
        n++;
    }
    nr_in_hand += n;
    spin_unlock(&heap_lock);
    if (n == 0)
        return;

    tlb_flush_since(stamp);
    for (unsigned i = 0; i < n; i++)
        __builtin_memset(frame_ptr(hand[i]), 0, PAGE_SIZE);

    spin_lock(&heap_lock);
    for (unsigned i = 0; i < n; i++) {
        frame_of(hand[i])->stamp_progress |= FRAME_CLEAN;
        insert_block_locked(hand[i], 0);
    }
    nr_in_hand -= n;
    spin_unlock(&heap_lock);
}

/* Some of what waits, into the buddy lists as it is. False: nothing waits, nor will come back from a CPU's hand. */
static bool drain_locked(void)
{
    const bool more = nr_waiting_frames || nr_in_hand;

    for (unsigned i = 0; i < DRAIN_FRAMES && nr_waiting_frames; i++)
        insert_block_locked(pop_waiting_locked(), 0);
    return more;
}

/* ---- taking ---- */

/* First fit from the highest zone of [0, zones) down; splits give the upper half back. */
static mfn_t take_locked(unsigned order, unsigned zones)
{
    for (unsigned z = zones; z-- > 0;) {
        unsigned o = order;

        if (zone_free[z] < 1UL << order)
            continue;
        while (o <= MAX_ORDER && free_head[z][o] == 0)
            o++;
        if (o > MAX_ORDER)
            continue;

        const mfn_t m = mfn(free_head[z][o]);

        list_del_block(m, o);
        while (o > order) {
            const mfn_t upper = mfn(m.n + (1UL << --o));

            set_stamp(upper, frame_of(m)->stamp_progress & STAMP_MASK);
            list_add_block(upper, o);
        }
        zone_free[z] -= 1UL << order;
        free_pages -= 1UL << order;
        return m;
    }
    return MFN_INVALID;
}

/* Would taking @n frames without an address limit, for @d, eat what is kept for others (I3) or for DMA? */
static bool may_take_locked(uint64_t n, bool limited, const struct domain *d)
{
    const uint64_t own_claim = d ? d->mm.claimed : 0;

    if (n > free_pages || free_pages - n < claimed_pages - MIN(own_claim, n))
        return false;
    if (limited || !ram_above_low || !d)
        return true;

    uint64_t low = 0;
    for (unsigned z = 0; z < LOW_ZONES; z++)
        low += zone_free[z];
    return free_pages - n >= MIN(low, LOW_RESERVE);
}

mfn_t frame_take_block(unsigned order, unsigned addr_bits, struct domain *claimant, uint64_t *stamp)
{
    unsigned zones = ZONES;
    mfn_t m = MFN_INVALID;
    bool again = true;

    if (order > MAX_ORDER)
        return m;
    if (addr_bits)
        zones = addr_bits <= PAGE_SHIFT ? 0 : MIN(addr_bits - PAGE_SHIFT, ZONES);

    spin_lock(&heap_lock);
    while (again && may_take_locked(1UL << order, zones < ZONES, claimant)) {
        m = take_locked(order, zones);
        if (!mfn_eq(m, MFN_INVALID))
            break;
        again = drain_locked();
        spin_unlock(&heap_lock);
        machine_cpu_relax();
        spin_lock(&heap_lock);
    }
    if (!mfn_eq(m, MFN_INVALID)) {
        *stamp = frame_of(m)->stamp_progress & STAMP_MASK;
        if (claimant) {
            const uint64_t used = MIN(claimant->mm.claimed, 1UL << order);

            claimant->mm.claimed -= used;
            claimed_pages -= used;
        }
    }
    spin_unlock(&heap_lock);
    return m;
}

void frame_alloc_add(mfn_t first, mfn_t end)
{
    spin_lock(&heap_lock);
    if (first.n == 0)
        first.n = 1;                                            /* I4 */
    if (end.n > max_mfn)
        end.n = max_mfn;
    while (first.n < end.n) {
        unsigned order = MIN((unsigned)__builtin_ctzl(first.n), MAX_ORDER);

        while (first.n + (1UL << order) > end.n)
            order--;
        for (uint64_t i = 0; i < 1UL << order; i++) {
            atomic_store_explicit(&frame_table[first.n + i].ref, FRAME_DOMID_XEN << FRAME_OWNER_SHIFT,
                                  memory_order_relaxed);
            m2p_set(mfn(first.n + i), M2P_INVALID);
        }
        free_block_locked(first, order);
        first.n += 1UL << order;
    }
    if (end.n > 1UL << LOW_ZONES)
        ram_above_low = true;
    spin_unlock(&heap_lock);
}

/* Host tests: forget every block, before a new frame table. */
void frame_alloc_reset_for_tests(void);
void frame_alloc_reset_for_tests(void)
{
    __builtin_memset(free_head, 0, sizeof(free_head));
    __builtin_memset(zone_free, 0, sizeof(zone_free));
    free_pages = claimed_pages = nr_waiting_frames = nr_in_hand = 0;
    waiting = 0;
    ram_above_low = false;
}

uint64_t frame_free_count(void) { return READ_ONCE(free_pages); }

uint64_t frame_unclaimed_count(void)
{
    spin_lock(&heap_lock);
    const uint64_t n = free_pages - claimed_pages;
    spin_unlock(&heap_lock);
    return n;
}

int domain_claim_pages(struct domain *d, uint64_t pages)
{
    int rc = 0;

    spin_lock(&d->mm.lock);
    spin_lock(&heap_lock);
    const uint64_t want = pages > d->mm.tot_pages ? pages - d->mm.tot_pages : 0;
    const uint64_t others = claimed_pages - d->mm.claimed;

    if (pages == 0) {
        claimed_pages = others;
        d->mm.claimed = 0;
    } else if (domain_is_dying(d) || d->mm.claimed || pages > d->mm.max_pages || want == 0) {
        rc = -EINVAL;
    } else if (want > free_pages - others) {
        rc = -ENOMEM;
    } else {
        claimed_pages = others + want;
        d->mm.claimed = want;
    }
    spin_unlock(&heap_lock);
    spin_unlock(&d->mm.lock);
    return rc;
}

void frame_drop_claim(struct domain *d)
{
    spin_lock(&heap_lock);
    claimed_pages -= d->mm.claimed;
    d->mm.claimed = 0;
    spin_unlock(&heap_lock);
}

void frame_alloc_audit(void)
{
    uint64_t total = 0;

    spin_lock(&heap_lock);
    for (unsigned z = 0; z < ZONES; z++) {
        uint64_t in_zone = 0;

        for (unsigned o = 0; o <= MAX_ORDER; o++) {
            uint32_t prev = 0;

            for (uint32_t b = free_head[z][o]; b; prev = b, b = frame_table[b].next) {
                const mfn_t buddy = mfn(b ^ (1UL << o));

                BUG_ON(!is_free_block(mfn(b), o) || frame_table[b].prev != prev);               /* I1 */
                BUG_ON((b & ((1UL << o) - 1)) || zone_of(mfn(b)) != z || !mfn_valid(mfn(b + (1UL << o) - 1)));
                BUG_ON(o < MAX_ORDER && mfn_valid(buddy) && buddy.n && zone_of(buddy) == z &&
                       is_free_block(buddy, o));                                                /* I2 */
                for (uint64_t i = 0; i < 1UL << o; i++)
                    BUG_ON(atomic_load(&frame_table[b + i].ref) & FRAME_COUNT_MASK);
                in_zone += 1UL << o;
            }
        }
        BUG_ON(in_zone != zone_free[z]);
        total += in_zone;
    }
    for (uint32_t w = waiting; w; w = frame_table[w].next, total++)                             /* I5 */
        BUG_ON(!mfn_valid(mfn(w)) || (atomic_load(&frame_table[w].ref) & (FRAME_COUNT_MASK | FRAME_F_FREE)));
    total += nr_in_hand;
    BUG_ON(total != free_pages || claimed_pages > free_pages);                                  /* I3 */
    spin_unlock(&heap_lock);
}
