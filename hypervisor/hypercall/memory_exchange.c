/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_exchange.c - XENMEM_exchange: give frames, get as many others, contiguous or below an address
 *
 * Works in chunks of the larger of the two extent sizes. A chunk is done or not: the new frames are allocated first,
 * then every old one is taken; if one cannot be (anything still refers to it), all go back to where they were.
 * Progress is nr_exchanged in the guest's structure, as the ABI has it; it is copied in and bounded on every entry.
 *
 *   I1  between the chunks tot_pages has not changed, and never exceeds what it was (frame_steal, frame_give).
 *
 * ABI: memory.h struct xen_memory_exchange; abi-map 2.6, pitfall 63. XSA-29, 212, 231 (H31, H32).
 */
#include "hypercall/memory_op.h"

#include "heap.h"
#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"

struct chunk {
    struct domain *d;
    unsigned in_order, out_order, addr_bits;
    uint64_t nr_in, nr_out;     /* extents a chunk */
    uint64_t nr_frames;
    uint64_t stolen;            /* frames taken so far, the first of the chunk */
    uint64_t allocated;         /* out extents allocated so far */
    uint64_t *in, *in_pfn;      /* nr_in first frames; nr_frames pfns, to undo */
    uint64_t *out_pfn, *out;    /* nr_out */
};

static mfn_t in_frame(const struct chunk *c, uint64_t i)
{
    return mfn(c->in[i >> c->in_order] + (i & ((1UL << c->in_order) - 1)));
}

static void undo(struct chunk *c)
{
    for (uint64_t i = 0; i < c->stolen; i++)
        if (frame_give(c->d, in_frame(c, i), c->in_pfn[i]) != 0) {      /* dying meanwhile */
            frame_free_hv(in_frame(c, i), 0);
            frame_uncharge(c->d, 1);
        }
    for (uint64_t i = 0; i < c->allocated; i++)
        frame_free_hv(mfn(c->out[i]), c->out_order);
    c->stolen = c->allocated = 0;
}

/* Everything that may fail; on failure nothing has changed. */
static int prepare(struct chunk *c)
{
    int rc = 0;

    c->stolen = c->allocated = 0;
    for (uint64_t i = 0; rc == 0 && i < c->nr_out; i++) {
        const mfn_t m = frame_alloc_hv(c->out_order, c->addr_bits);
        if (mfn_eq(m, MFN_INVALID))
            rc = -ENOMEM;
        else
            c->out[c->allocated++] = m.n;
    }
    for (uint64_t i = 0; rc == 0 && i < c->nr_frames; i++) {
        const mfn_t m = in_frame(c, i);
        const uint64_t old_pfn = mfn_is_ram(m) ? m2p_get(m) : M2P_INVALID;
        rc = frame_steal(c->d, m);
        if (rc == 0)
            c->in_pfn[c->stolen++] = old_pfn;
    }
    if (rc != 0)
        undo(c);
    return rc == -EBUSY ? -EINVAL : rc;
}

static void commit(struct chunk *c)
{
    for (uint64_t i = 0; i < c->nr_frames; i++)
        frame_free_hv(in_frame(c, i), 0);
    for (uint64_t i = 0; i < c->nr_frames; i++) {
        const uint64_t extent = i >> c->out_order, offset = i & ((1UL << c->out_order) - 1);
        const mfn_t m = mfn(c->out[extent] + offset);
        if (frame_give(c->d, m, c->out_pfn[extent] + offset) != 0) {    /* dying meanwhile: it needs no memory */
            frame_free_hv(m, 0);
            frame_uncharge(c->d, 1);
        } else {
            dirty_log_mark(c->d, m);
        }
    }
}

static int exchange_chunk(struct chunk *c, gva_t in, gva_t out)
{
    if (guest_copy_in(c->in, in, c->nr_in * sizeof(uint64_t)) != 0 ||
        guest_copy_in(c->out_pfn, out, c->nr_out * sizeof(uint64_t)) != 0)
        return -EFAULT;
    const int rc = prepare(c);
    if (rc != 0)
        return rc;
    commit(c);
    return guest_copy_out(out, c->out, c->nr_out * sizeof(uint64_t));
}

