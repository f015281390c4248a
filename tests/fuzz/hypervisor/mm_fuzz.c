/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mm_fuzz.c - two hostile domains and a Dom0, any sequence of memory operations, preemption anywhere, abandoned calls
 *
 * Oracles after every step: page_type_audit() (each reference recounted from the tables); and the CPU model, which walks the
 * loaded roots from machine words alone: no address may be writable and lead to a frame that is a table or a descriptor
 * page, or to a frame of a domain that never lent it.
 */
#include <stdint.h>

#define FX_FRAMES 128
#define FX_OWN 48                       /* few: audits are cheap and collisions likely */
#include "../../unit/hypervisor/mm_fixture.h"
#include "cpu/window.h"
#include "mm/descriptor.h"

#define NFR FX_OWN

struct input { const uint8_t *p, *end; };

static struct fx x;

static unsigned byte(struct input *in) { return in->p < in->end ? *in->p++ : 0; }

/* A frame number: usually one's own, sometimes another's, ours, or nonsense. */
static mfn_t any_frame(struct input *in, unsigned dom)
{
    const unsigned b = byte(in);

    if (b < 192)
        return (dom == 0 ? x.fa : x.fb)[b % NFR];
    if (b < 224)
        return (dom == 0 ? x.fb : x.fa)[b % NFR];
    if (b < 240)
        return mfn(b);
    if (b < 248)
        return mfn(FX_FRAMES + b);
    return mfn(0xfffffff000 + b);
}

static uint64_t any_entry(struct input *in, unsigned dom)
{
    static const uint64_t flags[] = {
        0, PTE_P, RO, RW, RW | PTE_NX, TBL, TBL | PTE_PS, RW | PTE_PCD, RO | PTE_G, RW | PTE_PKEY, TBL | PTE_D | PTE_AVAIL,
        PTE_RW, PTE_P | PTE_RW, RO | PTE_PS, TBL, RW,
    };
    const mfn_t m = any_frame(in, dom);

    return PT(m, flags[byte(in) % ARRAY_SIZE(flags)]);
}

static unsigned any_slot(struct input *in)
{
    static const unsigned slots[] = { 0, 1, 2, 3, 255, 256, 271, 272, 511 };

    return slots[byte(in) % ARRAY_SIZE(slots)];
}

/* Run a call; after -ERESTART the input decides whether the guest comes back, and how often. */
static void call(struct vcpu *v, hypercall_fn *fn, struct hcall *h, struct input *in)
{
    for (unsigned i = 0; i < 200 && fn(v, h) == -ERESTART; i++) {
        page_type_audit(true);
        if (byte(in) % 8 == 7)
            break;
    }
}

static void op_mmu(struct vcpu *v, struct input *in, unsigned dom)
{
    mmu_update_t req[8];
    unsigned n = 1 + byte(in) % 8, done;
    uint32_t foreign = DOMID_SELF;
    struct hcall h;

    for (unsigned i = 0; i < n; i++) {
        req[i].ptr = (any_frame(in, dom).n << PAGE_SHIFT) + any_slot(in) * 8 + (byte(in) % 8 == 7 ? byte(in) % 8 : 0);
        req[i].val = any_entry(in, dom);
    }
    if (v == &x.v0)
        foreign = byte(in) % 2 ? 1U + byte(in) % 2 : DOMID_SELF | (2U + byte(in) % 2) << 16;
    h = (struct hcall){ .arg = { (uintptr_t)req, n, (uintptr_t)&done, foreign } };
    fake_guest_reset();
    fake_guest_share(req, sizeof(req));
    fake_guest_share(&done, sizeof(done));
    call(v, do_mmu_update, &h, in);
}

static void op_ext(struct vcpu *v, struct input *in, unsigned dom)
{
    struct mmuext_op op[3];
    const unsigned n = 1 + byte(in) % 3;
    struct hcall h = { .arg = { (uintptr_t)op, n, 0, v == &x.v0 ? 1U + byte(in) % 2 : DOMID_SELF } };

    memset(op, 0, sizeof(op));
    for (unsigned i = 0; i < n; i++) {
        op[i].cmd = byte(in) % 22;
        op[i].arg1.mfn = any_frame(in, dom).n;
        op[i].arg2.src_mfn = any_frame(in, dom).n;
    }
    fake_guest_reset();
    fake_guest_share(op, sizeof(op));
    call(v, do_mmuext_op, &h, in);
}

static void op_uva(struct vcpu *v, struct input *in, unsigned dom)
{
    const uint64_t va = (uint64_t)any_slot(in) << 39 | (uint64_t)any_slot(in) << 30 | (uint64_t)any_slot(in) << 21 |
                        (uint64_t)any_slot(in) << 12;
    struct hcall h = { .arg = { (uint64_t)((int64_t)(va << 16) >> 16), any_entry(in, dom), byte(in) } };

    fake_guest_reset();
    call(v, do_update_va_mapping, &h, in);
}

static void op_descriptor(struct vcpu *v, struct input *in, unsigned dom)
{
    uint64_t frames[2] = { any_frame(in, dom).n, any_frame(in, dom).n };
    const unsigned what = byte(in);
    struct hcall h = { .arg = { (uintptr_t)frames, what % 2 ? 16 : what % 4 ? 600 : 0 } };

    if (what & 0x80) {
        h = (struct hcall){ .arg = { (frames[0] << PAGE_SHIFT) + any_slot(in) * 8, (uint64_t)byte(in) << 40 | 0xffff } };
        call(v, do_update_descriptor, &h, in);
        return;
    }
    fake_guest_reset();
    fake_guest_share(frames, sizeof(frames));
    call(v, do_set_gdt, &h, in);
}

