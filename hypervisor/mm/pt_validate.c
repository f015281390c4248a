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

int l1e_get(struct domain *d, struct domain *pg_owner, uint64_t *e)
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
        rc = page_type_get_writable(m, pg_owner);
        if (unlikely(rc)) {
            page_ref_put(m);
            return rc;
        }
    }
    return 0;
}

void l1e_put(uint64_t e)
{
    const mfn_t m = pte_mfn(e);

    if (unlikely(!mfn_is_ram(m)))                                           /* I2 */
        return;
    if (e & PTE_RW)
        page_type_drop_leaf(m);
    page_ref_put(m);
}

int table_entry_get(struct domain *d, enum page_type t, uint64_t *e)
{
    if (*e & ~TABLE_ALLOWED)
        return -EINVAL;
    *e |= PTE_US;
    return page_get_and_type(pte_mfn(*e), d, (enum page_type)(t - 1));
}

int table_entry_put(uint64_t e) { return page_drop_and_type(pte_mfn(e)); }

/* First present entry of [@i, @end), or @end. Most tables are nearly empty: eight at a time. */
static inline unsigned next_present(const uint64_t *t, unsigned i, unsigned end)
{
    for (; i < end; i++) {
        while (i % 8 == 0 && i + 8 <= end &&
               !((t[i] | t[i + 1] | t[i + 2] | t[i + 3] | t[i + 4] | t[i + 5] | t[i + 6] | t[i + 7]) & PTE_P)) {
            i += 8;
            if (i == end)
                return end;
        }
        if (t[i] & PTE_P)
            return i;
    }
    return end;
}

/* One more than the last present entry of [0, @end), or 0. */
static inline unsigned last_present(const uint64_t *t, unsigned end)
{
    for (; end > 0; end--) {
        while (end % 8 == 0 && !((t[end - 1] | t[end - 2] | t[end - 3] | t[end - 4] | t[end - 5] | t[end - 6] |
                                  t[end - 7] | t[end - 8]) & PTE_P)) {
            end -= 8;
            if (end == 0)
                return 0;
        }
        if (t[end - 1] & PTE_P)
            return end;
    }
    return 0;
}

static int l1_validate(uint64_t *table, struct domain *d, unsigned *progress)
{
    for (unsigned i = next_present(table, *progress, 512); i < 512; i = next_present(table, i + 1, 512)) {
        uint64_t e = l1e_fixed(table[i]);
        const int rc = l1e_get(d, d, &e);

        if (unlikely(rc)) {
            *progress = i;
            return rc;
        }
        if (e != table[i])
            WRITE_ONCE(table[i], e);
    }
    *progress = 512;
    return 0;
}

static int tree_validate(uint64_t *table, struct domain *d, enum page_type t, unsigned *progress)
{
    bool worked = false;

    for (;; ++*progress) {
        *progress = next_present(table, *progress, 512);
        if (*progress == 512)
            break;
        if (t == PGT_L4 && l4_slot_is_ours(*progress))
            continue;
        /* One child a call at least: whoever is preempted for ever still gets there. */
        if (worked && hypercall_preempt())
            return -ERESTART;
        worked = true;

        uint64_t e = table[*progress];
        const int rc = table_entry_get(d, t, &e);

        if (rc)
            return rc;
        if (e != table[*progress])
            WRITE_ONCE(table[*progress], e);
    }
    if (t == PGT_L4)
        __builtin_memcpy(&table[256], hv_l4_entries, sizeof(hv_l4_entries));
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
    bool worked = false;

    if (t == PGT_L1) {
        for (unsigned i = next_present(table, 0, *progress); i < *progress; i = next_present(table, i + 1, *progress))
            l1e_put(table[i]);
        *progress = 0;
        return 0;
    }
    for (;; --*progress) {
        *progress = last_present(table, *progress);
        if (*progress == 0)
            return 0;
        if (t == PGT_L4 && l4_slot_is_ours(*progress - 1))
            continue;
        if (worked && hypercall_preempt())
            return -ERESTART;
        worked = true;
        if (table_entry_put(READ_ONCE(table[*progress - 1])))
            return -ERESTART;
    }
}

int seg_validate(mfn_t m) { return descriptor_frame_ok(m) ? 0 : -EINVAL; }
