/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save.c - write a domain as a stream
 *
 * Live: rounds over the pages that were written meanwhile, until they are few or the rounds are used
 * up; then the guest is suspended and the rest goes. Not live: suspended first, one round.
 *
 *   I1  whatever fails, the guest runs again when the function returns with an error, and the
 *       hypervisor no longer logs its writes.
 *   I2  a page table that names a foreign frame is sent later; after the suspend it is an error.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../lib/handle.h"
#include "../lib/store.h"
#include "save.h"
#include "stream.h"

struct saver {
    struct vane *v;
    const struct vane_dom *d;
    const struct save_options *opt;
    struct stream_out out;
    struct guest_view g;
    uint64_t *todo;                 /* a bit a pfn: to be sent in this round */
    uint64_t *later;                /* to be sent once the guest stands still */
    bool suspended, logging;
    int64_t start_ms;
    /* one batch */
    uint64_t word[BATCH_PAGES], mfn[BATCH_PAGES];
    unsigned kind[BATCH_PAGES], n;
    uint8_t *tables;                /* BATCH_PAGES rewritten page tables */
};

static bool bit(const uint64_t *map, uint64_t i)
{
    return map[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *map, uint64_t i)
{
    map[i / 64] |= 1ull << (i % 64);
}

static size_t map_words(const struct saver *s)
{
    return s->g.max_pfn / 64 + 1;
}

/* ---- pages ---- */

/* Write one PAGE_DATA record for the batch whose pages are mapped at @w, in order of frames[]. */
static int write_batch(struct saver *s, uint8_t *w, const int *err)
{
    struct rec_pages h = {0};
    struct record_header rec = { REC_PAGE_DATA, 0 };
    const uint8_t *src[BATCH_PAGES];
    unsigned data = 0, frame = 0;
    int rc;

    for (unsigned i = 0; i < s->n; i++) {
        unsigned level = kind_level(s->kind[i]);
        uint64_t pfn = s->word[i];
        uint8_t *page;

        if (!kind_has_data(s->kind[i])) {
            s->word[h.count++] = pfn | (uint64_t)s->kind[i] << PFN_TYPE_SHIFT;
            continue;
        }
        page = w + (size_t)frame * 4096;
        if (err[frame++]) {                     /* gone since we looked: the guest ballooned it out */
            if (s->suspended)
                return vane_fail(s->v, -EFAULT, NULL, "page %llx of the guest cannot be read",
                                 (unsigned long long)pfn);
            set_bit(s->later, pfn);
            continue;
        }
        if (level) {
            uint64_t *copy = (uint64_t *)(void *)(s->tables + (size_t)data * 4096);

            memcpy(copy, page, 4096);
            if (!view_table_to_pfns(&s->g, level, copy)) {                          /* I2 */
                if (s->suspended)
                    return vane_fail(s->v, -EINVAL, "does it map other domains' memory?",
                                     "a page table of the guest names a frame that is not its own");
                set_bit(s->later, pfn);
                continue;
            }
            page = (uint8_t *)copy;
        }
        src[data++] = page;
        s->word[h.count++] = pfn | (uint64_t)s->kind[i] << PFN_TYPE_SHIFT;
    }
    if (h.count == 0)
        return 0;
    rec.length = (uint32_t)(sizeof(h) + h.count * 8 + (size_t)data * 4096);
    rc = out_bytes(&s->out, &rec, sizeof(rec));
    if (rc == 0)
        rc = out_bytes(&s->out, &h, sizeof(h));
    if (rc == 0)
        rc = out_bytes(&s->out, s->word, h.count * 8);
    for (unsigned i = 0; i < data && rc == 0;) {        /* runs of adjacent pages in one write */
        unsigned run = 1;

        while (i + run < data && src[i + run] == src[i] + (size_t)run * 4096)
            run++;
        rc = out_bytes(&s->out, src[i], (size_t)run * 4096);
        i += run;
    }
    return rc;
}

static int send_batch(struct saver *s)
{
    xen_pfn_t frame[BATCH_PAGES];
    int err[BATCH_PAGES], rc;
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
        rc = write_batch(s, w, err);
    if (w)
        xenforeignmemory_unmap(s->v->fmem, w, frames);
    s->n = 0;
    return rc;
}

static int send_todo(struct saver *s, uint64_t *sent)
{
    int rc = 0;

    *sent = 0;
    for (uint64_t pfn = 0; pfn <= s->g.max_pfn && rc == 0; pfn++) {
        if (!s->todo[pfn / 64]) {
            pfn |= 63;
            continue;
        }
        if (!bit(s->todo, pfn))
            continue;
        s->word[s->n++] = pfn;
        (*sent)++;
        if (s->n == BATCH_PAGES)
            rc = send_batch(s);
    }
    return rc == 0 ? send_batch(s) : rc;
}

static void report(struct saver *s, unsigned round, uint64_t pages, uint64_t dirty)
{
    struct save_progress p = { round, pages, dirty, s->out.bytes, vane_now_ms() - s->start_ms };

    if (s->opt->progress)
        s->opt->progress(s->opt->opaque, &p);
}

/* ---- log-dirty ---- */

static int log_start(struct saver *s)
{
    if (xc_shadow_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0) < 0)
        return vane_fail(s->v, -errno, "use --non-live, which suspends the guest while it is copied",
                         "this hypervisor cannot log what the guest writes: %s", strerror(errno));
    s->logging = true;
    return 0;
}

