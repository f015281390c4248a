/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.h - put a PV guest's first memory image together
 *
 * build_plan() decides where everything goes and changes nothing; build_write() fills guest memory
 * through guest_mem.h. The plan follows abi-map: kernel, [ramdisk], [P2M], start_info, store,
 * console, page tables, stack, pad to 4 MiB, then unmapped: [ramdisk], [P2M and its tables].
 */
#ifndef VANE_BUILD_H
#define VANE_BUILD_H

#include "guest_mem.h"
#include "kernel.h"

struct build_run { uint64_t pfn, nr; };     /* consecutive frames */

/* A window of virtual addresses and the tables that map it, level 1 to 3; L4 is shared. */
struct build_map {
    uint64_t va, nr;                /* pages from va on */
    uint64_t first_pfn;             /* the frame behind va */
    struct build_run table[3];      /* [0] the L1s, [1] the L2s, [2] the L3s */
};

struct build_plan {
    const struct kernel *k;
    uint64_t pages;                 /* of the guest */
    const uint8_t *ramdisk;
    uint64_t ramdisk_len;
    struct build_run rd, p2m;
    uint64_t start_info, store, console, l4, stack;     /* pfns */
    uint64_t nr_pt;                 /* page-table frames from l4 on */
    uint64_t p2m_va;
    struct build_run p2m_all;       /* the P2M and, behind it, its tables */
    struct build_map base, p2m_map; /* p2m_map.nr == 0: the P2M is inside base */
};

/* What start_info says that the builder cannot know. */
struct build_facts {
    uint64_t shared_info_maddr;
    uint32_t store_port, console_port;
    const char *cmdline;            /* at most 1023 bytes, may be NULL */
};

/* -EINVAL: the kernel asks for something impossible; -ENOMEM: @pages are too few. *@why says which. */
int build_plan(const struct kernel *k, uint64_t pages, const uint8_t *ramdisk, size_t ramdisk_len,
               struct build_plan *plan, const char **why);
/* 0 or -ENOMEM when guest memory cannot be mapped. The vCPU then starts at plan->k->entry. */
int build_write(const struct build_plan *plan, const struct build_facts *facts,
                struct guest_mem *gm);

static inline uint64_t build_va(const struct build_plan *p, uint64_t pfn)
{
    return p->k->virt_base + pfn * 4096;
}

#endif
