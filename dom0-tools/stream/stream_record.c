/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_record.c - records taken apart
 *
 *   I1  nothing is allocated for a length that has not been compared with its limit.
 *   I2  a record handed out is long enough for its fixed part.
 *   I3  a stream whose first record is a checksum has them throughout: one directly before its END, so
 *       that no single damaged record turns the comparison off.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "stream_io.h"

#define HOLE_PAGES 4                    /* a smaller hole is read */

static size_t fixed_part(uint32_t type)
{
    switch (type) {
    case REC_PAGE_DATA: case REC_VANE_ZERO: return sizeof(struct rec_pages);
    case REC_PV_INFO: return sizeof(struct rec_pv_info);
    case REC_P2M_FRAMES: return sizeof(struct rec_p2m_frames);
    case REC_VCPU_BASIC: case REC_VCPU_EXTENDED: case REC_VCPU_XSAVE: case REC_VCPU_MSRS:
        return sizeof(struct rec_vcpu);
    case REC_SHARED_INFO: return 4096;
    case REC_TSC_INFO: return sizeof(struct rec_tsc);
    case REC_VANE_PACKED: return sizeof(struct rec_packed);
    case REC_VANE_CHECKSUM: return sizeof(struct rec_checksum);
    case REC_VANE_MEMORY: return sizeof(struct rec_memory);
    default: return 0;
    }
}

static bool is_known(uint32_t type)
{
    return type < REC_KNOWN || type == REC_VANE_PACKED || type == REC_VANE_ZERO || type == REC_VANE_CHECKSUM ||
           type == REC_VANE_MEMORY;
}

/* Room for @n bytes in buf. */
static int make_room(struct stream_in *in, size_t n)
{
    uint8_t *p;

    if (n <= in->buf_size)
        return 0;
    p = realloc(in->buf, n);
    if (!p)
        return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
    in->buf = p;
    in->buf_size = n;
    return 0;
}

/* What the reader of the last record did not want. */
static int pass_over(struct stream_in *in)
{
    uint8_t scratch[4096];
    int rc = 0;

    while (in->left && rc == 0) {
        size_t n = in->left < sizeof(scratch) ? (size_t)in->left : sizeof(scratch);

        rc = in_bytes(in, scratch, n);
        in->left -= n;
    }
    in->unpacked = NULL;
    return rc;
}

/* The body of @h into buf; of PAGE_DATA only what comes before the pages. */
static int read_body(struct stream_in *in, const struct record_header *h)
{
    uint64_t padded = ((uint64_t)h->length + 7) & ~7ull, want = padded;
    struct rec_pages pages;
    int rc = 0;

    if (h->type == REC_PAGE_DATA) {
        rc = in_bytes(in, &pages, sizeof(pages));
        if (rc == 0 && (uint64_t)pages.count * 8 > h->length - sizeof(pages))
            rc = in_bad(in, "a batch of pages that is not there");
        want = sizeof(pages) + (uint64_t)pages.count * 8;
    }
    if (rc == 0)
        rc = make_room(in, want);
    if (rc == 0 && h->type == REC_PAGE_DATA) {
        memcpy(in->buf, &pages, sizeof(pages));
        rc = in_bytes(in, in->buf + sizeof(pages), want - sizeof(pages));
    } else if (rc == 0) {
        rc = in_bytes(in, in->buf, want);
    }
    in->left = rc == 0 ? padded - want : 0;
    return rc;
}

/* A packed batch becomes the PAGE_DATA record that it was. */
static int unpack(struct stream_in *in, const struct record_header *h, struct record *r)
{
    struct rec_packed p;
    struct rec_pages pages;
    int rc;

    memcpy(&p, in->buf, sizeof(p));
    if (p.raw_length > BATCH_BYTES || p.raw_length < sizeof(pages))                 /* I1 */
        return in_bad(in, "the size of a packed batch");
    if (!in->raw)
        in->raw = malloc(BATCH_BYTES);
    if (!in->unpacker)
        in->unpacker = unpacker_new();
    if (!in->raw || !in->unpacker)
        return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
    rc = unpacker_unpack(in->unpacker, p.codec, in->raw, p.raw_length, in->buf + sizeof(p),
                         h->length - sizeof(p));
    if (rc == -ENOMEM)
        return vane_fail(in->v, rc, NULL, "out of memory");
    if (rc < 0)
        return in_bad(in, "a packed batch that does not unpack");
    memcpy(&pages, in->raw, sizeof(pages));
    if ((uint64_t)pages.count * 8 > p.raw_length - sizeof(pages))
        return in_bad(in, "a batch of pages that is not there");
    *r = (struct record){ REC_PAGE_DATA, p.raw_length, in->raw };
    in->unpacked = in->raw + sizeof(pages) + (size_t)pages.count * 8;
    in->left = 0;
    return 0;
}

