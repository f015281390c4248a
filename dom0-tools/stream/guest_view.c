/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_view.c - P2M and M2P of a guest that is being saved
 *
 *   I1  everything the guest wrote (shared info, its page tables, its P2M) is read once, bounded, and
 *       a frame it names is used only if the M2P says that it is this pfn.
 *
 * ABI: arch_shared_info max_pfn, p2m_cr3, p2m_vaddr, or pfn_to_mfn_frame_list_list where p2m_cr3 is 0;
 * XENMEM_machphys_mfn_list lists a frame for every 2 MiB of the M2P.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/handle.h"

#include <xen/memory.h>

#include "../lib/unmap.h"
#include "guest_view.h"

#define NO_FRAME (~0ull)
#define M2P_CHUNK_FRAMES 512ull                 /* 2 MiB */
#define MAX_GUEST_PFNS (1ull << 28)             /* 1 TiB */
#define KEY_BITS (0xfull << 59)                 /* protection keys: the hypervisor's while it logs */

static int map_m2p(struct guest_view *g)
{
    unsigned long nr_mfns;          /* ABI: one more than the highest, so that the list asked for is as long as Xen's */
    xen_pfn_t *chunk, *frame;
    uint64_t chunks;
    int rc = -ENOMEM;

    if (xc_maximum_ram_page(g->v->xc, &nr_mfns) < 0)
        return vane_fail(g->v, -errno, NULL, "cannot learn the size of memory: %s", strerror(errno));
    chunks = (nr_mfns + M2P_CHUNK_FRAMES * 512 - 1) / (M2P_CHUNK_FRAMES * 512);
    chunk = calloc(chunks, sizeof(*chunk));
    frame = calloc(chunks * M2P_CHUNK_FRAMES, sizeof(*frame));
    if (chunk && frame && xc_machphys_mfn_list(g->v->xc, chunks, chunk) == 0) {
        for (uint64_t i = 0; i < chunks * M2P_CHUNK_FRAMES; i++)
            frame[i] = chunk[i / M2P_CHUNK_FRAMES] + i % M2P_CHUNK_FRAMES;
        g->m2p_frames = chunks * M2P_CHUNK_FRAMES;
        g->m2p = xenforeignmemory_map(g->v->fmem, DOMID_XEN, PROT_READ, g->m2p_frames, frame, NULL);
        g->m2p_entries = nr_mfns;
        rc = g->m2p ? 0 : -errno;
    }
    free(chunk);
    free(frame);
    return rc < 0 ? vane_fail(g->v, rc, NULL, "cannot map the M2P table: %s", vane_xc_said(g->v)) : 0;
}

uint64_t view_pfn(const struct guest_view *g, uint64_t mfn)
{
    uint64_t pfn;

    if (mfn >= g->m2p_entries)
        return NO_FRAME;
    pfn = __atomic_load_n(&g->m2p[mfn], __ATOMIC_RELAXED);
    return pfn <= g->max_pfn && __atomic_load_n(&g->p2m[pfn], __ATOMIC_RELAXED) == mfn ? pfn : NO_FRAME;
}

uint64_t view_mfn(const struct guest_view *g, uint64_t pfn)
{
    uint64_t mfn = pfn <= g->max_pfn ? __atomic_load_n(&g->p2m[pfn], __ATOMIC_RELAXED) : NO_FRAME;

    if (mfn >= g->m2p_entries || __atomic_load_n(&g->m2p[mfn], __ATOMIC_RELAXED) != pfn)
        return NO_FRAME;                                                            /* I1 */
    return mfn;
}

/* Map the guest's tables of one level and collect what their entries name. */
static int next_level(struct guest_view *g, const xen_pfn_t *tables, uint64_t n, uint64_t first,
                      uint64_t count, xen_pfn_t *out)
{
    uint64_t *w = xenforeignmemory_map(g->v->fmem, g->domid, PROT_READ, n, tables, NULL);
    int rc = 0;

    if (!w)
        return -errno;
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        uint64_t e = w[(first % 512) + i];

        if (!(e & PTE_PRESENT) || (e & PTE_PSE))
            rc = -EINVAL;
        out[i] = (e >> PTE_MFN_SHIFT) & PTE_MFN_MASK;
    }
    vane_unmap(g->v, w, n);
    return rc;
}

