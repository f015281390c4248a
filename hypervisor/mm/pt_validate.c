/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_validate.c - what a page-table entry may say
 *
 *   I1  A present L1 entry of a RAM frame holds one plain reference, and one WRITABLE type reference if it has RW. A present
 *       entry of a higher table holds one plain reference and one of the type one level lower, and nothing else is
 *       accepted there: no superpages, no linear tables (XSA-148, 240).
 *   I2  Whether a frame is RAM never changes after boot, so an entry can be dropped by looking at the entry alone.
 *   I3  A table is read while BUSY: nothing maps it writable and it is in no tree, so its entries stand still. It is read
 *       through the direct map only (XSA-286).
 *
 * Refused: cache attributes from domains without I/O rights (XSA-402), addresses beyond MAXPHYADDR, the hypervisor's
 * frames (but the M2P, read-only, for who may name DOMID_XEN), anything foreign that @pg_owner does not own.
 * ABI: abi-map 4.3; the checks of 4.2 (8).
 */
#include "mm/pt_validate.h"

#include "boot/map_boot.h"
#include "domain/io_caps.h"
#include "hv_errno.h"
#include "hypercall/hypercall.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/dirty_log.h"
#include "mm/page_ref.h"
#include "mm/roots.h"

#define PTE_CACHE (PTE_PWT | PTE_PCD | PTE_PS)
/* Bits an entry above L1 may carry; the software bits 62:52 are ignored by the CPU there. */
#define TABLE_ALLOWED (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_AVAIL | PTE_ADDR | PTE_AVAIL_HIGH | PTE_NX)

bool iomem_allowed(struct domain *d, mfn_t m)
{
    return m.n < max_maddr_mfn && !mfn_is_ram(m) && io_caps_mem_ok(d, m.n, m.n);
}

static int l1e_get_io(struct domain *d, const struct domain *pg_owner, uint64_t *e)
{
    const mfn_t m = pte_mfn(*e);

    if (m.n >= max_maddr_mfn)
        return -EINVAL;
    if ((pg_owner != d && pg_owner != &dom_io) || !iomem_allowed(d, m))
        return -EPERM;
    if (io_caps_mem_readonly(m.n))
        *e &= ~PTE_RW;
    return 0;
}

static inline int l1e_get_inline(struct domain *d, struct domain *pg_owner, uint64_t *e)
{
    const mfn_t m = pte_mfn(*e);
    int rc;

    if (unlikely(*e & PTE_CACHE) && !io_caps_any(d))
        return -EINVAL;
    if (unlikely(!mfn_is_ram(m)))
        return l1e_get_io(d, pg_owner, e);
    if (unlikely(pg_owner == &dom_xen) && ((*e & PTE_RW) || !m2p_is_frame(m)))
        return -EPERM;
    if (!page_ref_get(m, pg_owner))
        return -EINVAL;
    if (*e & PTE_RW) {
        rc = page_type_get_fast(m, pg_owner, PGT_WRITABLE);
        if (unlikely(rc)) {
            page_ref_put(m);
            return rc;
        }
        if (unlikely(pg_owner != d))
            dirty_log_mark(pg_owner, m);        /* no key of ours stands between another domain and its writes */
    }
    return 0;
}

static inline void l1e_put_inline(uint64_t e)
{
    const mfn_t m = pte_mfn(e);

    if (unlikely(!mfn_is_ram(m)))                                           /* I2 */
        return;
    if (e & PTE_RW)
        page_type_drop_leaf(m);
    page_ref_put(m);
}

int l1e_get(struct domain *d, struct domain *pg_owner, uint64_t *e) { return l1e_get_inline(d, pg_owner, e); }
void l1e_put(uint64_t e) { l1e_put_inline(e); }

int table_entry_get(struct domain *d, enum page_type t, uint64_t *e)
{
    if (*e & ~TABLE_ALLOWED)
        return -EINVAL;
    *e |= PTE_US;

    const int rc = page_get_and_type(pte_mfn(*e), d, (enum page_type)(t - 1));

    return rc == -EBUSY ? -EINVAL : rc;                                     /* ABI: a frame of the wrong type (H5) */
}

int table_entry_put(uint64_t e) { return page_drop_and_type(pte_mfn(e)); }

