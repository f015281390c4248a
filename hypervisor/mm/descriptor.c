/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * descriptor.c - guest GDT and LDT pages (ABI: set_gdt, update_descriptor, MMUEXT_SET_LDT; abi-map 4.9)
 *
 *   I1  A frame of type SEG holds only descriptors that are harmless in a ring 3 world: absent ones, and code or data
 *       segments with DPL 3. They are changed through update_descriptor only.
 *   I2  A GDT frame of a vCPU and an LDT page in a CPU's window hold one plain and one SEG reference each. The window forgets
 *       a frame before its references are dropped.
 *
 * Refused: system descriptors of every kind, call gates included; nobody needs them in 64-bit guests and emulating them cost
 * Xen advisories (XSA-298).
 */
#include "mm/descriptor.h"

#include "bug.h"
#include "cpu/window.h"
#include "hypercall/hypercall.h"
#include "mm/dirty_log.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"
#include "mm/pt_update.h"

#define DESC_P (1UL << 47)
#define DESC_S (1UL << 44)
#define DESC_DPL (3UL << 45)
#define PER_PAGE 512
#define LDT_PAGES 16

bool descriptor_ok(uint64_t *desc)
{
    if (!(*desc & DESC_P))
        return true;
    if (!(*desc & DESC_S))
        return false;
    *desc |= DESC_DPL;
    return true;
}

bool descriptor_frame_ok(mfn_t m)
{
    uint64_t *table = frame_ptr(m);

    for (unsigned i = 0; i < PER_PAGE; i++) {
        uint64_t d = READ_ONCE(table[i]);

        if (!descriptor_ok(&d))
            return false;
        if (d != table[i])
            WRITE_ONCE(table[i], d);
    }
    return true;
}

static void put_seg(mfn_t m)
{
    page_type_drop_leaf(m);
    page_ref_put(m);
}

/* ---- GDT ---- */

/* New frames in, references of the old ones still held: *@old. */
static int gdt_exchange(struct vcpu *v, const uint64_t *frames, unsigned entries, mfn_t old[GDT_FRAMES])
{
    const unsigned nr = (entries + PER_PAGE - 1) / PER_PAGE;
    unsigned got;

    BUG_ON(nr > GDT_FRAMES);
    for (got = 0; got < nr; got++) {
        if (page_get_and_type(mfn(frames[got]), v->domain, PGT_SEG)) {
            while (got--)
                put_seg(mfn(frames[got]));
            return -EINVAL;
        }
    }
    const unsigned had = (v->cpu.gdt_entries + PER_PAGE - 1) / PER_PAGE;
    for (unsigned i = 0; i < GDT_FRAMES; i++) {
        old[i] = i < had ? v->cpu.gdt_frames[i] : MFN_INVALID;
        v->cpu.gdt_frames[i] = i < nr ? mfn(frames[i]) : MFN_INVALID;
    }
    v->cpu.gdt_entries = entries;
    return 0;
}

static void gdt_put_old(const mfn_t old[GDT_FRAMES])
{
    for (unsigned i = 0; i < GDT_FRAMES; i++) {
        if (!mfn_eq(old[i], MFN_INVALID))
            put_seg(old[i]);
    }
}

int vcpu_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    mfn_t old[GDT_FRAMES];
    const int rc = gdt_exchange(v, frames, entries, old);

    if (rc == 0)
        gdt_put_old(old);
    return rc;
}

void vcpu_drop_gdt(struct vcpu *v) { BUG_ON(vcpu_set_gdt(v, NULL, 0)); }

/* ABI: set_gdt(frame_list, entries): for the calling vCPU. */
long do_set_gdt(struct vcpu *v, struct hcall *h)
{
    const unsigned entries = (unsigned)h->arg[1];
    uint64_t frames[GDT_FRAMES];
    mfn_t old[GDT_FRAMES];
    int rc;

    if (entries > GDT_FRAMES * PER_PAGE)
        return -EINVAL;
    if (entries && guest_copy_in(frames, gva(h->arg[0]), (entries + PER_PAGE - 1) / PER_PAGE * sizeof(frames[0])))
        return -EFAULT;
    rc = gdt_exchange(v, frames, entries, old);
    if (rc == 0) {
        window_load_gdt(v);                                                 /* I2 */
        gdt_put_old(old);
    }
    return rc;
}