static void log_stop(struct saver *s)
{
    if (s->logging)
        xc_shadow_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
    s->logging = false;
}

/* Take the pages written since the last time into todo[]. */
static int log_clean(struct saver *s, uint64_t *dirty)
{
    DECLARE_HYPERCALL_BUFFER(uint64_t, map);
    xc_shadow_op_stats_t stats = {0};
    uint64_t pages = s->g.max_pfn + 1;
    int rc = 0;

    map = xc_hypercall_buffer_alloc_pages(s->v->xc, map, (int)(map_words(s) * 8 / 4096 + 1));
    if (!map)
        return vane_fail(s->v, -ENOMEM, NULL, "out of memory");
    if (xc_logdirty_control(s->v->xc, s->d->domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(map),
                            pages, 0, &stats) != (long long)pages)
        rc = vane_fail(s->v, errno ? -errno : -EIO, NULL, "cannot learn which pages the guest wrote: %s",
                       strerror(errno));
    else
        memcpy(s->todo, map, map_words(s) * 8);
    if (pages % 64)
        s->todo[pages / 64] &= (1ull << (pages % 64)) - 1;
    *dirty = 0;
    for (size_t i = 0; rc == 0 && i < map_words(s); i++)
        *dirty += (uint64_t)__builtin_popcountll(s->todo[i]);
    xc_hypercall_buffer_free_pages(s->v->xc, map, (int)(map_words(s) * 8 / 4096 + 1));
    return rc;
}

/* ---- the stream ---- */

static int write_heads(struct saver *s)
{
    struct libxl_header lx = { LIBXL_IDENT, htobe32(LIBXL_VERSION), 0 };
    struct record_header context = { LIBXL_CONTEXT, 0 };
    struct libxc_header xc = { ~0ull, htobe32(LIBXC_ID), htobe32(LIBXC_VERSION), 0, {0} };
    struct libxc_domain dom = { 1, 12, 0, 4, 17 };
    struct rec_pv_info pv = { 8, 4, {0} };
    struct rec_p2m_frames p2m = { 0, (uint32_t)s->g.max_pfn };
    struct iovec part[2] = { { &pv, sizeof(pv) }, { NULL, 0 } };
    uint64_t *pfns = calloc(s->g.p2m_frames, sizeof(*pfns));
    int rc = pfns ? out_bytes(&s->out, &lx, sizeof(lx)) : vane_fail(s->v, -ENOMEM, NULL, "out of memory");

    if (rc == 0)
        rc = out_bytes(&s->out, &context, sizeof(context));
    if (rc == 0)
        rc = out_bytes(&s->out, &xc, sizeof(xc));
    if (rc == 0)
        rc = out_bytes(&s->out, &dom, sizeof(dom));
    if (rc == 0)
        rc = out_record(&s->out, REC_PV_INFO, part, 1);
    if (rc == 0)
        rc = save_policy(s->v, s->d->domid, &s->out);
    if (rc == 0)
        rc = out_record(&s->out, REC_STATIC_DATA_END, NULL, 0);
    for (uint64_t i = 0; rc == 0 && i < s->g.p2m_frames; i++) {
        pfns[i] = view_pfn(&s->g, s->g.p2m_mfn[i]);
        if (pfns[i] == ~0ull)
            rc = vane_fail(s->v, -EINVAL, NULL, "the guest's memory map lies outside its memory");
    }
    part[0] = (struct iovec){ &p2m, sizeof(p2m) };
    part[1] = (struct iovec){ pfns, s->g.p2m_frames * 8 };
    if (rc == 0)
        rc = out_record(&s->out, REC_P2M_FRAMES, part, 2);
    free(pfns);
    return rc;
}

static int suspend(struct saver *s, int64_t *down_ms)
{
    int rc;

    *down_ms = vane_now_ms();
    rc = guest_suspend(s->v, s->d);
    s->suspended = rc == 0;
    return rc;
}

