/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page_audit.c - recompute every reference that mm/ knows of, and compare
 *
 * Counted: allocation, pins, partial walks' own references, entries of validated tables (of partial ones: those below
 * progress), roots, GDT frames, half-dropped tables, vcpu_info pages, FIFO event pages, our own hold on shared pages. Grants
 * and calls in progress hold more; therefore "strict" only where there are none.
 */
#include "bug.h"
#include "domain/domain.h"
#include "event/event.h"
#include "heap.h"
#include "mm/frame_alloc.h"
#include "mm/page_type.h"
#include "mm/pt_validate.h"
#include "machine.h"
#include "print.h"

struct tally { uint32_t refs, types; };

static struct tally *tally;

static void count(mfn_t m, bool type)
{
    if (!mfn_valid(m))
        return;
    tally[m.n].refs++;
    tally[m.n].types += type;
}

static void count_entries(mfn_t m, enum page_type t, unsigned end)
{
    const uint64_t *table = frame_ptr(m);

    for (unsigned i = 0; i < end; i++) {
        const uint64_t e = table[i];
        const mfn_t child = pte_mfn(e);

        if (!(e & PTE_P) || (t == PGT_L4 && l4_slot_is_ours(i)))
            continue;
        if (t == PGT_L1 && !mfn_is_ram(child))
            continue;
        count(child, t != PGT_L1 || (e & PTE_RW));
        if (t != PGT_L1)
            BUG_ON(frame_of(child)->type >> 60 != (uint64_t)t - 1);
        else if (e & PTE_RW)
            BUG_ON(frame_of(child)->type >> 60 != PGT_WRITABLE);      /* no writable alias of a table */
    }
}

static void count_frame(mfn_t m)
{
    struct frame *f = frame_of(m);
    const uint64_t ref = atomic_load(&f->ref), w = atomic_load(&f->type);
    const enum page_type t = (enum page_type)(w >> 60);

    if (ref & FRAME_F_ALLOCATED)
        count(m, false);
    /* Our own hold on a shared page ends while its domain dies; who has it mapped may keep it longer. */
    if ((ref & FRAME_F_SHARED) && !domain_is_dying(domain_by_id_unreferenced(frame_owner(f))))
        count(m, true);
    BUG_ON(w & PGT_BUSY);
    if (w & PGT_PINNED)
        count(m, true);
    if ((w & PGT_PARTIAL) && (w & PGT_COUNT_MASK) == 0)
        count(m, false);
    if (t >= PGT_L1 && t <= PGT_L4 && (w & (PGT_COUNT_MASK | PGT_PARTIAL)))
        count_entries(m, t, w & PGT_PARTIAL ? (unsigned)(f->stamp_progress >> 48) : 512);
}

static void count_vcpu(struct vcpu *v)
{
    if (v->cpu.kernel_cr3)
        count(v->cpu.kernel_root, true);
    if (v->cpu.user_cr3)
        count(v->cpu.user_root, true);
    for (unsigned i = 0; i < (v->cpu.gdt_entries + 511) / 512; i++)
        count(v->cpu.gdt_frames[i], true);
    for (unsigned i = 0; i < v->pending_put.count; i++)
        count(v->pending_put.mfn[i], true);
    if (!mfn_eq(v->info_mfn, MFN_INVALID))
        count(v->info_mfn, true);
}

/* A page the guest gave its event channels: a plain and a type reference. */
static void count_written(mfn_t m) { count(m, true); }

static void compare(mfn_t m, bool strict)
{
    const struct frame *f = frame_of(m);
    const uint64_t ref = atomic_load(&f->ref), w = atomic_load(&f->type);
    const uint64_t refs = ref & FRAME_COUNT_MASK, types = w & PGT_COUNT_MASK;
    const enum page_type t = (enum page_type)(w >> 60);
    /* Grants take WRITABLE and plain references only. */
    const bool exact_types = strict || (types && t != PGT_WRITABLE && t != PGT_SEG);

    if (refs >= tally[m.n].refs && (!strict || refs == tally[m.n].refs) && types >= tally[m.n].types &&
        (!exact_types || types == tally[m.n].types))
        return;
    pr_err("audit: mfn %lx ref %lx (counted %u) type %lx (counted %u)\n", m.n, ref, tally[m.n].refs, w,
           tally[m.n].types);
    BUG();
}

void page_type_audit(bool strict)
{
    tally = heap_alloc_array(max_mfn, sizeof(*tally));
    if (!tally)
        return;
    for (mfn_t m = mfn(0); mfn_valid(m); m.n++) {
        if (frame_owner(frame_of(m)) < DOMID_FIRST_RESERVED)
            count_frame(m);
    }
    for (struct domain *d = domain_lookup_from(0), *next; d; d = next) {
        evtchn_for_each_frame(d, count_written);
        domain_for_each_vcpu(d, v)
            count_vcpu(v);
        if (!mfn_eq(d->mm.relinquish_put, MFN_INVALID) && d->mm.relinquish_put.n)
            count(d->mm.relinquish_put, true);
        next = domain_lookup_from((domid_t)(d->id + 1));
        domain_put(d);
    }
    for (mfn_t m = mfn(0); mfn_valid(m); m.n++) {
        if (frame_owner(frame_of(m)) < DOMID_FIRST_RESERVED)
            compare(m, strict);
    }
    heap_free(tally);
    tally = NULL;
    frame_alloc_audit();
}
