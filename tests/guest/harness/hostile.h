/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostile.h - what the hostile guests share: a page-table tree to abuse, frames that are not ours, bad pointers */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "harness.h"

/* A pinned L4 -> L3 -> L2 -> L1 -> leaf chain that no vCPU uses. Slot numbers within each table. */
struct tree {
    uint64_t *l4, *l3, *l2, *l1, *leaf;  /* pages of the region, tables mapped read-only */
};
#define TREE_SLOT4 8
#define TREE_SLOT3 7
#define TREE_SLOT2 6
#define TREE_SLOT1 5

/* Build and pin; false (and the item failed) if that is refused. */
bool tree_make(struct tree *t);
/* Unpin and give everything back. */
void tree_free(struct tree *t);
/* Machine address of slot @slot of table page @table. */
uint64_t slot_maddr(const void *table, unsigned slot);

/*
 * Try to write @value to slot @slot of @table by mmu_update; expects an error (@want, or any when 0) and
 * the entry unchanged.
 */
void refuse_entry(const char *what, uint64_t *table, unsigned slot, uint64_t value, long want);

/* A domain and one of its frames (command line victim=, victim_mfn=); DOMID_INVALID when there is none. */
domid_t victim_domid(void);
uint64_t victim_frame(void);
/* A frame of the hypervisor (one of the M2P), by XENMEM_machphys_mfn_list; 0 if that is refused. */
uint64_t hypervisor_frame(void);
/* Frame number above everything the machine has, but within the address width of an entry. */
#define FRAME_BEYOND 0xfffffff0UL

/* Addresses at which no hypercall may read or write. */
#define BAD_NONCANONICAL 0x0000800000000000UL
#define BAD_HYPERVISOR 0xffff82d080000000UL
#define BAD_DIRECTMAP 0xffff830000000000UL
#define BAD_M2P HYPERVISOR_START
/* Last bytes below the hypervisor's hole, always unmapped here. */
#define BAD_EDGE 0x00007ffffffffff8UL

#endif
