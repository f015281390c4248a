/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_op.h - between the files of memory_op; nobody else includes it */
#ifndef PARAVANE_MEMORY_OP_H
#define PARAVANE_MEMORY_OP_H

#include <xen/memory.h>

#include "hypercall/hypercall.h"

#define MEMOP_EXTENT_SHIFT 6    /* ABI: low bits of the command; above them, where a continued call goes on */

/* @start: first extent not done yet; only continued operations get one that is not 0. */
typedef long memory_fn(struct vcpu *v, struct hcall *h, gva_t arg, uint64_t start);

memory_fn memory_increase, memory_decrease, memory_populate;            /* memory_reservation.c */
memory_fn memory_exchange;                                              /* memory_exchange.c */
memory_fn memory_guest_map, memory_machine_map, memory_set_map,         /* memory_map.c */
    memory_machphys_list, memory_machphys_mapping, memory_acquire_resource;

/*
 * The domain a reservation call names, with a reference: the caller's own, or any for Dom0. -EPERM for others before
 * any lookup, so that nobody learns which domids exist; -ESRCH.
 */
MUST_CHECK int memory_target(struct vcpu *v, domid_t id, struct domain **out);
/* Largest extent order @d may ask for. */
unsigned memory_max_order(const struct domain *d);
/* mem_flags that a PV guest may pass: address bits, and "no node" or the one there is. */
bool memory_flags_ok(unsigned mem_flags);
/* Save progress in the command register and ask to be called again. */
static inline long memory_continue(struct hcall *h, uint64_t next)
{
    h->arg[0] = (h->arg[0] & ((1UL << MEMOP_EXTENT_SHIFT) - 1)) | next << MEMOP_EXTENT_SHIFT;
    return -ERESTART;
}

#endif
