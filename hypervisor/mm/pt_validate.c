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
        rc = page_type_get(m, pg_owner, PGT_WRITABLE);
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

static int l1_validate(uint64_t *table, struct domain *d, unsigned *progress)
{
    for (; *progress < 512; ++*progress) {
        const uint64_t old = table[*progress];
        uint64_t e = l1e_fixed(old);

        if (!(old & PTE_P))
            continue;
        const int rc = l1e_get(d, d, &e);
        if (rc)
            return rc;
        if (e != old)
            WRITE_ONCE(table[*progress], e);
    }
    return 0;
}

static int tree_validate(uint64_t *table, struct domain *d, enum page_type t, unsigned *progress)
{
    bool worked = false;

    for (; *progress < 512; ++*progress) {
        const unsigned i = *progress;
        uint64_t e = table[i];

        if (!(e & PTE_P) || (t == PGT_L4 && l4_slot_is_ours(i)))
            continue;
        /* One child a call at least: whoever is preempted for ever still gets there. */
        if (worked && hypercall_preempt())
            return -ERESTART;
        worked = true;
        const int rc = table_entry_get(d, t, &e);
        if (rc)
            return rc;
        if (e != table[i])
            WRITE_ONCE(table[i], e);
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

    for (; *progress > 0; --*progress) {
        const uint64_t e = READ_ONCE(table[*progress - 1]);

        if (!(e & PTE_P) || (t == PGT_L4 && l4_slot_is_ours(*progress - 1)))
            continue;
        if (t == PGT_L1) {
            l1e_put(e);
            continue;
        }
        if (worked && hypercall_preempt())
            return -ERESTART;
        worked = true;
        if (table_entry_put(e))
            return -ERESTART;
    }
    return 0;
}

int seg_validate(mfn_t m) { return descriptor_frame_ok(m) ? 0 : -EINVAL; }