static int check(const struct vcpu *v, const struct xen_memory_exchange *x)
{
    const unsigned order = MAX(x->in.extent_order, x->out.extent_order);

    if (x->in.domid != x->out.domid || x->nr_exchanged > x->in.nr_extents)
        return -EINVAL;
    if (order > memory_max_order(v->domain))
        return -EPERM;
    if (!memory_flags_ok(x->out.mem_flags))
        return -EINVAL;
    /* The counts fit with room to spare, so the shifts and the list lengths below cannot wrap. */
    if (x->in.nr_extents > ~0UL >> (MEMOP_EXTENT_SHIFT + order) || x->out.nr_extents > ~0UL >> (MEMOP_EXTENT_SHIFT + order))
        return -EINVAL;
    if (x->in.nr_extents << x->in.extent_order != x->out.nr_extents << x->out.extent_order)
        return -EINVAL;
    /* Whole chunks only: the remainder of a larger extent cannot be exchanged, nor a call resumed inside one. */
    const unsigned in_shift = order - x->in.extent_order;
    if ((x->in.nr_extents | x->nr_exchanged) & ((1UL << in_shift) - 1))
        return -EINVAL;
    if (!guest_range_ok(gva((uint64_t)x->in.extent_start.p), x->in.nr_extents * sizeof(uint64_t)) ||
        !guest_range_ok(gva((uint64_t)x->out.extent_start.p), x->out.nr_extents * sizeof(uint64_t)))
        return -EFAULT;
    return 0;
}

/* One block of scratch memory for the chunk's four lists. */
static bool open_chunk(const struct xen_memory_exchange *x, struct domain *d, struct chunk *c)
{
    const unsigned order = MAX(x->in.extent_order, x->out.extent_order);

    *c = (struct chunk){ .d = d,
                         .in_order = x->in.extent_order,
                         .out_order = x->out.extent_order,
                         .addr_bits = XENMEMF_get_address_bits(x->out.mem_flags),
                         .nr_in = 1UL << (order - x->in.extent_order),
                         .nr_out = 1UL << (order - x->out.extent_order),
                         .nr_frames = 1UL << order };
    c->in = heap_alloc_array(c->nr_in + 2 * c->nr_out + c->nr_frames, sizeof(uint64_t));
    if (!c->in)
        return false;
    c->out = c->in + c->nr_in;
    c->out_pfn = c->out + c->nr_out;
    c->in_pfn = c->out_pfn + c->nr_out;
    return true;
}

long memory_exchange(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start)
{
    struct xen_memory_exchange x;
    struct domain *d;
    struct chunk c;

    (void)h, (void)start;
    if (guest_copy_in(&x, arg, sizeof(x)) != 0)
        return -EFAULT;
    int rc = check(v, &x);
    if (rc == 0)
        rc = memory_target(v, x.in.domid, &d);
    if (rc != 0)
        return rc;
    if (!open_chunk(&x, d, &c)) {
        domain_put(d);
        return -ENOMEM;
    }

    const uint64_t first = x.nr_exchanged;
    while (rc == 0 && x.nr_exchanged < x.in.nr_extents) {
        if (x.nr_exchanged != first && hypercall_preempt()) {
            rc = -ERESTART;
            break;
        }
        const uint64_t out_done = (x.nr_exchanged << x.in.extent_order) >> x.out.extent_order;
        rc = exchange_chunk(&c, gva((uint64_t)x.in.extent_start.p + x.nr_exchanged * sizeof(uint64_t)),
                            gva((uint64_t)x.out.extent_start.p + out_done * sizeof(uint64_t)));
        if (rc == 0)
            x.nr_exchanged += c.nr_in;
    }
    heap_free(c.in);
    domain_put(d);
    if (guest_copy_out(gva(arg.n + offsetof(struct xen_memory_exchange, nr_exchanged)), &x.nr_exchanged,
                       sizeof(x.nr_exchanged)) != 0)
        rc = -EFAULT;
    return rc;
}
