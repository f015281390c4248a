/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builder.h - state shared by the steps of building Dom0; private to dom0/
 *
 * Address order from v_start (abi-map 1.4): kernel, [initrd], [P2M], start_info, page tables, stack, padding; all
 * of it mapped, pfn 0 at v_start. Then, in pfn space only: P2M list with its tables if the kernel named an address
 * for it, the initrd if it may stay unmapped, the rest of the memory.
 */
#ifndef PARAVANE_BUILDER_H
#define PARAVANE_BUILDER_H

#include "dom0/dom0.h"
#include "dom0/pv_kernel.h"
#include "domain/domain.h"
#include "mm/frame.h"

struct dom0_layout {
    uint64_t v_start, v_end;            /* the initial mapping */
    uint64_t v_initrd;                  /* 0: not mapped */
    uint64_t v_p2m, v_start_info, v_tables, v_stack;
    uint64_t nr_pages;                  /* all of the domain's */
    uint64_t nr_mapped;                 /* pfns of the initial mapping */
    uint64_t nr_tables;                 /* page-table pages in it */
    uint64_t nr_p2m;                    /* pages of the P2M list */
    uint64_t p2m_pfn, nr_p2m_tables;    /* list first, then its tables; 0 tables if mapped in the initial region */
    uint64_t initrd_pfn, nr_initrd;
};

struct builder {
    const struct dom0_params *params;
    struct pv_kernel kernel;
    struct dom0_layout l;
    struct domain *d;
    mfn_t *p2m_frame;                   /* l.nr_p2m frames that hold the list */
    mfn_t root;
    uint64_t tables_used, p2m_tables_used;
};

static inline uint64_t builder_pfn(const struct builder *b, uint64_t va)
{
    return (va - b->l.v_start) >> PAGE_SHIFT;
}

/* layout.c. 0, or -EINVAL / -ENOMEM with *@why. Pure: depends on kernel, nr_pages and initrd pages only. */
MUST_CHECK int layout_solve(struct dom0_layout *l, const struct pv_kernel *k, uint64_t nr_pages, uint64_t nr_initrd,
                            const char **why);
/* Page-table pages of levels 1..3 needed to map [va, va + size). */
uint64_t layout_tables(uint64_t va, uint64_t size);

/* memory.c: the P2M list of the new domain, and frames for it. */
MUST_CHECK int memory_alloc_p2m(struct builder *b);
/* Give the domain frames for pfns [from, to), largest chunks first. -ENOMEM. */
MUST_CHECK int memory_fill(struct builder *b, uint64_t from, uint64_t to);
/* The same with contents undefined: frames that the kernel is told are free. */
MUST_CHECK int memory_fill_spare(struct builder *b, uint64_t from, uint64_t to);
/* Frames of the boot module become pfns [from, ...), contents kept; the tail of the last page is cleared. */
MUST_CHECK int memory_adopt(struct builder *b, uint64_t from, const struct boot_module *m);
mfn_t memory_mfn(const struct builder *b, uint64_t pfn);
/* Our view of pfn's page. */
void *memory_ptr(const struct builder *b, uint64_t pfn);
/* Copy into the initial mapping; the range lies in it (caller). */
void memory_write(const struct builder *b, uint64_t va, const void *src, uint64_t n);

/* tables.c: write the initial page tables. -ENOMEM when the layout's count was too small (our bug, but checked). */
MUST_CHECK int tables_build(struct builder *b);

/* start_info.c */
void start_info_write(struct builder *b);

#endif
