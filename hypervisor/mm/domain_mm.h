/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain_mm.h - a domain's memory: counters, limits, list of its frames
 */
#ifndef PARAVANE_DOMAIN_MM_H
#define PARAVANE_DOMAIN_MM_H

#include "bitmap.h"
#include "lock.h"
#include "types.h"

struct dirty_log;       /* mm/dirty_log.h */

struct domain_mm {
    spinlock_t lock;            /* RANK_PAGE */
    /* under lock */
    uint64_t tot_pages;         /* frames owned that count against the limit */
    uint64_t max_pages;
    uint64_t claimed;           /* reserved by XENMEM_claim_pages, not yet allocated; under HEAP */
    uint32_t first;             /* list of owned frames, linked through struct frame; 0: empty */
    uint32_t lingering;         /* frames that this pass of relinquish is done with */
    bool tables_done;           /* relinquish: no pin is left. Under DOMCTL */
    uint64_t xenheap_pages;     /* our pages shared with the guest (shared_info, grant table) */
    mfn_t relinquish_put;       /* a table that relinquish has half dropped; .n 0: none. Under DOMCTL */

    cpumask_t dirty_cpus;       /* atomic ops: CPUs that may hold translations of this domain's tables */
    struct dirty_log *log;      /* NULL unless logging */
};

/*
 * vcpu: tables that an earlier call had to leave half dropped, a plain and a type reference each; finished before the
 * vCPU's next mmu call (pt_finish_pending), or by teardown. Zero: none.
 */
#define PENDING_PUTS 4
struct pending_put {
    unsigned count;
    mfn_t mfn[PENDING_PUTS];
};

/*
 * For relinquish, from the head of the list of owned frames: move @m to the lingering ones; move up to @max that are
 * neither pinned nor half validated; free up to @max that nobody refers to; begin again with what was set aside.
 */
void domain_mm_set_aside(struct domain *d, mfn_t m);
unsigned domain_mm_pass_over(struct domain *d, unsigned max);
unsigned domain_mm_free_alone(struct domain *d, unsigned max);
bool domain_mm_take_up(struct domain *d);      /* false: there are frames that were not looked at */

int domain_mm_create(struct domain *d);
/* Drop every reference the domain holds on its own tables, then free its frames; -ERESTART when preempted. */
int domain_mm_relinquish(struct domain *d);
void domain_mm_destroy(struct domain *d);

#endif
