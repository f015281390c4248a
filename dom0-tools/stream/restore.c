/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * restore.c - make a domain from a stream: its memory
 *
 *   I1  nothing of the stream indexes anything before record_pages() or a comparison here bounded it.
 *   I2  a page table is written only after every frame it names is populated, as machine frames.
 *   I3  on failure the caller destroys the domain: nothing here needs undoing but memory of our own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "restore.h"
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

/* The next @n pages of the stream into the frames of @pfn; runs of plain pages without a copy of our own. */
static int write_pages(struct restorer *r, const uint64_t *pfn, const unsigned *kind, unsigned n)
{
    xen_pfn_t frame[BATCH_PAGES] = {0};
    uint64_t table[512];
    uint8_t *w;
    int rc = 0;

    for (unsigned i = 0; i < n; i++)
        frame[i] = r->mfn[pfn[i]];
    w = xenforeignmemory_map(r->v->fmem, r->domid, PROT_READ | PROT_WRITE, n, frame, NULL);
    if (!w)
        return vane_fail(r->v, -errno, "is Dom0 short of memory?", "cannot map the guest's pages: %s",
                         strerror(errno));
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
    xenforeignmemory_unmap(r->v->fmem, w, n);
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

static int take_pages(struct restorer *r, const struct record *rec)
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

/* Frames that were another guest's hold what that left in them, and an earlier round may have been here. */
static int clear_pages(struct restorer *r, const xen_pfn_t *frame, unsigned n)
{
    uint8_t *w = xenforeignmemory_map(r->v->fmem, r->domid, PROT_READ | PROT_WRITE, n, frame, NULL);

    if (!w)
        return vane_fail(r->v, -errno, "is Dom0 short of memory?", "cannot map the guest's pages: %s",
                         strerror(errno));
    for (unsigned i = 0; i < n; i++) {
        if (!page_is_zero(w + (size_t)i * 4096))
            memset(w + (size_t)i * 4096, 0, 4096);
    }
    xenforeignmemory_unmap(r->v->fmem, w, n);
    return 0;
}

static int take_zeros(struct restorer *r, const struct record *rec)
{
    struct page_batch b;
    xen_pfn_t frame[BATCH_PAGES];
    unsigned n = 0;
    int rc = record_pages(r->in, rec, r->max_pfn, &b);

    if (rc == 0)
        rc = populate_batch(r, &b);
    for (uint32_t i = 0; rc == 0 && i < b.count; i++) {
        uint64_t pfn = b.word[i] & PFN_MASK;

        r->kind[pfn] = KIND_DATA;
        frame[n++] = r->mfn[pfn];
        if (n == BATCH_PAGES || i + 1 == b.count) {
            rc = clear_pages(r, frame, n);
            n = 0;
        }
    }
    return rc;
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
    r->p2m_pfn = calloc(r->p2m_frames, 8);
    if (!r->mfn || !r->kind || !r->p2m_pfn)
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
        return rec->type == REC_PAGE_DATA ? take_pages(r, rec) : take_zeros(r, rec);
    case REC_TSC_INFO:
        memcpy(&r->tsc, rec->body, sizeof(r->tsc));
        r->have_tsc = true;
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
    int rc;

    r->domid = f->domid;
    if (!vane_fmem(v))
        return vane_last_error(v)->code;
    rc = read_image(r);
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
