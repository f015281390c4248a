/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore.c - make a domain from a stream: the records, one after the other
 *
 *   I1  nothing of the stream indexes anything before record_pages() or a comparison here bounded it.
 *   I2  on failure the caller destroys the domain: nothing here needs undoing but memory of our own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "restore.h"

#include <xen/version.h>

#include "stream.h"

#define NO_FRAME (~0ull)

uint64_t restore_mfn(const struct restorer *r, uint64_t pfn)
{
    return pfn <= r->max_pfn ? r->mfn[pfn] : NO_FRAME;
}

static int bad(struct restorer *r, const char *what)
{
    return vane_fail(r->v, -EINVAL, "the file is damaged, or made by another program",
                     "the domain's image is not valid: %s", what);
}

static int take_p2m_frames(struct restorer *r, const struct record *rec)
{
    struct rec_p2m_frames h;

    memcpy(&h, rec->body, sizeof(h));
    if (r->mfn || h.start != 0 || h.end >= MAX_RESTORE_PFN ||
        rec->length != sizeof(h) + ((uint64_t)h.end / 512 + 1) * 8)
        return bad(r, "the size of its memory map");
    r->max_pfn = h.end;
    r->p2m_frames = r->max_pfn / 512 + 1;
    r->mfn = malloc((r->max_pfn + 1) * sizeof(*r->mfn));
    r->kind = calloc(r->max_pfn + 1, 1);
    r->written = calloc(r->max_pfn + 1, 1);
    r->p2m_pfn = calloc(r->p2m_frames, 8);
    if (!r->mfn || !r->kind || !r->written || !r->p2m_pfn)
        return vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    memset(r->mfn, 0xff, (r->max_pfn + 1) * sizeof(*r->mfn));
    memset(r->kind, KIND_NONE, r->max_pfn + 1);
    memcpy(r->p2m_pfn, rec->body + sizeof(h), r->p2m_frames * 8);
    for (uint64_t i = 0; i < r->p2m_frames; i++) {
        if (r->p2m_pfn[i] > r->max_pfn)                                             /* I1 */
            return bad(r, "its memory map lies outside its memory");
    }
    return 0;
}

/* Keep a copy of a record; the later one of two wins. */
static int keep(struct restorer *r, struct record *to, const struct record *rec)
{
    uint8_t *body = malloc((size_t)rec->length + 1);

    if (!body)
        return vane_fail(r->v, -ENOMEM, NULL, "out of memory");
    if (rec->length)
        memcpy(body, rec->body, rec->length);
    free(to->body);
    *to = (struct record){ rec->type, rec->length, body };
    return 0;
}

static int take_vcpu(struct restorer *r, const struct record *rec)
{
    struct rec_vcpu h;
    struct vcpu_state *s;

    memcpy(&h, rec->body, sizeof(h));
    if (h.id >= VANE_MAX_VCPUS)
        return bad(r, "the number of a vcpu");
    s = &r->vcpu[h.id];
    return keep(r, rec->type == REC_VCPU_BASIC ? &s->basic : rec->type == REC_VCPU_EXTENDED ? &s->extended
                : rec->type == REC_VCPU_XSAVE ? &s->xsave : &s->msrs, rec);
}

static int take_record(struct restorer *r, const struct record *rec)
{
    struct rec_pv_info pv;

    switch (rec->type) {
    case REC_PV_INFO:
        memcpy(&pv, rec->body, sizeof(pv));
        r->have_pv = true;
        return pv.width == 8 && pv.levels == 4 ? 0 : bad(r, "not a 64-bit guest");
    case REC_CPUID_POLICY:
        return keep(r, &r->cpuid, rec);
    case REC_MSR_POLICY:
        return keep(r, &r->msr_policy, rec);
    case REC_STATIC_DATA_END:
        r->have_static = true;
        return restore_policy(r);
    case REC_P2M_FRAMES:
        return take_p2m_frames(r, rec);
    case REC_PAGE_DATA: case REC_VANE_ZERO:
        if (!r->mfn)
            return bad(r, "pages before the memory map");
        return rec->type == REC_PAGE_DATA ? restore_take_pages(r, rec) : restore_take_zeros(r, rec);
    case REC_TSC_INFO:
        memcpy(&r->tsc, rec->body, sizeof(r->tsc));
        r->have_tsc = true;
        return 0;
    case REC_VANE_MEMORY:
        memcpy(&r->target_kb, rec->body, sizeof(r->target_kb));
        return 0;
    case REC_SHARED_INFO:
        memcpy(r->shared, rec->body, sizeof(r->shared));
        r->have_shared = true;
        return 0;
    case REC_VCPU_BASIC: case REC_VCPU_EXTENDED: case REC_VCPU_XSAVE: case REC_VCPU_MSRS:
        return take_vcpu(r, rec);
    case REC_VERIFY:
        return 0;
    default:
        return bad(r, "a record that a PV guest does not have");
    }
}

static int read_image(struct restorer *r)
{
    int rc = in_stream_headers(r->in);

    while (rc == 0) {
        struct record rec;

        rc = in_record(r->in, &rec);
        if (rc == 0 && rec.type == REC_END)
            break;
        if (rc == 0)
            rc = take_record(r, &rec);
    }
    if (rc == 0)
        rc = in_libxl_end(r->in);
    if (rc == 0 && (!r->have_pv || !r->mfn || !r->have_shared || !r->vcpu[0].basic.body))
        rc = bad(r, "it ends before it is complete");
    return rc;
}

static int fill(struct vane *v, struct vane_fill *f, void *opaque)
{
    struct restorer *r = opaque;
    xen_extraversion_t version = { 0 };
    int rc;

    r->domid = f->domid;
    if (!vane_fmem(v))
        return vane_last_error(v)->code;
    r->cleared_for_us = xc_version(v->xc, XENVER_extraversion, &version) >= 0 &&
                        strstr(version, "paravane") != NULL;
    rc = read_image(r);
    f->target_kb = r->target_kb;
    return rc < 0 ? rc : restore_finish(r, f);
}

int stream_read_config(struct stream_in *in, struct vane_config **out)
{
    char *json, *text;
    int rc = in_xl_header(in, &json);

    *out = NULL;
    if (rc < 0)
        return rc;
    text = config_text_from_json(json);
    free(json);
    if (!text)
        return vane_fail(in->v, -EINVAL, NULL, "the stream's configuration is not valid");
    rc = vane_config_parse(in->v, "saved configuration", text, strlen(text), out);
    free(text);
    return rc;
}

static void release(struct restorer *r)
{
    for (unsigned i = 0; i < VANE_MAX_VCPUS; i++) {
        free(r->vcpu[i].basic.body);
        free(r->vcpu[i].extended.body);
        free(r->vcpu[i].xsave.body);
        free(r->vcpu[i].msrs.body);
    }
    free(r->cpuid.body);
    free(r->msr_policy.body);
    free(r->mfn);
    free(r->kind);
    free(r->written);
    free(r->p2m_pfn);
    free(r);
}

int stream_restore(struct stream_in *in, struct vane_config *cfg, struct vane_create *arg)
{
    struct restorer *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
    r->v = in->v;
    r->in = in;
    arg->fill = fill;
    arg->opaque = r;
    arg->paused = true;
    rc = vane_create(in->v, cfg, arg);
    release(r);
    return rc;
}