/* Walk p2m_cr3 down to the frames that hold the list. */
static int find_p2m(struct guest_view *g, uint64_t cr3, uint64_t va)
{
    uint64_t last = va + g->p2m_frames * 4096 - 1, n = 1;
    xen_pfn_t *tables = calloc(g->p2m_frames + 8, sizeof(*tables));
    xen_pfn_t *next = calloc(g->p2m_frames + 8, sizeof(*next));
    int rc = tables && next ? 0 : -ENOMEM;

    if (rc == 0)
        tables[0] = cr3 >> 12;
    for (int level = 4; level >= 1 && rc == 0; level--) {
        unsigned shift = (unsigned)(12 + 9 * (level - 1));
        uint64_t count = (last >> shift) - (va >> shift) + 1;

        if (count > g->p2m_frames + 8 || (va >> shift) % 512 + count > n * 512)
            rc = -EINVAL;
        else
            rc = next_level(g, tables, n, va >> shift, count, next);
        if (rc == 0) {
            xen_pfn_t *t = tables;

            tables = next;
            next = t;
            n = count;
        }
    }
    if (rc == 0)
        memcpy(g->p2m_mfn, tables, g->p2m_frames * sizeof(*g->p2m_mfn));
    free(tables);
    free(next);
    return rc;
}

/* The older way: a frame of frames of the list's frames. */
static int find_p2m_list(struct guest_view *g, uint64_t top)
{
    uint64_t n = (g->p2m_frames + 511) / 512;
    xen_pfn_t frame = top, *middle, *leaf;
    int rc = -EINVAL;

    if (n > 512)                                /* 2^27 pages: what such a list can name */
        return rc;
    middle = xenforeignmemory_map(g->v->fmem, g->domid, PROT_READ, 1, &frame, NULL);
    if (!middle)
        return -errno;
    leaf = calloc(n, sizeof(*leaf));
    if (leaf)
        memcpy(leaf, middle, n * sizeof(*leaf));
    xenforeignmemory_unmap(g->v->fmem, middle, 1);
    middle = leaf ? xenforeignmemory_map(g->v->fmem, g->domid, PROT_READ, n, leaf, NULL) : NULL;
    rc = !leaf ? -ENOMEM : middle ? 0 : -errno;
    if (middle) {
        memcpy(g->p2m_mfn, middle, g->p2m_frames * sizeof(*g->p2m_mfn));
        vane_unmap(g->v, middle, n);
    }
    free(leaf);
    return rc;
}

static int map_p2m(struct guest_view *g)
{
    const shared_info_t *s = g->shared;
    uint64_t pfns = __atomic_load_n(&s->arch.max_pfn, __ATOMIC_RELAXED);
    uint64_t cr3 = __atomic_load_n(&s->arch.p2m_cr3, __ATOMIC_RELAXED);
    uint64_t va = __atomic_load_n(&s->arch.p2m_vaddr, __ATOMIC_RELAXED);
    uint64_t list = __atomic_load_n(&s->arch.pfn_to_mfn_frame_list_list, __ATOMIC_RELAXED);
    int rc;

    if ((cr3 == 0 && (list == 0 || list == NO_FRAME)) || pfns == 0 || pfns > MAX_GUEST_PFNS || va % 4096)
        return vane_fail(g->v, -EOPNOTSUPP, "has its kernel booted?",
                         "the guest does not publish its memory map");
    g->max_pfn = pfns - 1;
    g->p2m_frames = g->max_pfn / 512 + 1;
    g->p2m_mfn = calloc(g->p2m_frames, sizeof(*g->p2m_mfn));
    if (!g->p2m_mfn)
        return vane_fail(g->v, -ENOMEM, NULL, "out of memory");
    rc = cr3 ? find_p2m(g, cr3, va) : find_p2m_list(g, list);
    if (rc == 0) {
        g->p2m = xenforeignmemory_map(g->v->fmem, g->domid, PROT_READ, g->p2m_frames,
                                      (xen_pfn_t *)g->p2m_mfn, NULL);
        rc = g->p2m ? 0 : -errno;
    }
    return rc < 0 ? vane_fail(g->v, rc, NULL, "the guest's memory map cannot be read: %s",
                              strerror(-rc)) : 0;
}

