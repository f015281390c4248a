/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multicall.c - several hypercalls in one (ABI: xen.h multicall_entry, abi-map 2.4)
 *
 * Entries run in order; each result is written back. A preempted entry is rewritten in guest memory with what is
 * left of its arguments, and the multicall itself starts again there. An iret entry ends the list: nothing runs after
 * the vCPU has left kernel mode (XSA-213).
 */
#include "hypercall/hypercall.h"

#include <xen/xen.h>

#define ENTRY_SIZE sizeof(struct multicall_entry)

static int write_back_args(gva_t at, const struct hcall *h)
{
    return guest_copy_out(gva(at.n + offsetof(struct multicall_entry, args)), h->arg, sizeof(h->arg));
}

static int write_result(gva_t at, long result)
{
    const uint64_t r = (uint64_t)result;
    return guest_copy_out(gva(at.n + offsetof(struct multicall_entry, result)), &r, sizeof(r));
}

long do_multicall(struct vcpu *v, struct hcall *h)
{
    uint64_t at = h->arg[0];
    uint32_t left = (uint32_t)h->arg[1];

    if (h->in_multicall)
        return -EINVAL;
    for (bool first = true; left; left--, at += ENTRY_SIZE, first = false) {
        if (!first && hypercall_preempt())
            goto again;
        struct multicall_entry e;
        if (guest_copy_in(&e, gva(at), sizeof(e)))
            return -EFAULT;
        struct hcall sub = { .arg = { e.args[0], e.args[1], e.args[2], e.args[3], e.args[4], e.args[5] },
                             .in_multicall = true };
        const long ret = hypercall_dispatch(v, e.op, &sub);
        if (unlikely(ret == -ERESTART)) {
            if (write_back_args(gva(at), &sub))
                return -EFAULT;
            goto again;
        }
        if (ret == HCALL_REGS_SET)          /* iret: the registers are its frame's now */
            return ret;
        if (write_result(gva(at), ret))
            return -EFAULT;
        if (unlikely(domain_is_dying(v->domain) || READ_ONCE(v->domain->is_shutting_down))) {
            left--, at += ENTRY_SIZE;
            goto again;                     /* crashed by that entry: nothing more on its behalf */
        }
    }
    return 0;

again:
    h->arg[0] = at;
    h->arg[1] = left;
    return left ? -ERESTART : 0;
}
