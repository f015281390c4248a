/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore_pages.c - make a domain from a stream: its memory
 *
 * Frames are given out as the stream names pages. Plain pages go from the descriptor into the guest's
 * frames; zeros that are known to be zeros are not even mapped where the hypervisor cleared the frame.
 *
 *   I1  every pfn used here came through record_pages() or was compared with max_pfn.
 *   I2  a page table is written only after every frame it names is populated, as machine frames.
 *   I3  at the end a pfn without a page has a frame only if a page table names it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/unmap.h"
#include "restore.h"

#define NO_FRAME (~0ull)

static int bad(struct restorer *r, const char *what)
{
    return vane_fail(r->v, -EINVAL, "the file is damaged, or made by another program",
                     "the domain's image is not valid: %s", what);
}

/* Give every pfn of the list a frame that has none; the list may name one twice. */
static int populate(struct restorer *r, const uint64_t *pfn, unsigned n)
{
    xen_pfn_t list[BATCH_PAGES], want[BATCH_PAGES];

    while (n) {
        unsigned k = 0, used = 0;

        for (; used < n && k < BATCH_PAGES; used++) {
            if (r->mfn[pfn[used]] != NO_FRAME)
                continue;
            r->mfn[pfn[used]] = 0;              /* marks it: a second mention is passed over */
            want[k] = list[k] = pfn[used];
            k++;
        }
        if (k && xc_domain_populate_physmap_exact(r->v->xc, r->domid, k, 0, 0, list) < 0)
            return vane_fail(r->v, -ENOMEM, "`vane info` shows free_memory",
                             "not enough free memory on this host for the domain");
        for (unsigned i = 0; i < k; i++)
            r->mfn[want[i]] = list[i];
        pfn += used;
        n -= used;
    }
    return 0;
}

/* The pfns that a table names, populated. */
static int populate_entries(struct restorer *r, const uint64_t *table)
{
    uint64_t pfn[512];
    unsigned n = 0;

    for (unsigned i = 0; i < 512; i++) {
        uint64_t p = (table[i] >> PTE_MFN_SHIFT) & PTE_MFN_MASK;

        if (!(table[i] & PTE_PRESENT))
            continue;
        if (p > r->max_pfn)
            return bad(r, "a page table names a page that there is not");
        if (r->mfn[p] == NO_FRAME)
            pfn[n++] = p;
    }
    return populate(r, pfn, n);
}

static int write_table(struct restorer *r, uint64_t *to, const uint64_t *from)
{
    int rc = populate_entries(r, from);                                             /* I2 */

    for (unsigned i = 0; i < 512 && rc == 0; i++) {
        uint64_t e = from[i];

        if (e & PTE_PRESENT)
            e = (e & ~(PTE_MFN_MASK << PTE_MFN_SHIFT)) |
                r->mfn[(e >> PTE_MFN_SHIFT) & PTE_MFN_MASK] << PTE_MFN_SHIFT;
        to[i] = e;
    }
    return rc;
}

static uint8_t *map_pages(struct restorer *r, const uint64_t *pfn, unsigned n)
{
    xen_pfn_t frame[BATCH_PAGES] = {0};
    uint8_t *w;

    for (unsigned i = 0; i < n; i++)
        frame[i] = r->mfn[pfn[i]];
    w = xenforeignmemory_map(r->v->fmem, r->domid, PROT_READ | PROT_WRITE, n, frame, NULL);
    if (!w)
        vane_fail(r->v, -errno, "is Dom0 short of memory?", "cannot map the guest's pages: %s",
                  strerror(errno));
    return w;
}

/* Frames that were another guest's hold what that left in them, and an earlier round may have been here. */
static int clear_pages(struct restorer *r, const uint64_t *pfn, unsigned n)
{
    bool fresh = r->cleared_for_us;
    uint8_t *w;

    for (unsigned i = 0; i < n; i++)
        fresh = fresh && !r->written[pfn[i]];
    if (fresh)
        return 0;
    w = map_pages(r, pfn, n);
    if (!w)
        return vane_last_error(r->v)->code;
    for (unsigned i = 0; i < n; i++) {
        if (!page_is_zero(w + (size_t)i * 4096))
            memset(w + (size_t)i * 4096, 0, 4096);
    }
    vane_unmap(r->v, w, n);
    return 0;
}

/* The next @n pages of the stream into the frames of @pfn; plain pages without a copy of our own. */
static int read_pages(struct restorer *r, const uint64_t *pfn, const unsigned *kind, unsigned n)
{
    uint64_t table[512];
    uint8_t *w = map_pages(r, pfn, n);
    int rc = w ? 0 : vane_last_error(r->v)->code;

    for (unsigned i = 0, run; i < n && rc == 0; i += run) {
        uint8_t *to = w + (size_t)i * 4096;

        for (run = 0; i + run < n && !kind_level(kind[i + run]); run++)
            ;
        if (run) {
            rc = in_pages(r->in, to, run);
        } else {
            run = 1;
            rc = in_pages(r->in, table, 1);
            if (rc == 0)
                rc = write_table(r, (uint64_t *)(void *)to, table);
        }
    }
    vane_unmap(r->v, w, n);
    for (unsigned i = 0; i < n; i++)
        r->written[pfn[i]] = 1;
    return rc;
}

/* A table of zeros is as good as its bytes, so holes of the file need no look at the kind. */
static int write_pages(struct restorer *r, const uint64_t *pfn, const unsigned *kind, unsigned n)
{
    int rc = 0;

    for (unsigned i = 0, run; i < n && rc == 0; i += run) {
        bool zero;

        run = in_run(r->in, n - i, &zero);
        if (zero) {
            rc = in_skip_pages(r->in, run);
            if (rc == 0)
                rc = clear_pages(r, pfn + i, run);
        } else {
            rc = read_pages(r, pfn + i, kind + i, run);
        }
    }
    return rc;
}