/* Pre-copy rounds; leaves in todo[] what is left. */
static int live_rounds(struct saver *s)
{
    uint64_t sent, dirty = s->g.max_pfn + 1;
    int rc = log_start(s);

    memset(s->todo, 0xff, map_words(s) * 8);
    if ((s->g.max_pfn + 1) % 64)
        s->todo[(s->g.max_pfn + 1) / 64] &= (1ull << ((s->g.max_pfn + 1) % 64)) - 1;
    for (unsigned round = 0; rc == 0; round++) {
        if (round > 0) {
            rc = log_clean(s, &dirty);
            if (rc < 0)
                break;
            if (dirty <= s->opt->stop_at_pages || round >= s->opt->max_rounds)
                break;                          /* todo[] goes after the suspend */
        }
        rc = send_todo(s, &sent);
        report(s, round, sent, dirty);
    }
    return rc;
}

static int final_round(struct saver *s)
{
    uint64_t dirty, sent, *left = NULL;
    int rc = 0;

    if (s->opt->live) {
        left = calloc(map_words(s), 8);
        if (!left)
            return vane_fail(s->v, -ENOMEM, NULL, "out of memory");
        memcpy(left, s->todo, map_words(s) * 8);
        rc = log_clean(s, &dirty);
        for (size_t i = 0; i < map_words(s); i++)
            s->todo[i] |= left[i] | s->later[i];
        free(left);
        if (rc == 0)
            rc = view_refresh(&s->g);
    } else {
        for (uint64_t i = 0; i <= s->g.max_pfn; i++)
            set_bit(s->todo, i);
    }
    if (rc == 0)
        rc = send_todo(s, &sent);
    if (rc == 0)
        report(s, s->opt->live ? 99 : 0, sent, 0);
    return rc;
}

static int write_image(struct saver *s, int64_t *down_ms)
{
    struct record_header end = { LIBXL_END, 0 };
    int rc = s->opt->live ? 0 : suspend(s, down_ms);

    if (rc == 0)
        rc = view_open(s->v, s->d, &s->g);
    if (rc < 0)
        return rc;
    s->todo = calloc(map_words(s) + 1, 8);
    s->later = calloc(map_words(s) + 1, 8);
    s->tables = malloc((size_t)BATCH_PAGES * 4096);
    if (!s->todo || !s->later || !s->tables)
        return vane_fail(s->v, -ENOMEM, NULL, "out of memory");
    rc = write_heads(s);
    if (rc == 0 && s->opt->live)
        rc = live_rounds(s);
    if (rc == 0 && s->opt->live)
        rc = suspend(s, down_ms);
    if (rc == 0)
        rc = final_round(s);
    if (rc == 0)
        rc = save_tail(s->v, s->d, &s->g, &s->out);
    if (rc == 0)
        rc = out_record(&s->out, REC_END, NULL, 0);
    return rc == 0 ? out_bytes(&s->out, &end, sizeof(end)) : rc;
}

static int write_config(struct saver *s)
{
    struct xl_header h = { .byte_order = XL_BYTE_ORDER, .mandatory = XL_FLAG_JSON | XL_FLAG_STREAM_V2 };
    struct vane_config *cfg = NULL;
    char uuid[VANE_UUID_LEN], *text, *json = NULL;
    size_t len = 0;
    uint32_t json_len;
    int rc;

    vane_uuid_format(uuid, &s->d->uuid);
    text = vane_config_of(vane_record_of(s->d), &len);
    if (text && vane_config_parse(s->v, "record", text, len, &cfg) == 0)
        json = vane_config_json(cfg, uuid);
    free(text);
    vane_config_free(cfg);
    if (!json)
        return vane_fail(s->v, -ENOENT, "vane config-update gives it one",
                         "the configuration of domain %s is not known", s->d->name);
    memcpy(h.magic, XL_MAGIC, sizeof(h.magic));
    json_len = (uint32_t)strlen(json) + 1;
    h.optional_len = 4 + json_len;
    rc = out_bytes(&s->out, &h, sizeof(h));
    if (rc == 0)
        rc = out_bytes(&s->out, &json_len, 4);
    if (rc == 0)
        rc = out_bytes(&s->out, json, json_len);
    free(json);
    return rc;
}

int stream_save(struct vane *v, const struct vane_dom *d, int fd, const struct save_options *o,
                int64_t *down_ms)
{
    struct saver *s = calloc(1, sizeof(*s));
    int rc;

    *down_ms = 0;
    if (!s)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    if (!vane_xc(v) || !vane_xs(v)) {
        free(s);
        return vane_last_error(v)->code;
    }
    *s = (struct saver){ .v = v, .d = d, .opt = o, .out = { v, fd, 0 }, .start_ms = vane_now_ms() };
    rc = write_config(s);
    if (rc == 0)
        rc = write_image(s, down_ms);
    log_stop(s);
    view_close(&s->g);
    if (rc < 0 && s->suspended) {                                                   /* I1 */
        struct vane_error first = *vane_last_error(v);

        if (stream_resume(v, d) < 0)
            vane_log(v, VANE_ERROR, "%s", vane_last_error(v)->what);
        vane_fail(v, first.code, first.hint, "%s", first.what);
    }
    free(s->todo);
    free(s->later);
    free(s->tables);
    free(s);
    return rc;
}
