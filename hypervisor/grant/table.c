/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.c - the shared frames of a grant table, its life and its audit
 *
 * Frames are ours, lent to the domain (frame_share_with_guest), so that the guest can never turn one into a table or
 * give it back. They are added, never moved or removed, until the domain dies. Then shared[] goes first: a mapper that
 * unpins later finds the table sealed and has no flags to clear.
 */
#include "grant/table.h"

#include "bug.h"
#include "heap.h"
#include "hv_errno.h"
#include "machine.h"
#include "mm/dirty_log.h"
#include "mm/frame_alloc.h"
#include "print.h"

static void table_free(struct grant_table *gt)
{
    for (unsigned i = 0; i < gt->nr_frames; i++)
        heap_free(gt->active[i]);
    for (uint32_t i = 0; i < atomic_load(&gt->handles) / MAPTRACK_PER_CHUNK; i++)
        heap_free(gt->chunk[i]);
    heap_free(gt->shared);
    heap_free(gt->active);
    heap_free(gt->chunk);
    heap_free(gt);
}

int grant_domain_create(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames)
{
    struct grant_table *gt = heap_alloc(sizeof(*gt));
    mfn_t first;
    int rc;

    if (!gt)
        return -ENOMEM;
    spin_lock_init(&gt->lock, RANK_GRANT);
    spin_lock_init(&gt->maptrack_lock, RANK_MAPTRACK);
    gt->max_frames = max_frames;
    gt->max_chunks = max_maptrack_frames;
    gt->free_head = MAPTRACK_NONE;
    gt->shared = heap_alloc_array(MAX(max_frames, 1u), sizeof(*gt->shared));
    gt->active = heap_alloc_array(MAX(max_frames, 1u), sizeof(*gt->active));
    gt->chunk = heap_alloc_array(MAX(max_maptrack_frames, 1u), sizeof(*gt->chunk));
    if (!gt->shared || !gt->active || !gt->chunk) {
        table_free(gt);
        return -ENOMEM;
    }
    d->grants = gt;
    rc = max_frames ? grant_table_frame(d, 0, &first) : 0;      /* the builder seeds entries 0 and 1 */
    if (rc) {
        d->grants = NULL;
        table_free(gt);
    }
    return rc;
}

/* The granter's half: nothing more is lent; what is lent stays pinned until the mappers let go. */
static void seal(struct domain *d)
{
    struct grant_table *gt = d->grants;
    unsigned n;

    spin_lock(&gt->lock);
    n = gt->sealed ? 0 : gt->nr_frames;
    gt->sealed = true;
    spin_unlock(&gt->lock);
    for (unsigned i = 0; i < n; i++) {                  /* sealed: nobody looks at shared[] any more */
        frame_unshare(ptr_frame(gt->shared[i]), d);
        gt->shared[i] = NULL;
    }
}

void grant_domain_destroy(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return;
    seal(d);                                            /* no-op after relinquish; else creation failed later */
    d->grants = NULL;
    table_free(gt);
}

/* Lock held. One more frame at the end. */
static int grow(struct domain *d)
{
    struct grant_table *gt = d->grants;
    struct grant_active *active = heap_alloc_array(GRANTS_PER_FRAME, sizeof(*active));
    const mfn_t m = active ? frame_alloc_hv(0, 0) : MFN_INVALID;

    if (mfn_eq(m, MFN_INVALID)) {
        heap_free(active);
        return -ENOMEM;
    }
    frame_share_with_guest(m, d);
    gt->shared[gt->nr_frames] = frame_ptr(m);
    gt->active[gt->nr_frames] = active;
    gt->nr_frames++;
    return 0;
}

int grant_table_frame(struct domain *d, unsigned idx, mfn_t *out)
{
    struct grant_table *gt = d->grants;
    int rc = 0;

    if (idx >= gt->max_frames)
        return -EINVAL;
    spin_lock(&gt->lock);
    if (gt->sealed)
        rc = -EINVAL;
    while (rc == 0 && gt->nr_frames <= idx)
        rc = grow(d);
    if (rc == 0)
        *out = ptr_frame(gt->shared[idx]);
    spin_unlock(&gt->lock);
    return rc;
}

unsigned grant_table_max_frames(const struct domain *d)
{
    return d->grants->max_frames;
}

unsigned grant_table_frames(struct domain *d)
{
    return READ_ONCE(d->grants->nr_frames);
}

