/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save_pages.c - a guest's pages into records
 *
 *   I1  a page table that names a foreign frame, and a page that vanished since we looked, are sent
 *       later; after the suspend they are errors.
 *   I2  pages change under us: those of a running guest, and the rings of the console and of XenStore even when it
 *       stands still. Each is sent again when it does, but what a checksum was taken of must be what is written:
 *       such pages are copied first.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/handle.h"
#include "../lib/unmap.h"
#include "save.h"

/* One batch sorted out. */
struct sorted {
    uint64_t word[BATCH_PAGES], zero[BATCH_PAGES];
    const uint8_t *page[BATCH_PAGES];
    unsigned words, zeros, pages;
};

static int send_later(struct saver *s, uint64_t pfn, const char *why)
{
    if (s->suspended)
        return vane_fail(s->v, -EINVAL, "does it map other domains' memory?", "page %llx of the guest: %s",
                         (unsigned long long)pfn, why);
    map_set(s->later, pfn);
    return 0;
}

/* A page with data: its words and where its bytes are, or later (I1). */
static int sort_page(struct saver *s, unsigned i, const uint8_t *page, int err, struct sorted *o)
{
    unsigned level = kind_level(s->kind[i]);
    uint64_t pfn = s->word[i];
    uint8_t *copy = s->copies + (size_t)o->pages * 4096;

    if (err)
        return send_later(s, pfn, "it cannot be read");
    if (s->opt->codec != STREAM_PLAIN && s->kind[i] == KIND_DATA && page_is_zero(page)) {
        o->zero[o->zeros++] = pfn;
        return 0;
    }
    if (level || (s->out.sum && !s->pack)) {                       /* I2 */
        memcpy(copy, page, 4096);
        page = copy;
    }
    if (level && !view_table_to_pfns(&s->g, level, (uint64_t *)(void *)copy))
        return send_later(s, pfn, "a page table that names a frame which is not the guest's");
    o->page[o->pages++] = page;
    o->word[o->words++] = pfn | (uint64_t)s->kind[i] << PFN_TYPE_SHIFT;
    return 0;
}

static int sort(struct saver *s, const uint8_t *mapped, const int *err, struct sorted *o)
{
    unsigned frame = 0;
    int rc = 0;

    o->words = o->zeros = o->pages = 0;
    for (unsigned i = 0; i < s->n && rc == 0; i++) {
        if (kind_has_data(s->kind[i])) {
            rc = sort_page(s, i, mapped + (size_t)frame * 4096, err[frame], o);
            frame++;
        } else {
            o->word[o->words++] = s->word[i] | (uint64_t)s->kind[i] << PFN_TYPE_SHIFT;
        }
    }
    return rc;
}

static int write_zeros(struct saver *s, const struct sorted *o)
{
    struct rec_pages h = { o->zeros, 0 };
    struct iovec part[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)o->zero, o->zeros * 8 } };

    return o->zeros ? out_record(&s->out, REC_VANE_ZERO, part, 2) : 0;
}

static int write_pages(struct saver *s, const struct sorted *o)
{
    struct rec_pages h = { o->words, 0 };
    struct iovec head[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)o->word, o->words * 8 } };
    uint8_t *to;
    int rc;

    if (o->words == 0)
        return 0;
    if (!s->pack) {
        rc = out_pages(&s->out, head, o->page, o->pages);
        return rc == 0 ? out_checksum(&s->out) : rc;
    }
    to = pack_room(s->pack);
    if (!to)
        return vane_last_error(s->v)->code;
    memcpy(to, &h, sizeof(h));
    memcpy(to + sizeof(h), o->word, o->words * 8);
    to += sizeof(h) + o->words * 8;
    for (unsigned i = 0; i < o->pages; i++)
        memcpy(to + (size_t)i * 4096, o->page[i], 4096);
    pack_submit(s->pack, sizeof(h) + o->words * 8 + (size_t)o->pages * 4096);
    return 0;
}

static int send_batch(struct saver *s)
{
    xen_pfn_t frame[BATCH_PAGES];
    int err[BATCH_PAGES], rc;
    struct sorted o;
    unsigned frames = 0;
    uint8_t *w = NULL;

    if (s->n == 0)
        return 0;
    for (unsigned i = 0; i < s->n; i++)
        s->mfn[i] = view_mfn(&s->g, s->word[i]);
    rc = view_kinds(&s->g, s->mfn, s->kind, s->n);
    for (unsigned i = 0; i < s->n && rc == 0; i++) {
        if (kind_has_data(s->kind[i]))
            frame[frames++] = s->mfn[i];
    }
    if (rc == 0 && frames) {
        w = xenforeignmemory_map(s->v->fmem, s->d->domid, PROT_READ, frames, frame, err);
        if (!w)
            rc = vane_fail(s->v, -errno, "is Dom0 short of memory?", "cannot map the guest's pages: %s",
                           strerror(errno));
    }
    if (rc == 0)
        rc = sort(s, w, err, &o);
    if (rc == 0)
        rc = write_zeros(s, &o);
    if (rc == 0)
        rc = write_pages(s, &o);
    vane_unmap(s->v, w, frames);
    s->raw_bytes += s->n * 8 + (uint64_t)frames * 4096;
    s->n = 0;
    return rc;
}

void map_fill(const struct saver *s, uint64_t *map)
{
    uint64_t pfns = s->g.max_pfn + 1;

    memset(map, 0xff, map_words(s) * 8);
    if (pfns % 64)
        map[pfns / 64] = (1ull << (pfns % 64)) - 1;
}

int save_todo(struct saver *s, uint64_t *sent)
{
    int rc = 0;

    *sent = 0;
    for (uint64_t i = 0; i < map_words(s) && rc == 0; i++) {
        for (uint64_t bits = s->todo[i]; bits && rc == 0; bits &= bits - 1) {
            s->word[s->n++] = i * 64 + (unsigned)__builtin_ctzll(bits);
            (*sent)++;
            if (s->n == BATCH_PAGES)
                rc = send_batch(s);
        }
    }
    if (rc == 0)
        rc = send_batch(s);
    s->n = 0;
    /* A page sent twice arrives in order: nothing of this round is under way when the next begins. */
    return rc == 0 && s->pack ? pack_flush(s->pack) : rc;
}
