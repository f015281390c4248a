/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set_timer_op.c - hypercall 15: the older way to set the single-shot timer (ABI: abi-map 2.8) */
#include "hypercall/hypercall.h"

#include "time/time.h"

long do_set_timer_op(struct vcpu *v, struct hcall *h)
{
    return vcpu_set_timer_op(v, (int64_t)h->arg[0]);
}