/* The mapper's half of teardown: drop every handle's pin. Its tables are not loaded anywhere any more. */
static int release_handles(struct domain *d)
{
    struct grant_table *gt = d->grants;
    const uint32_t handles = atomic_load(&gt->handles);
    unsigned released = 0;

    for (; gt->release_cursor < handles; gt->release_cursor++) {
        const uint32_t h = gt->release_cursor;
        const struct maptrack m = *maptrack_of(gt, h);
        struct domain *rd;

        if (m.flags == 0)
            continue;
        if (++released % 32 == 0 && machine_preempt_pending())
            return -ERESTART;
        rd = domain_lookup(m.domid);
        BUG_ON(!rd);                                    /* its pinned frame names it as owner */
        spin_lock(&rd->grants->lock);
        grant_unpin(rd, m.ref, m.flags & GNTMAP_readonly);
        maptrack_free(d, h);
        spin_unlock(&rd->grants->lock);
        domain_put(rd);
    }
    return 0;
}

int grant_domain_relinquish(struct domain *d)
{
    int rc;

    if (!d->grants)
        return 0;
    if (d->grants->release_cursor == 0)
        machine_flush_tlb(d->mm.dirty_cpus);            /* I3, for all of them */
    rc = release_handles(d);
    if (rc == 0)
        seal(d);
    return rc;
}

void grant_mark_written(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return;
    spin_lock(&gt->lock);
    for (uint32_t ref = 0; gt->writing && ref < gt->nr_frames * GRANTS_PER_FRAME; ref++) {
        const struct grant_active *a = grant_active_of(gt, ref);
        if (a->writers)
            dirty_log_mark(d, a->frame);
    }
    spin_unlock(&gt->lock);
}

void grant_dump(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return;
    spin_lock(&gt->lock);
    pr_info("d%u: %u of %u grant frames, %u handles%s\n", d->id, gt->nr_frames, gt->max_frames, gt->live,
            gt->sealed ? ", sealed" : "");
    for (uint32_t ref = 0; ref < gt->nr_frames * GRANTS_PER_FRAME; ref++) {
        const struct grant_active *a = grant_active_of(gt, ref);
        if (grant_pinned(a))
            pr_info("  ref %u frame " PRI_mfn " to d%u: %u readers, %u writers\n", ref, a->frame.n, a->domid,
                    a->readers, a->writers);
    }
    spin_unlock(&gt->lock);
}

/* How many handles of @mapper name @ref of @granter? */
static void count_handles(struct domain *mapper, domid_t granter, unsigned (*count)[2], uint32_t refs)
{
    struct grant_table *gt = mapper->grants;
    uint32_t live = 0;

    for (uint32_t h = 0; gt && h < atomic_load(&gt->handles); h++) {
        const struct maptrack *m = maptrack_of(gt, h);
        live += m->flags != 0;
        if (m->flags == 0 || m->domid != granter)
            continue;
        BUG_ON(m->ref >= refs || m->closing || !(m->flags & (GNTMAP_host_map | GNTMAP_device_map)));
        count[m->ref][!(m->flags & GNTMAP_readonly)]++;
    }
    BUG_ON(gt && live != gt->live);
}

void grant_audit(struct domain *d)
{
    struct grant_table *gt = d->grants;
    struct domain *o;

    if (!gt)
        return;
    const uint32_t refs = gt->nr_frames * (uint32_t)GRANTS_PER_FRAME;
    unsigned (*count)[2] = heap_alloc_array(MAX(refs, 1u), sizeof(*count));
    if (!count)
        return;
    for (unsigned id = 0; id < MAX_DOMID && (o = domain_lookup_from((domid_t)id)) != NULL; id = o->id + 1u, domain_put(o))
        count_handles(o, d->id, count, refs);
    uint32_t writing = 0;
    spin_lock(&gt->lock);
    for (uint32_t ref = 0; ref < refs; ref++) {
        const struct grant_active *a = grant_active_of(gt, ref);
        writing += a->writers;
        BUG_ON(a->readers != count[ref][0] || a->writers != count[ref][1]);                     /* I1 */
        if (grant_pinned(a)) {
            const uint64_t r = atomic_load(&frame_of(a->frame)->ref);
            BUG_ON(r >> FRAME_OWNER_SHIFT != d->id || (r & FRAME_COUNT_MASK) < (unsigned)a->readers + a->writers);
        }
    }
    BUG_ON(writing != gt->writing);
    spin_unlock(&gt->lock);
    heap_free(count);
}
