/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save.c - write a domain as a stream
 *
 * Live: rounds over the pages that were written meanwhile (save_live.c), then the guest is suspended and
 * the rest goes. Not live: suspended first, one round. save_pages.c makes records of pages, save_state.c
 * of everything else.
 *
 *   I1  whatever fails, the guest runs again when the function returns with an error, at full speed and
 *       not logged; save_guard.h does the same for a saver that dies.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/store.h"
#include "save.h"

int save_report(struct saver *s, enum save_phase phase, uint64_t pages, uint64_t dirty)
{
    int64_t now = vane_now_ms();
    struct save_progress p = {
        .phase = phase, .round = s->precopy.round, .pages = pages, .dirty = dirty, .bytes = s->out.bytes,
        .raw_bytes = s->raw_bytes, .dirty_rate = s->precopy.dirty_rate, .link_rate = s->precopy.link_rate,
        .round_ms = (uint64_t)(now - s->round_ms), .elapsed_ms = (uint64_t)(now - s->start_ms),
        .throttle = s->precopy.throttle,
    };

    return s->opt->progress ? s->opt->progress(s->opt->opaque, &p) : 0;
}

/* ---- what comes first ---- */

/* The image must fit into what the reader allows it: memory still on its way to the target; write_memory() tells of that. */
static void make_room(struct saver *s, struct vane_config *cfg)
{
    if (cfg->mem_kb + VANE_SLACK_KB < s->d->mem_kb)
        cfg->mem_kb = s->d->mem_kb;
    if (cfg->max_kb < cfg->mem_kb)
        cfg->max_kb = cfg->mem_kb;
    s->told_kb = cfg->mem_kb;
    s->told_max_kb = cfg->max_kb;
}

/* The domain's configuration as JSON. */
static int config_json(struct saver *s, char **json)
{
    struct vane_config *cfg;
    char uuid[VANE_UUID_LEN];
    int rc = vane_config_now(s->v, s->d, &cfg);

    *json = NULL;
    vane_uuid_format(uuid, &s->d->uuid);
    if (rc == 0 && cfg->nomigrate)
        rc = vane_fail(s->v, -EPERM, NULL, "domain %s has nomigrate set: it is tied to this host", s->d->name);
    if (rc == 0) {
        make_room(s, cfg);
        *json = vane_config_json(cfg, uuid);
        if (!*json)
            rc = vane_fail(s->v, -ENOMEM, NULL, "out of memory");
    }
    vane_config_free(cfg);
    return rc;
}

static int write_config(struct saver *s)
{
    struct xl_header h = { .byte_order = XL_BYTE_ORDER, .mandatory = XL_FLAG_JSON | XL_FLAG_STREAM_V2 };
    uint32_t json_len;
    char *json;
    int rc;

    if (s->opt->offer_len > STREAM_OFFER_MAX)
        return vane_fail(s->v, -EINVAL, NULL, "an offer of %zu bytes", s->opt->offer_len);
    rc = config_json(s, &json);
    if (rc < 0)
        return rc;
    memcpy(h.magic, XL_MAGIC, sizeof(h.magic));
    json_len = (uint32_t)strlen(json) + 1;
    h.optional_len = 4 + json_len + (uint32_t)s->opt->offer_len;
    rc = out_bytes(&s->out, &h, sizeof(h));
    if (rc == 0)
        rc = out_bytes(&s->out, &json_len, 4);
    if (rc == 0)
        rc = out_bytes(&s->out, json, json_len);
    if (rc == 0)
        rc = out_bytes(&s->out, s->opt->offer, s->opt->offer_len);
    free(json);
    return rc;
}

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
        rc = out_checksum(&s->out);             /* the first record says that there are some */
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

/* ---- the whole ---- */

static int suspend(struct saver *s, int64_t *down_ms)
{
    /* A throttled guest would take long to suspend, and its writers are frozen first. */
    int rc = save_guard_throttle(s->guard, 0);

    if (rc == 0)
        rc = save_report(s, SAVE_SUSPEND, 0, 0);
    if (rc == 0)
        rc = save_guard_asked(s->guard);
    *down_ms = vane_now_ms();
    if (rc == 0)
        rc = guest_suspend(s->v, s->d, s->opt->cancel, &s->guard->late);
    s->suspended = rc == 0;
    return rc == 0 ? save_report(s, SAVE_FINAL, 0, 0) : rc;
}