static void unmap_p2m(struct guest_view *g)
{
    vane_unmap(g->v, (void *)(uintptr_t)g->p2m, g->p2m_frames);
    free(g->p2m_mfn);
    g->p2m = NULL;
    g->p2m_mfn = NULL;
}

int view_open(struct vane *v, const struct vane_dom *d, struct guest_view *g)
{
    xen_pfn_t shared = d->shared_info_mfn;
    int rc;

    *g = (struct guest_view){ .v = v, .domid = d->domid };
    if (!vane_fmem(v))
        return vane_last_error(v)->code;
    g->shared = xenforeignmemory_map(v->fmem, d->domid, PROT_READ, 1, &shared, NULL);
    if (!g->shared)
        return vane_fail(v, -errno, NULL, "cannot map the guest's shared info: %s", strerror(errno));
    rc = map_m2p(g);
    return rc < 0 ? rc : map_p2m(g);
}

int view_refresh(struct guest_view *g)
{
    struct guest_view before = *g;
    int rc;

    g->p2m = NULL;
    g->p2m_mfn = NULL;
    rc = map_p2m(g);
    /* The stream has told already where the list is. */
    if (rc == 0 && (g->max_pfn != before.max_pfn ||
                    memcmp(g->p2m_mfn, before.p2m_mfn, g->p2m_frames * sizeof(*g->p2m_mfn)) != 0))
        rc = vane_fail(g->v, -EAGAIN, "try again", "the guest moved or extended its memory map meanwhile");
    unmap_p2m(&before);
    return rc;
}

void view_close(struct guest_view *g)
{
    unmap_p2m(g);
    vane_unmap(g->v, (void *)(uintptr_t)g->m2p, g->m2p_frames);
    if (g->shared)
        xenforeignmemory_unmap(g->v->fmem, g->shared, 1);
    g->m2p = NULL;
    g->shared = NULL;
}

int view_kinds(struct guest_view *g, const uint64_t *mfn, unsigned *kind, unsigned n)
{
    DECLARE_HYPERCALL_BUFFER(xen_pfn_t, list);
    struct xen_domctl op = { .cmd = XEN_DOMCTL_getpageframeinfo3, .domain = (domid_t)g->domid };
    int rc = 0;

    list = xc_hypercall_buffer_alloc(g->v->xc, list, n * sizeof(*list));
    if (!list)
        return vane_fail(g->v, -ENOMEM, NULL, "out of memory");
    for (unsigned i = 0; i < n; i++)
        list[i] = mfn[i] == NO_FRAME ? 0xfffffffffull : mfn[i];
    op.u.getpageframeinfo3.num = n;
    set_xen_guest_handle(op.u.getpageframeinfo3.array, list);
    if (xc_domctl(g->v->xc, &op) < 0)
        rc = vane_fail(g->v, -errno, NULL, "cannot learn the types of the guest's pages: %s",
                       strerror(errno));
    for (unsigned i = 0; i < n; i++)
        kind[i] = mfn[i] == NO_FRAME ? KIND_NONE : (unsigned)(list[i] >> 28) & 15u;
    xc_hypercall_buffer_free(g->v->xc, list);
    return rc;
}

bool view_table_to_pfns(const struct guest_view *g, unsigned level, uint64_t *table)
{
    for (unsigned i = 0; i < 512; i++) {
        uint64_t e = table[i], pfn;

        if (level == 4 && i >= L4_HOLE_FIRST && i <= L4_HOLE_LAST) {
            table[i] = 0;
            continue;
        }
        if (!(e & PTE_PRESENT))
            continue;
        pfn = view_pfn(g, (e >> PTE_MFN_SHIFT) & PTE_MFN_MASK);
        if (pfn == NO_FRAME || (level > 1 && (e & PTE_PSE)))
            return false;
        table[i] = (e & ~(PTE_MFN_MASK << PTE_MFN_SHIFT) & ~KEY_BITS) | pfn << PTE_MFN_SHIFT;
    }
    return true;
}