/* Every page that the batch names gets a frame, in few calls. */
static int populate_batch(struct restorer *r, const struct page_batch *b)
{
    uint64_t pfn[BATCH_PAGES];
    unsigned n = 0;
    int rc = 0;

    for (uint32_t i = 0; i < b->count && rc == 0; i++) {
        unsigned k = (unsigned)(b->word[i] >> PFN_TYPE_SHIFT);

        if (k != KIND_NONE && k != KIND_BROKEN)
            pfn[n++] = b->word[i] & PFN_MASK;
        if (n == BATCH_PAGES || i + 1 == b->count) {
            rc = populate(r, pfn, n);
            n = 0;
        }
    }
    return rc;
}

int restore_take_pages(struct restorer *r, const struct record *rec)
{
    struct page_batch b;
    uint64_t pfn[BATCH_PAGES];
    unsigned kind[BATCH_PAGES], n = 0;
    int rc = record_pages(r->in, rec, r->max_pfn, &b);

    if (rc == 0)
        rc = populate_batch(r, &b);
    for (uint32_t i = 0; rc == 0 && i < b.count; i++) {
        uint64_t p = b.word[i] & PFN_MASK;
        unsigned k = (unsigned)(b.word[i] >> PFN_TYPE_SHIFT);

        r->kind[p] = (uint8_t)k;
        if (!kind_has_data(k))
            continue;
        pfn[n] = p;
        kind[n++] = k;
        if (n == BATCH_PAGES) {
            rc = write_pages(r, pfn, kind, n);
            n = 0;
        }
    }
    return rc == 0 && n ? write_pages(r, pfn, kind, n) : rc;
}

int restore_take_zeros(struct restorer *r, const struct record *rec)
{
    struct page_batch b;
    uint64_t pfn[BATCH_PAGES];
    unsigned n = 0;
    int rc = record_pages(r->in, rec, r->max_pfn, &b);

    if (rc == 0)
        rc = populate_batch(r, &b);
    for (uint32_t i = 0; rc == 0 && i < b.count; i++) {
        pfn[n] = b.word[i] & PFN_MASK;
        r->kind[pfn[n++]] = KIND_DATA;
        if (n == BATCH_PAGES || i + 1 == b.count) {
            rc = clear_pages(r, pfn, n);
            n = 0;
        }
    }
    return rc;
}

/* ---- frames that only earlier versions of the image had a use for (I3) ---- */

static bool left_over(const struct restorer *r, uint64_t pfn)
{
    return r->mfn[pfn] != NO_FRAME && r->kind[pfn] == KIND_NONE;
}

/* Set in @named, by mfn, what the tables of @pfn name. */
static int note_named(struct restorer *r, const uint64_t *pfn, unsigned n, uint64_t *named, uint64_t frames)
{
    const uint64_t *w = (const uint64_t *)(const void *)map_pages(r, pfn, n);

    if (!w)
        return vane_last_error(r->v)->code;
    for (size_t i = 0; i < (size_t)n * 512; i++) {
        uint64_t m = (w[i] >> PTE_MFN_SHIFT) & PTE_MFN_MASK;

        if ((w[i] & PTE_PRESENT) && m < frames)
            named[m / 64] |= 1ull << (m % 64);
    }
    vane_unmap(r->v, (void *)(uintptr_t)w, n);
    return 0;
}

static int note_all_named(struct restorer *r, uint64_t *named, uint64_t frames)
{
    uint64_t pfn[BATCH_PAGES];
    unsigned n = 0;
    int rc = 0;

    for (uint64_t p = 0; p <= r->max_pfn && rc == 0; p++) {
        if (kind_level(r->kind[p]))
            pfn[n++] = p;
        if (n == BATCH_PAGES || (n && p == r->max_pfn)) {
            rc = note_named(r, pfn, n, named, frames);
            n = 0;
        }
    }
    return rc;
}

static int give_back(struct restorer *r, const uint64_t *named, uint64_t frames)
{
    xen_pfn_t frame[BATCH_PAGES];
    unsigned n = 0;

    for (uint64_t p = 0; p <= r->max_pfn; p++) {
        uint64_t m = r->mfn[p];

        if (left_over(r, p) && m < frames && !(named[m / 64] >> (m % 64) & 1)) {
            frame[n++] = m;
            r->mfn[p] = NO_FRAME;
        }
        if (n == BATCH_PAGES || (n && p == r->max_pfn)) {
            if (xc_domain_decrease_reservation_exact(r->v->xc, r->domid, n, 0, frame) < 0)
                return vane_fail(r->v, -errno, NULL, "cannot take back what the guest had given up: %s", strerror(errno));
            n = 0;
        }
    }
    return 0;
}

/*
 * A guest that gave pages back while it was copied does not count on their frames, and its limit does. What a table names
 * stays: a page that came while it was copied may be known only by that.
 */
int restore_give_back(struct restorer *r)
{
    unsigned long frames;
    uint64_t *named, p = 0;
    int rc;

    while (p <= r->max_pfn && !left_over(r, p))
        p++;
    if (p > r->max_pfn)
        return 0;
    if (xc_maximum_ram_page(r->v->xc, &frames) < 0)
        return vane_fail(r->v, -errno, NULL, "cannot learn the size of memory: %s", strerror(errno));
    named = calloc(++frames / 64 + 1, sizeof(*named));
    rc = named ? note_all_named(r, named, frames) : vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    if (rc == 0)
        rc = give_back(r, named, frames);
    free(named);
    return rc;
}
