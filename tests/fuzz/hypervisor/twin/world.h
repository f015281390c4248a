/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - what the grammar of tests/fuzz/hypercall needs of its side: here a vCPU of the host build
 *
 * Guest addresses of argument structures are addresses of the host (fake_guest_map); everything else is reached through
 * the guest's page tables, as a CPU would. Values are for the vCPU whose turn it is.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <stdio.h>
#include <string.h>

#include <xen/xen-compat.h>
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "mm/pt_update.h"

#define PTE_KERNEL (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_RO (PTE_P | PTE_US | PTE_A)
#define PTE_TABLE PTE_KERNEL
#define PTE(mfn, flags) (((uint64_t)(mfn) << PAGE_SHIFT) | (flags))
#define HC_ARG(x) ((uint64_t)(uintptr_t)(x))

/* No hypercall may read or write there. */
#define BAD_NONCANONICAL 0x0000800000000000UL
#define BAD_HYPERVISOR 0xffff82d080000000UL
#define BAD_DIRECTMAP 0xffff830000000000UL
#define BAD_M2P 0xffff800000000000UL
#define BAD_EDGE 0x00007ffffffffff8UL
#define FRAME_BEYOND 0xfffffff0UL
enum { TRAP_NONE = 0xffff };

long hypercall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
unsigned probe_write(uint64_t va, uint64_t value);

/* ---- pages ---- */
void *page_alloc(void);
void *page_alloc_run(unsigned n);
uint64_t mm_mfn(const void *page);
uint64_t mm_pfn(const void *page);
void mm_set_mfn(uint64_t pfn, uint64_t mfn);
uint64_t mm_l4_mfn(void);
int mm_protect(void *page);
int mm_unmap(uint64_t va);
int mm_map(uint64_t va, uint64_t mfn, uint64_t flags);
uint64_t mm_reserve_va(unsigned pages);

/* ---- who is there ---- */
domid_t own_domid(void);
domid_t peer_domid(void);
domid_t victim_domid(void);
uint64_t victim_frame(void);
uint64_t victim_root(void);
uint64_t hypervisor_frame(void);
struct grant_entry_v1 *grant_entry(grant_ref_t ref);
uint64_t random_next(uint64_t *state);

bool world_is_expendable(void);
static inline bool world_may_control(void) { return true; }
bool world_set_stack(uint64_t sp);

#endif