/* @sum and @bytes: of everything before this record. */
static int compare(struct stream_in *in, uint64_t sum, uint64_t bytes)
{
    struct rec_checksum c;

    memcpy(&c, in->buf, sizeof(c));
    if (!in->settled)
        in->summed = true;                                                          /* I3 */
    else if (!in->summed)
        return in_bad(in, "a checksum where none was announced");
    in->settled = in->fresh_sum = true;
    if (c.kind != CHECKSUM_XXH64 || c.reserved != 0)
        return in_bad(in, "a checksum of unknown kind");
    if (c.bytes != bytes || c.value != sum)
        return in_bad(in, "its bytes are not those that were written (checksum)");
    return 0;
}

int in_record(struct stream_in *in, struct record *r)
{
    int rc = pass_over(in);

    while (rc == 0) {
        uint64_t sum = in->sum ? XXH64_digest(in->sum) : 0, bytes = in->bytes;
        struct record_header h;

        rc = in_bytes(in, &h, sizeof(h));
        if (rc < 0)
            break;
        if (h.length > RECORD_MAX)                                                  /* I1 */
            return in_bad(in, "a record that is too long");
        if (h.length < fixed_part(h.type))                                          /* I2 */
            return in_bad(in, "a record that is too short");
        if (!is_known(h.type) && !(h.type & RECORD_OPTIONAL))
            return in_bad(in, "a record of unknown type");
        rc = read_body(in, &h);
        if (rc == 0 && h.type == REC_VANE_CHECKSUM) {
            rc = compare(in, sum, bytes);
            continue;
        }
        if (!in->settled && !in->summed)
            in_drop_sum(in);
        in->settled = true;
        if (rc == 0 && h.type == REC_END && in->summed && !in->fresh_sum)           /* I3 */
            return in_bad(in, "it ends without its checksum");
        in->fresh_sum = false;
        if (rc == 0 && h.type == REC_VANE_PACKED)
            return unpack(in, &h, r);
        if (rc == 0 && is_known(h.type)) {
            *r = (struct record){ h.type, h.length, h.length ? in->buf : NULL };
            return 0;
        }
    }
    return rc;
}

int record_pages(struct stream_in *in, const struct record *r, uint64_t max_pfn, struct page_batch *out)
{
    bool zero = r->type == REC_VANE_ZERO;
    struct rec_pages h;
    size_t words;

    memcpy(&h, r->body, sizeof(h));
    words = (size_t)h.count * 8;
    if (h.count == 0 || h.count > RECORD_MAX / 4096 || words > r->length - sizeof(h))
        return in_bad(in, "a batch of pages that is not there");
    out->count = h.count;
    out->word = (const uint64_t *)(const void *)(r->body + sizeof(h));
    out->with_data = 0;
    for (uint32_t i = 0; i < h.count; i++) {
        uint64_t pfn = out->word[i] & PFN_MASK;
        unsigned kind = (unsigned)(out->word[i] >> PFN_TYPE_SHIFT);

        if (pfn > max_pfn || (out->word[i] & ~PFN_MASK) != (uint64_t)kind << PFN_TYPE_SHIFT ||
            (kind > KIND_L4 && kind <= KIND_PINNED) || kind == 5 ||
            (zero && kind != KIND_DATA))
            return in_bad(in, "a page that cannot be");
        if (kind_has_data(kind) && !zero)
            out->with_data++;
    }
    if (r->length != sizeof(h) + words + (size_t)out->with_data * 4096)
        return in_bad(in, "a batch of pages of a wrong length");
    return 0;
}

int in_pages(struct stream_in *in, void *p, unsigned n)
{
    if (in->unpacked) {                     /* record_pages() has compared the length */
        memcpy(p, in->unpacked, (size_t)n * 4096);
        in->unpacked += (size_t)n * 4096;
        return 0;
    }
    in->left -= (uint64_t)n * 4096;
    return in_bytes(in, p, (size_t)n * 4096);
}

unsigned in_run(struct stream_in *in, unsigned n, bool *zero)
{
    off_t at, next;

    *zero = false;
    if (!in->sparse || in->sum || in->unpacked || (at = lseek(in->fd, 0, SEEK_CUR)) < 0)
        return n;
    next = lseek(in->fd, at, SEEK_DATA);
    if (next < at + HOLE_PAGES * 4096) {                /* data, or a hole not worth the calls; -1: none known */
        next = lseek(in->fd, next > at ? next : at, SEEK_HOLE);
        *zero = false;
    } else {
        *zero = true;
    }
    if (lseek(in->fd, at, SEEK_SET) != at || next < at)
        in->sparse = *zero = false;                     /* it cannot tell: read it */
    else if ((next - at) / 4096 < n)
        return next - at < 4096 ? 1 : (unsigned)((next - at) / 4096);
    return n;
}

int in_skip_pages(struct stream_in *in, unsigned n)
{
    off_t bytes = (off_t)n * 4096;

    if (lseek(in->fd, bytes, SEEK_CUR) < 0)
        return vane_fail(in->v, -errno, NULL, "cannot read the domain's image: %s", strerror(errno));
    in->left -= (uint64_t)bytes;
    in->bytes += (uint64_t)bytes;
    return 0;
}