/*
 * Most tables are nearly empty: a group of eight entries is skipped at a glance. Walks go up to validate and down to
 * release, group by group.
 */
#define GROUP 8

static inline bool group_absent(const uint64_t *t)
{
    return !((t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]) & PTE_P);
}

static int l1_validate(uint64_t *table, struct domain *d, unsigned *progress)
{
    for (unsigned g = *progress / GROUP * GROUP; g < 512; g += GROUP) {
        if (group_absent(&table[g]))
            continue;
        for (unsigned i = MAX(g, *progress); i < g + GROUP; i++) {
            uint64_t e = l1e_fixed(table[i]);

            if (!(e & PTE_P))
                continue;
            const int rc = l1e_get_inline(d, d, &e);
            if (unlikely(rc)) {
                *progress = i;
                return rc;
            }
            if (e != table[i])
                WRITE_ONCE(table[i], e);
        }
    }
    *progress = 512;
    return 0;
}

static void l1_release(const uint64_t *table, unsigned *progress)
{
    for (unsigned g = 0; g < *progress; g += GROUP) {
        if (group_absent(&table[g]))
            continue;
        for (unsigned i = g; i < MIN(g + GROUP, *progress); i++) {
            if (table[i] & PTE_P)
                l1e_put_inline(table[i]);
        }
    }
    *progress = 0;
}

/*
 * Make way before this child? One child a call at least is dealt with: whoever is preempted for ever still gets there. A
 * child that is in use elsewhere too costs a counter, so only every 64th slot asks for those.
 */
static bool yield_before(uint64_t e, unsigned i, bool worked, uint64_t cheap_count)
{
    const mfn_t m = pte_mfn(e);

    if (!worked)
        return false;
    if (i % 64 && mfn_valid(m) && (atomic_load_explicit(&frame_of(m)->type, memory_order_relaxed) & PGT_COUNT_MASK) > cheap_count)
        return false;
    return hypercall_preempt();
}

static int tree_validate(uint64_t *table, struct domain *d, enum page_type t, unsigned *progress)
{
    bool worked = false;

    for (unsigned g = *progress / GROUP * GROUP; g < 512; g += GROUP) {
        if (group_absent(&table[g]) || (t == PGT_L4 && l4_slot_is_ours(g)))
            continue;
        for (unsigned i = MAX(g, *progress); i < g + GROUP; i++) {
            uint64_t e = table[i];

            if (!(e & PTE_P))
                continue;
            *progress = i;
            if (yield_before(e, i, worked, 0))
                return -ERESTART;
            worked = true;
            const int rc = table_entry_get(d, t, &e);
            if (rc)
                return rc;
            if (e != table[i])
                WRITE_ONCE(table[i], e);
        }
    }
    if (t == PGT_L4)
        __builtin_memcpy(&table[256], hv_l4_entries, sizeof(hv_l4_entries));
    return 0;
}

static int tree_release(const uint64_t *table, enum page_type t, unsigned *progress)
{
    bool worked = false;

    for (unsigned g = ROUND_UP(*progress, GROUP); g > 0; g -= GROUP) {
        if (group_absent(&table[g - GROUP]) || (t == PGT_L4 && l4_slot_is_ours(g - GROUP)))
            continue;
        for (unsigned i = MIN(g, *progress); i > g - GROUP; i--) {
            const uint64_t e = table[i - 1];

            if (!(e & PTE_P))
                continue;
            *progress = i;
            if (yield_before(e, i, worked, 1))
                return -ERESTART;
            worked = true;
            if (table_entry_put(e))
                return -ERESTART;
        }
    }
    *progress = 0;
    return 0;
}

int table_validate(mfn_t m, struct domain *d, enum page_type t, unsigned *progress)
{
    uint64_t *table = frame_ptr(m);

    return t == PGT_L1 ? l1_validate(table, d, progress) : tree_validate(table, d, t, progress);
}

int table_release(mfn_t m, enum page_type t, unsigned *progress)
{
    const uint64_t *table = frame_ptr(m);

    if (t != PGT_L1)
        return tree_release(table, t, progress);
    l1_release(table, progress);
    return 0;
}

int seg_validate(mfn_t m) { return descriptor_frame_ok(m) ? 0 : -EINVAL; }
