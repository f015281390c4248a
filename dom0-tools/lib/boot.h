/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.h - what create.c asks the hypervisor for, step by step; each call 0 or -errno recorded */
#ifndef VANE_BOOT_H
#define VANE_BOOT_H

#include "../builder/build.h"
#include "../config/config.h"

/* createdomain, max_vcpus, max_mem, memory map, TSC, affinity, scheduler. *@domid is set first. */
int boot_new_domain(struct vane *v, const struct vane_config *c, uint32_t *domid) MUST_CHECK;
/* @arrives: it comes out of a stream, maybe from another host. */
int boot_new_settings(struct vane *v, const struct vane_config *c, uint32_t domid, bool arrives) MUST_CHECK;
/* The most memory the domain may have: @kb, and what it needs beside. */
int boot_memory_limit(struct vane *v, uint32_t domid, uint64_t kb) MUST_CHECK;
/* What cpuid= changes, for a domain with a kernel of its own (a stream brings its policy along). */
int boot_cpuid(struct vane *v, const struct vane_config *c, uint32_t domid) MUST_CHECK;
int boot_event_port(struct vane *v, uint32_t domid, uint32_t *port) MUST_CHECK;
/* Entries 0 and 1 of the grant table: console and store, for Dom0. */
int boot_seed_grants(struct vane *v, uint32_t domid, uint64_t console_mfn, uint64_t store_mfn)
    MUST_CHECK;
int boot_shared_info(struct vane *v, uint32_t domid, uint64_t mfn) MUST_CHECK;
/* Hypercall page, pinned L4, context of vCPU 0. No window on the tables may be open. */
int boot_start_state(struct vane *v, uint32_t domid, const struct build_plan *p,
                     const struct guest_mem *gm) MUST_CHECK;

#endif