/* A grant of the other domain's frame, mapped and unmapped at once or forgotten (then the entry alone holds it). */
static void op_grant(struct vcpu *v, struct input *in, unsigned dom)
{
    struct domain *const other = dom == 0 ? &x.b : &x.a;
    const mfn_t m = (dom == 0 ? x.fb : x.fa)[byte(in) % NFR];
    const bool rw = byte(in) % 2;
    const uint64_t slot = (any_frame(in, dom).n << PAGE_SHIFT) + any_slot(in) * 8;

    if (!page_ref_get(m, other))
        return;
    if (!rw || page_type_get(m, other, PGT_WRITABLE) == 0) {
        if (pt_grant_map(v, slot, true, PT(m, rw ? RW : RO)) == 0 && byte(in) % 2) {
            if (pt_grant_unmap(v, slot, true, PT(m, rw ? RW : RO)))
                abort();
        }
        if (rw)
            page_type_put_leaf(m, other);
    }
    page_ref_put(m);
}

static void op_memory(struct input *in, unsigned dom)
{
    struct domain *const d = dom == 0 ? &x.a : &x.b;
    mfn_t *const f = dom == 0 ? x.fa : x.fb;
    mfn_t *const m = &f[byte(in) % NFR];

    /* decrease_reservation, or exchange; a new frame takes the place if the old one is really gone. */
    if (byte(in) % 2) {
        if (!page_ref_get(*m, d))
            return;
        if (page_ref_drop_allocation(*m, d))
            page_ref_put(*m);
        else
            return page_ref_put(*m);
    } else if (frame_steal(d, *m) == 0) {
        frame_free_hv(*m, 0);
        frame_uncharge(d, 1);
    }
    if (!page_ref_get(*m, d)) {
        if (frame_alloc_domain(d, 0, 0, m))
            abort();
    } else {
        page_ref_put(*m);
    }
}

/* The guest's stores through its own tables: whatever the CPU lets it write. */
static void op_store(struct vcpu *v, struct input *in, unsigned dom)
{
    const uint64_t va = (uint64_t)any_slot(in) << 39 | (uint64_t)any_slot(in) << 30 | (uint64_t)any_slot(in) << 21 |
                        (uint64_t)any_slot(in) << 12;
    uint64_t *p = v->cpu.kernel_cr3 ? fake_mmu(v->cpu.kernel_root, va, true) : NULL;

    if (p)
        p[any_slot(in)] = any_entry(in, dom);
}

/* A guest kernel's store to a frame it can write: data, or a table before it is one. */
static void op_poke(struct input *in, unsigned dom)
{
    const mfn_t m = (dom == 0 ? x.fa : x.fb)[byte(in) % NFR];
    const uint64_t w = atomic_load(&frame_of(m)->type);

    /* Only what a writable mapping could reach: types other than WRITABLE never have one. */
    if (frame_owner(frame_of(m)) != (dom == 0 ? 1 : 2) || (w >> 60 != PGT_WRITABLE && (w & PGT_IN_USE)))
        return;
    fx_set(m, any_slot(in), any_entry(in, dom));
}

/* No writable path from a root to a table or descriptor page: read as the CPU would, from the words in memory. */
static void check_reach(mfn_t m, unsigned level, bool writable)
{
    const uint64_t *t = frame_ptr(m);

    for (unsigned i = 0; i < 512; i++) {
        const mfn_t child = pte_mfn(t[i]);

        if (!(t[i] & PTE_P) || (level == 4 && i >= 256 && i < 272))
            continue;
        if (level > 1) {
            if (t[i] & PTE_PS)
                abort();
            check_reach(child, level - 1, writable && (t[i] & PTE_RW));
            continue;
        }
        if (!mfn_valid(child) || frame_owner(frame_of(child)) >= DOMID_FIRST_RESERVED)
            abort();                                    /* nobody here has I/O rights */
        if (writable && (t[i] & PTE_RW) && fx_type(child) != PGT_WRITABLE)
            abort();
    }
}

static void check(void)
{
    struct vcpu *const all[] = { &x.v0, &x.va, &x.va1, &x.vb };

    page_type_audit(true);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i]->cpu.kernel_cr3)
            check_reach(all[i]->cpu.kernel_root, 4, true);
        if (all[i]->cpu.user_cr3)
            check_reach(all[i]->cpu.user_root, 4, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    if (size > 4096)
        return 0;
    fx_init(&x);
    if (byte(&in) % 2) {                                /* start from something that works */
        fx_build(x.fa, 16);
        if (fx_pin(&x.va, 4, x.fa[0]) || pt_set_kernel_root(&x.va, x.fa[0]) || pt_set_kernel_root(&x.va1, x.fa[0]))
            abort();
    }
    while (in.p < in.end) {
        const unsigned op = byte(&in), who = byte(&in) % 8, dom = who >= 6;
        struct vcpu *const v = who < 3 ? &x.va : who < 5 ? &x.va1 : who < 6 ? &x.v0 : &x.vb;

        fake_set_current(v);
        fake_preempt_at(op & 0x80 ? 1 + byte(&in) % 8 : 0, 1 + byte(&in) % 4);
        switch (op % 12) {
        case 0: case 1: case 2: op_mmu(v, &in, dom); break;
        case 3: case 4: op_ext(v, &in, dom); break;
        case 5: op_uva(v, &in, dom); break;
        case 6: op_descriptor(v, &in, dom); break;
        case 7: op_grant(v, &in, dom); break;
        case 8: op_memory(&in, dom); break;
        case 9: op_store(v, &in, dom); break;
        default: op_poke(&in, dom); break;
        }
        fake_preempt_at(0, 0);
        check();
    }
    for (unsigned i = 0; i < 16; i++)
        if (!mfn_eq(window_ldt_page(i), MFN_INVALID))
            abort();
    fx_end(&x);
    return 0;
}
