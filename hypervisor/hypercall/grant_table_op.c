/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant_table_op.c - hypercall 20: batches, permission, dispatch to grant/
 *
 * A batch returns 0 when it was processed; what became of an element is in its status. A preempted batch advances the
 * handle and the count in h->arg: every element is done exactly once, with its status written (XSA-318).
 *
 * ABI: grant_table.h; abi-map 2.12. Version 1 only; transfer, cache_flush and unmap_and_replace are not offered.
 */
#include "hypercall/hypercall.h"

#include "grant/grant.h"

#define PREEMPT_EVERY 16                /* elements between two looks at the clock */

/* @done elements of @size bytes are finished: what is left? */
static long continue_after(struct hcall *h, uint64_t done, size_t size)
{
    h->arg[1] += done * size;
    h->arg[2] -= done;
    return -ERESTART;
}

static bool due(uint64_t i)
{
    return i != 0 && i % PREEMPT_EVERY == 0 && hypercall_preempt();
}

union element {
    struct gnttab_map_grant_ref map;
    struct gnttab_copy copy;
    struct gnttab_swap_grant_ref swap;
};

static void do_map(struct vcpu *v, union element *e) { grant_map(v, &e->map); }
static void do_copy(struct vcpu *v, union element *e) { grant_copy(v, &e->copy); }
static void do_swap(struct vcpu *v, union element *e) { grant_swap(v->domain, &e->swap); }

/* Element by element: in, done, out with its status. */
static long op_each(struct vcpu *v, struct hcall *h, size_t size, void (*one)(struct vcpu *v, union element *e))
{
    gva_t arg = gva(h->arg[1]);
    const uint64_t count = h->arg[2];
    union element e;

    for (uint64_t i = 0; i < count; i++, arg.n += size) {
        if (due(i))
            return continue_after(h, i, size);
        if (guest_copy_in(&e, arg, size))
            return -EFAULT;
        one(v, &e);
        if (guest_copy_out(arg, &e, size))
            return -EFAULT;
    }
    return 0;
}

/* In batches, each of which costs one flush. */
static long op_unmap(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t count)
{
    struct gnttab_unmap_grant_ref op[GRANT_UNMAP_BATCH];

    for (uint64_t i = 0; i < count; ) {
        const unsigned n = (unsigned)MIN(count - i, (uint64_t)GRANT_UNMAP_BATCH);
        if (i && hypercall_preempt())
            return continue_after(h, i, sizeof(op[0]));
        if (guest_copy_in(op, arg, n * sizeof(op[0])))
            return -EFAULT;
        grant_unmap_batch(v, op, n);
        if (guest_copy_out(arg, op, n * sizeof(op[0])))
            return -EFAULT;
        i += n;
        arg.n += n * sizeof(op[0]);
    }
    return 0;
}

/* The domain an op names: its own, or any for the privileged one. NULL and a status otherwise. */
static struct domain *target_domain(struct vcpu *v, domid_t id, int16_t *status)
{
    struct domain *d = domain_lookup_self(v, id);

    *status = GNTST_bad_domain;
    if (d && d != v->domain && !v->domain->privileged) {
        domain_put(d);
        d = NULL;
        *status = GNTST_permission_denied;
    }
    return d;
}

static int16_t setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
    mfn_t m;

    if (op->nr_frames > grant_table_max_frames(d))
        return GNTST_general_error;
    if (op->nr_frames && grant_table_frame(d, op->nr_frames - 1, &m))
        return GNTST_general_error;
    for (unsigned i = 0; i < op->nr_frames; i++) {
        if (grant_table_frame(d, i, &m))
            return GNTST_general_error;
        const uint64_t frame = m.n;
        if (guest_copy_out(gva((uintptr_t)op->frame_list.p + i * sizeof(frame)), &frame, sizeof(frame)))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static long op_setup_table(struct vcpu *v, gva_t arg, uint64_t count)
{
    struct gnttab_setup_table op;
    struct domain *d;

    if (count != 1)
        return -EINVAL;
    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = target_domain(v, op.dom, &op.status);
    if (d) {
        op.status = setup_table(d, &op);
        domain_put(d);
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

static long op_query_size(struct vcpu *v, gva_t arg, uint64_t count)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (count != 1)
        return -EINVAL;
    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = target_domain(v, op.dom, &op.status);
    if (d) {
        op.nr_frames = grant_table_frames(d);
        op.max_nr_frames = grant_table_max_frames(d);
        op.status = GNTST_okay;
        domain_put(d);
    }
    return guest_copy_out(arg, &op, sizeof(op));
}

/* ABI: 2 must be refused with -ENOSYS exactly (abi-map pitfall 81). */
static long op_set_version(gva_t arg)
{
    struct gnttab_set_version op;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.version != 1)
        return op.version == 2 ? -ENOSYS : -EINVAL;
    return guest_copy_out(arg, &op, sizeof(op));
}

static long op_get_version(struct vcpu *v, gva_t arg)
{
    struct gnttab_get_version op;
    struct domain *d;
    int16_t status;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = target_domain(v, op.dom, &status);
    if (!d)
        return status == GNTST_bad_domain ? -ESRCH : -EPERM;
    domain_put(d);
    op.version = 1;
    return guest_copy_out(arg, &op, sizeof(op));
}

static long op_get_status_frames(gva_t arg)
{
    struct gnttab_get_status_frames op;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = GNTST_general_error;    /* version 1 has none */
    return guest_copy_out(arg, &op, sizeof(op));
}

long do_grant_table_op(struct vcpu *v, struct hcall *h)
{
    const gva_t arg = gva(h->arg[1]);
    const uint64_t count = h->arg[2];

    if (count > INT32_MAX)
        return -EINVAL;
    switch ((uint32_t)h->arg[0]) {
    case GNTTABOP_map_grant_ref:
        return op_each(v, h, sizeof(struct gnttab_map_grant_ref), do_map);
    case GNTTABOP_unmap_grant_ref:
        return op_unmap(v, h, arg, count);
    case GNTTABOP_copy:
        return op_each(v, h, sizeof(struct gnttab_copy), do_copy);
    case GNTTABOP_swap_grant_ref:
        return op_each(v, h, sizeof(struct gnttab_swap_grant_ref), do_swap);
    case GNTTABOP_setup_table:
        return op_setup_table(v, arg, count);
    case GNTTABOP_query_size:
        return op_query_size(v, arg, count);
    case GNTTABOP_set_version:
        return op_set_version(arg);
    case GNTTABOP_get_version:
        return op_get_version(v, arg);
    case GNTTABOP_get_status_frames:
        return op_get_status_frames(arg);
    case GNTTABOP_transfer:
    case GNTTABOP_unmap_and_replace:
    case GNTTABOP_cache_flush:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
