/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domctl_shadow.c - XEN_DOMCTL_shadow_op: dirty logging (mm/dirty_log.h), and nothing else of what the name once meant
 *
 * ABI: domctl.h; abi-map 4.10. The whole round is done with the domain paused; `pages` comes back as asked for.
 */
#include "hypercall/toolstack.h"
#include "mm/dirty_log.h"

static long read_log(struct domain *d, struct xen_domctl_shadow_op *s, bool clean)
{
    return dirty_log_read(d, gva((uintptr_t)s->dirty_bitmap.p), s->pages, clean, &s->stats.dirty_count,
                          &s->stats.fault_count);
}

long domctl_shadow_op(struct vcpu *v, struct domain *d, struct xen_domctl *c, bool *copy_back)
{
    struct xen_domctl_shadow_op *s = &c->u.shadow_op;

    (void)v;
    if (domain_is_dying(d))
        return 0;
    switch (s->op) {
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return dirty_log_off(d);
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return dirty_log_enable(d);
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        return s->mode == XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY ? dirty_log_enable(d) : -EINVAL;
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        *copy_back = true;
        return read_log(d, s, s->op == XEN_DOMCTL_SHADOW_OP_CLEAN);
    default:
        return -EINVAL;
    }
}