/* What was asked for since the head was written. A reader allows no more than the maximum it was told. */
static int write_memory(struct saver *s)
{
    struct store_io *io = vane_store(s->v);
    struct rec_memory m = { s->told_kb };
    struct iovec part = { &m, sizeof(m) };
    uint64_t max = s->told_max_kb;

    store_get_dom_memory_target(io, s->d->domid, &m.target_kb);
    store_get_dom_memory_static_max(io, s->d->domid, &max);
    if (max > s->told_max_kb)
        return vane_fail(s->v, -EAGAIN, "try again", "the maximum of domain %s's memory was raised meanwhile", s->d->name);
    return m.target_kb == s->told_kb ? 0 : out_record(&s->out, REC_VANE_MEMORY, &part, 1);
}

static int final_round(struct saver *s)
{
    uint64_t sent;
    int rc = 0;

    s->round_ms = vane_now_ms();
    if (s->opt->live)
        rc = save_last_writes(s);
    else
        map_fill(s, s->todo);
    return rc == 0 ? save_todo(s, &sent) : rc;
}

static int allocate(struct saver *s)
{
    s->todo = calloc(map_words(s) + 1, 8);
    s->later = calloc(map_words(s) + 1, 8);
    s->copies = malloc((size_t)BATCH_PAGES * 4096);
    if (!s->todo || !s->later || !s->copies)
        return vane_fail(s->v, -ENOMEM, NULL, "out of memory");
    if (s->opt->codec == STREAM_ZLIB || s->opt->codec == STREAM_ZSTD) {
        s->pack = pack_new(&s->out, s->opt->codec == STREAM_ZLIB ? PACKED_ZLIB : PACKED_ZSTD, s->opt->level, 0);
        if (!s->pack)
            return vane_last_error(s->v)->code;
    }
    return 0;
}

static int write_image(struct saver *s, int64_t *down_ms)
{
    struct record_header end = { LIBXL_END, 0 };
    int rc = s->opt->live ? 0 : suspend(s, down_ms);

    if (rc == 0)
        rc = view_open(s->v, s->d, &s->g);
    if (rc == 0)
        rc = allocate(s);
    if (rc == 0)
        rc = write_heads(s);
    if (rc == 0 && s->opt->live)
        rc = save_rounds(s);
    if (rc == 0 && s->opt->live)
        rc = suspend(s, down_ms);
    if (rc == 0)
        rc = final_round(s);
    out_gather(&s->out);
    if (rc == 0)
        rc = write_memory(s);
    if (rc == 0)
        rc = save_tail(s->v, s->d, &s->g, &s->out);
    if (rc == 0)
        rc = out_checksum(&s->out);
    if (rc == 0)
        rc = out_record(&s->out, REC_END, NULL, 0);
    if (rc == 0)
        rc = out_bytes(&s->out, &end, sizeof(end));
    if (rc == 0)
        rc = out_flush(&s->out);
    return rc == 0 ? save_report(s, SAVE_END, 0, 0) : rc;
}

static int write_stream(struct saver *s, int64_t *down_ms)
{
    int rc = out_open(&s->out, true);

    if (rc == 0)
        rc = write_config(s);
    if (rc == 0)
        rc = save_report(s, SAVE_CONFIG, 0, 0);
    if (!s->opt->checksum)
        out_drop_sum(&s->out);
    return rc == 0 ? write_image(s, down_ms) : rc;
}

/* I1. The first error stays the one that is told. */
static void take_back(struct saver *s)
{
    struct vane_error first = *vane_last_error(s->v);

    if (s->suspended && stream_resume(s->v, s->d) < 0)
        vane_log(s->v, VANE_ERROR, "%s", vane_last_error(s->v)->what);
    vane_fail(s->v, first.code, first.hint, "%s", first.what);
}

static void release(struct saver *s)
{
    pack_free(s->pack);
    out_close(&s->out);
    view_close(&s->g);
    free(s->todo);
    free(s->later);
    free(s->copies);
    free(s);
}

int stream_save(struct vane *v, const struct vane_dom *d, int fd, const struct save_options *o,
                int64_t *down_ms)
{
    struct saver *s;
    int rc = 0;

    *down_ms = 0;
    if (!vane_xc(v) || !vane_xs(v))
        return vane_last_error(v)->code;
    s = calloc(1, sizeof(*s));
    if (!s)
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    *s = (struct saver){ .v = v, .d = d, .opt = o, .start_ms = vane_now_ms(), .guard = o->guard };
    s->out = (struct stream_out){ .v = v, .fd = fd, .limit.rate = o->bandwidth, .stall_ms = o->stall_ms,
                                  .cancel = o->cancel };
    s->round_ms = s->start_ms;
    if (!s->guard) {
        s->guard = &s->own_guard;
        rc = save_guard_begin(v, d, s->guard);
    }
    if (rc == 0) {
        rc = write_stream(s, down_ms);
        save_log_stop(s);
        if (rc < 0)
            take_back(s);
        if (s->guard == &s->own_guard)
            save_guard_end(s->guard);
    }
    release(s);
    return rc;
}