/* ---- LDT ---- */

void vcpu_drop_ldt(struct vcpu *v)
{
    if (v->cpu.ldt_entries == 0)
        return;
    for (unsigned i = 0; i < LDT_PAGES; i++) {
        const mfn_t m = window_ldt_page(i);

        if (mfn_eq(m, MFN_INVALID))
            continue;
        window_set_ldt_page(i, MFN_INVALID);                                /* I2 */
        put_seg(m);
    }
}

int vcpu_set_ldt(struct vcpu *v, uint64_t base, unsigned entries)
{
    if (entries > MAX_LDT_ENTRIES)
        return -EINVAL;
    if (entries && ((base & (PAGE_SIZE - 1)) || !guest_range_ok(gva(base), entries * sizeof(uint64_t))))
        return -EINVAL;                                                     /* H20 */
    if (v->cpu.ldt_entries == entries && (entries == 0 || v->cpu.ldt_base == base))
        return 0;
    vcpu_drop_ldt(v);
    v->cpu.ldt_base = entries ? base : 0;
    v->cpu.ldt_entries = entries;
    window_load_ldt(v);
    return 0;
}

bool vcpu_ldt_fault(struct vcpu *v, unsigned offset)
{
    const unsigned page = offset >> PAGE_SHIFT;

    if (offset >= v->cpu.ldt_entries * sizeof(uint64_t))
        return false;

    const uint64_t e = pt_walk_kernel_leaf(v, gva(v->cpu.ldt_base + (uint64_t)page * PAGE_SIZE));
    const mfn_t m = pte_mfn(e);

    if (!(e & PTE_P) || !mfn_eq(window_ldt_page(page), MFN_INVALID) || page_get_and_type(m, v->domain, PGT_SEG))
        return false;
    window_set_ldt_page(page, m);
    return true;
}

/* ---- reading and writing one ---- */

static bool read_from(mfn_t m, struct domain *d, unsigned index, uint64_t *desc)
{
    if (!page_ref_get(m, d))
        return false;
    *desc = READ_ONCE(((const uint64_t *)frame_ptr(m))[index % PER_PAGE]);
    page_ref_put(m);
    return true;
}

bool vcpu_read_descriptor(struct vcpu *v, uint16_t sel, uint64_t *desc)
{
    const unsigned index = sel >> 3;

    *desc = 0;
    if (sel & 4) {
        if (index >= v->cpu.ldt_entries)
            return false;
        const uint64_t e = pt_walk_kernel_leaf(v, gva(v->cpu.ldt_base + index * sizeof(uint64_t)));
        return (e & PTE_P) && read_from(pte_mfn(e), v->domain, index, desc);
    }
    return index < v->cpu.gdt_entries && read_from(v->cpu.gdt_frames[index / PER_PAGE], v->domain, index, desc);
}

/* ABI: update_descriptor(maddr, desc): a page of the caller's, descriptor or ordinary data (before its first use). */
long do_update_descriptor(struct vcpu *v, struct hcall *h)
{
    const mfn_t m = mfn(h->arg[0] >> PAGE_SHIFT);
    uint64_t desc = h->arg[1];
    bool pinned;
    int rc;

    if ((h->arg[0] & 7) || !descriptor_ok(&desc) || !page_ref_get(m, v->domain))
        return -EINVAL;

    const enum page_type t = page_type_now(m, &pinned) == PGT_SEG ? PGT_SEG : PGT_WRITABLE;

    rc = page_type_get(m, v->domain, t);
    if (rc == 0) {
        WRITE_ONCE(((uint64_t *)frame_ptr(m))[(h->arg[0] & (PAGE_SIZE - 1)) / sizeof(desc)], desc);
        dirty_log_mark(v->domain, m);
        page_type_drop_leaf(m);
    }
    page_ref_put(m);
    return rc ? -EINVAL : 0;
}
