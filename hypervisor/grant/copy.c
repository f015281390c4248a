/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.c - GNTTABOP_copy: bytes from one frame to another, each named by a grant or by the caller's own frame number
 *
 * Each operand is resolved on its own, at the point of use, into one struct that is filled once; nothing is kept from
 * one element to the next (XSA-523, 500). No lock is held while copying, and no lock of one operand while the other
 * is resolved.
 */
#include "grant/table.h"

#include "machine.h"
#include "mm/dirty_log.h"
#include "mm/page_ref.h"
#include "mm/page_type.h"

struct operand {
    mfn_t frame;
    struct domain *granter;     /* referenced; NULL: an own frame */
    uint32_t ref;
    bool write;
};

static int16_t operand_own_frame(struct vcpu *v, uint64_t gmfn, struct operand *o)
{
    o->frame = mfn(gmfn);
    if (o->write)
        return page_get_and_type(o->frame, v->domain, PGT_WRITABLE) ? GNTST_bad_page : GNTST_okay;
    return page_ref_get(o->frame, v->domain) ? GNTST_okay : GNTST_bad_page;
}

static int16_t operand_grant(struct vcpu *v, domid_t domid, uint32_t ref, struct operand *o)
{
    int16_t status;

    o->granter = domain_lookup_self(v, domid);
    if (!o->granter)
        return GNTST_bad_domain;
    o->ref = ref;
    spin_lock(&o->granter->grants->lock);
    status = grant_pin(o->granter, ref, v->domain->id, !o->write, &o->frame);
    spin_unlock(&o->granter->grants->lock);
    if (status != GNTST_okay)
        domain_put(o->granter);
    return status;
}

static int16_t operand_get(struct vcpu *v, const struct gnttab_copy_ptr *p, bool is_ref, bool write, struct operand *o)
{
    *o = (struct operand){ .write = write };
    if (is_ref)
        return operand_grant(v, p->domid, p->u.ref, o);
    if (p->domid != DOMID_SELF)
        return GNTST_permission_denied;
    return operand_own_frame(v, p->u.gmfn, o);
}

static void operand_put(struct vcpu *v, struct operand *o)
{
    if (o->granter) {
        spin_lock(&o->granter->grants->lock);
        grant_unpin(o->granter, o->ref, !o->write);
        spin_unlock(&o->granter->grants->lock);
        domain_put(o->granter);
        return;
    }
    if (o->write) {
        dirty_log_mark(v->domain, o->frame);
        page_type_put_leaf(o->frame, v->domain);
    }
    page_ref_put(o->frame);
}

static int16_t copy_one(struct vcpu *v, const struct gnttab_copy *op)
{
    struct operand src, dst;
    int16_t status;

    if (op->source.offset + op->len > (int)PAGE_SIZE || op->dest.offset + op->len > (int)PAGE_SIZE)
        return GNTST_bad_copy_arg;
    if (op->len == 0)
        return GNTST_okay;
    status = operand_get(v, &op->source, op->flags & GNTCOPY_source_gref, false, &src);
    if (status != GNTST_okay)
        return status;
    status = operand_get(v, &op->dest, op->flags & GNTCOPY_dest_gref, true, &dst);
    if (status == GNTST_okay) {
        /* Source and destination may be one frame, and overlap. */
        __builtin_memmove((char *)frame_ptr(dst.frame) + op->dest.offset,
                          (const char *)frame_ptr(src.frame) + op->source.offset, op->len);
        operand_put(v, &dst);
    }
    operand_put(v, &src);
    return status;
}

void grant_copy(struct vcpu *v, struct gnttab_copy *op)
{
    op->status = copy_one(v, op);
}
