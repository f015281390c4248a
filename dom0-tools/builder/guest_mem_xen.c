/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_mem_xen.c - guest memory through foreign mappings
 *
 *   I1  the claim is released before gm_xen_populate() returns, whether it worked or not.
 *   I2  windows are unmapped before the tables they lie in are pinned: the caller pairs map and unmap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/handle.h"
#include "../lib/unmap.h"
#include "guest_mem_xen.h"

#define SUPER_ORDER 9u
#define SUPER (1ull << SUPER_ORDER)

/*
 * Extents a hypercall. Each frame is cleared, and while a hypercall goes on, Dom0's kernel takes interrupts but runs nothing
 * else on that CPU (it is not built to be preempted there): all of a large guest in one call is a soft lockup.
 */
#define SUPER_BATCH 16ull
#define BATCH 1024ull

struct guest_mem {
    struct vane *v;
    uint32_t domid;
    uint64_t pages;
    xen_pfn_t *mfn;
};

/* Superpage extents first: one list entry instead of 512. Returns the pages done. */
static uint64_t populate_large(struct guest_mem *gm)
{
    xen_pfn_t ext[SUPER_BATCH];
    uint64_t done = 0, total = gm->pages / SUPER;

    while (done < total) {
        uint64_t n = total - done < SUPER_BATCH ? total - done : SUPER_BATCH;
        int got;

        for (uint64_t i = 0; i < n; i++)
            ext[i] = (done + i) * SUPER;
        got = xc_domain_populate_physmap(gm->v->xc, gm->domid, n, SUPER_ORDER, 0, ext);
        for (int e = 0; e < got; e++) {
            for (uint64_t i = 0; i < SUPER; i++)
                gm->mfn[(done + (uint64_t)e) * SUPER + i] = ext[e] + i;
        }
        if (got > 0)
            done += (uint64_t)got;
        if (got < 0 || (uint64_t)got < n)
            break;                      /* memory is fragmented: go on with single frames */
    }
    return done * SUPER;
}

static int populate(struct guest_mem *gm)
{
    uint64_t done = populate_large(gm);

    while (done < gm->pages) {
        uint64_t n = gm->pages - done < BATCH ? gm->pages - done : BATCH;
        int got;

        for (uint64_t i = 0; i < n; i++)
            gm->mfn[done + i] = done + i;
        got = xc_domain_populate_physmap(gm->v->xc, gm->domid, n, 0, 0, gm->mfn + done);
        if (got <= 0 || (uint64_t)got > n)
            return -ENOMEM;
        done += (uint64_t)got;
    }
    return 0;
}

struct guest_mem *gm_xen_populate(struct vane *v, uint32_t domid, uint64_t pages)
{
    struct guest_mem *gm = calloc(1, sizeof(*gm));
    int rc;

    if (!gm || !vane_xc(v) || !vane_fmem(v) || !(gm->mfn = calloc(pages, sizeof(*gm->mfn)))) {
        free(gm);
        if (v->xc && v->fmem)
            vane_fail(v, -ENOMEM, NULL, "out of memory");
        return NULL;
    }
    gm->v = v;
    gm->domid = domid;
    gm->pages = pages;
    if (xc_domain_claim_pages(v->xc, domid, pages) < 0 && errno != ENOSYS && errno != EOPNOTSUPP) {
        vane_fail(v, -errno, "`vane info` shows free_memory; shrink a guest with mem-set",
                  "not enough free memory on this host for %llu MiB",
                  (unsigned long long)(pages / 256));
        gm_xen_free(gm);
        return NULL;
    }
    rc = populate(gm);
    xc_domain_claim_pages(v->xc, domid, 0);                     /* I1 */
    if (rc < 0) {
        vane_fail(v, rc, "`vane info` shows free_memory; shrink a guest with mem-set",
                  "the hypervisor has no %llu MiB to give", (unsigned long long)(pages / 256));
        gm_xen_free(gm);
        return NULL;
    }
    return gm;
}

void gm_xen_free(struct guest_mem *gm)
{
    if (gm)
        free(gm->mfn);
    free(gm);
}

uint64_t gm_pages(const struct guest_mem *gm)
{
    return gm->pages;
}

uint64_t gm_mfn(const struct guest_mem *gm, uint64_t pfn)
{
    return pfn < gm->pages ? gm->mfn[pfn] : ~0ull;
}

void *gm_map(struct guest_mem *gm, uint64_t pfn, size_t nr)
{
    if (nr == 0 || pfn >= gm->pages || nr > gm->pages - pfn)
        return NULL;
    return xenforeignmemory_map(gm->v->fmem, gm->domid, PROT_READ | PROT_WRITE, nr, gm->mfn + pfn,
                                NULL);
}

void gm_unmap(struct guest_mem *gm, void *window, size_t nr)
{
    vane_unmap(gm->v, window, nr);
}
