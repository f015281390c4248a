/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_in.c - bytes in, and records taken apart
 *
 *   I1  nothing is allocated for a length that has not been compared with its limit.
 *   I2  a record handed out is long enough for its fixed part.
 *   I3  a stream whose first record is a checksum has them throughout: one directly before its END, so
 *       that no single damaged record turns the comparison off.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "stream_io.h"

#define CONFIG_MAX (1u << 20)
#define TICK_MS 50

/* ---- bytes ---- */

int stream_read_fd(void *opaque, void *p, size_t n)
{
    const int *fd = opaque;
    char *q = p;

    while (n) {
        ssize_t r = read(*fd, q, n);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -EPIPE;
        q += r;
        n -= (size_t)r;
    }
    return 0;
}

/* Until there is something to read, the limit has passed or somebody cancels. */
static int wait_readable(const struct stream_in *in)
{
    int64_t begin = vane_now_ms();
    struct pollfd p = { .fd = in->fd, .events = POLLIN };

    for (;;) {
        if (in->cancel && atomic_load(in->cancel))
            return -ECANCELED;
        if (poll(&p, 1, in->stall_ms || in->cancel ? TICK_MS : -1) > 0)
            return 0;
        if (in->stall_ms && vane_now_ms() - begin > (int64_t)in->stall_ms)
            return -ETIMEDOUT;
    }
}

/* stream_in_fd()'s way of reading. */
static int read_limited(void *opaque, void *p, size_t n)
{
    struct stream_in *in = opaque;
    char *q = p;

    while (n) {
        ssize_t r;
        int rc = in->stall_ms || in->cancel ? wait_readable(in) : 0;

        if (rc < 0)
            return rc;
        r = read(in->fd, q, n);
        if (r < 0 && errno == EAGAIN && (rc = wait_readable(in)) < 0)
            return rc;
        if (r < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (r <= 0)
            return r < 0 ? -errno : -EPIPE;
        q += r;
        n -= (size_t)r;
    }
    return 0;
}

void stream_in_fd(struct stream_in *in, struct vane *v, int fd)
{
    *in = (struct stream_in){ .v = v, .read = read_limited, .opaque = in, .fd = fd };
}

void stream_in_head(struct stream_in *in, const void *p, size_t n)
{
    in->head_len = n < sizeof(in->head) ? n : sizeof(in->head);
    in->head_at = 0;
    memcpy(in->head, p, in->head_len);
}

static void drop_sum(struct stream_in *in)
{
    XXH64_freeState(in->sum);
    in->sum = NULL;
}

void stream_in_close(struct stream_in *in)
{
    drop_sum(in);
    free(in->buf);
    free(in->raw);
    unpacker_free(in->unpacker);
    in->buf = in->raw = NULL;
    in->unpacker = NULL;
    in->buf_size = 0;
}

int in_bytes(struct stream_in *in, void *p, size_t n)
{
    size_t early = in->head_len - in->head_at < n ? in->head_len - in->head_at : n;
    int rc;

    if (n == 0)
        return 0;
    if (!in->settled && !in->sum) {         /* whether it has checksums is known at the first record */
        in->sum = XXH64_createState();
        if (!in->sum)
            return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
        XXH64_reset(in->sum, 0);
    }
    memcpy(p, in->head + in->head_at, early);
    in->head_at += early;
    rc = n > early ? in->read(in->opaque, (char *)p + early, n - early) : 0;
    if (rc == -EPIPE)
        return vane_fail(in->v, rc, "the file is incomplete, or the sender died",
                         "the domain's image ends after %llu bytes, in the middle",
                         (unsigned long long)in->bytes);
    if (rc < 0)
        return vane_fail(in->v, rc, NULL, "cannot read the domain's image: %s", strerror(-rc));
    in->bytes += n;
    if (in->sum)
        XXH64_update(in->sum, p, n);
    return 0;
}

static int bad(struct stream_in *in, const char *what)
{
    return vane_fail(in->v, -EINVAL, "the file is damaged, or made by another program",
                     "the domain's image is not valid near byte %llu: %s",
                     (unsigned long long)in->bytes, what);
}

int in_xl_header(struct stream_in *in, char **json)
{
    struct xl_header h;
    uint32_t len;
    int rc = in_bytes(in, &h, sizeof(h));
    char *optional;

    *json = NULL;
    if (rc < 0)
        return rc;
    if (memcmp(h.magic, XL_MAGIC, sizeof(h.magic)) != 0 || h.byte_order != XL_BYTE_ORDER)
        return bad(in, "no save file");
    if (h.mandatory != (XL_FLAG_JSON | XL_FLAG_STREAM_V2) || h.optional_len < 4 ||
        h.optional_len > CONFIG_MAX)
        return bad(in, "a form that is not supported");
    optional = calloc(1, (size_t)h.optional_len + 1);
    if (!optional)
        return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
    rc = in_bytes(in, optional, h.optional_len);
    memcpy(&len, optional, sizeof(len));
    if (rc == 0 && (len > h.optional_len - 4 || h.optional_len - 4 - len > sizeof(in->offer)))
        rc = bad(in, "the configuration's length");
    if (rc == 0) {
        in->offer_len = h.optional_len - 4 - len;
        memcpy(in->offer, optional + 4 + len, in->offer_len);
        memmove(optional, optional + 4, len);
        optional[len] = '\0';
        *json = optional;
        return 0;
    }
    free(optional);
    return rc;
}

int in_stream_headers(struct stream_in *in)
{
    struct libxl_header lx;
    struct record_header context;
    struct libxc_header xc;
    struct libxc_domain d;
    int rc = in_bytes(in, &lx, sizeof(lx));

    if (rc == 0)
        rc = in_bytes(in, &context, sizeof(context));
    if (rc < 0)
        return rc;
    if (memcmp(lx.ident, LIBXL_IDENT, 8) != 0 || be32toh(lx.version) != LIBXL_VERSION || lx.options != 0 ||
        context.type != LIBXL_CONTEXT || context.length != 0)
        return bad(in, "the toolstack's header");
    rc = in_bytes(in, &xc, sizeof(xc));
    if (rc == 0)
        rc = in_bytes(in, &d, sizeof(d));
    if (rc < 0)
        return rc;
    if (xc.marker != ~0ull || be32toh(xc.id) != LIBXC_ID || be32toh(xc.version) != LIBXC_VERSION ||
        xc.options != 0)
        return bad(in, "the image's header");
    if (d.type != 1 || d.page_shift != 12)
        return bad(in, "no PV guest");
    return 0;
}

int in_libxl_end(struct stream_in *in)
{
    struct record_header h;
    int rc = in_bytes(in, &h, sizeof(h));

    return rc < 0 ? rc : h.type == LIBXL_END && h.length == 0 ? 0 : bad(in, "no end");
}

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
    default: return 0;
    }
}

static bool is_known(uint32_t type)
{
    return type < REC_KNOWN || type == REC_VANE_PACKED || type == REC_VANE_ZERO || type == REC_VANE_CHECKSUM;
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
            rc = bad(in, "a batch of pages that is not there");
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
        return bad(in, "the size of a packed batch");
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
        return bad(in, "a packed batch that does not unpack");
    memcpy(&pages, in->raw, sizeof(pages));
    if ((uint64_t)pages.count * 8 > p.raw_length - sizeof(pages))
        return bad(in, "a batch of pages that is not there");
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
        return bad(in, "a checksum where none was announced");
    in->settled = in->fresh_sum = true;
    if (c.kind != CHECKSUM_XXH64 || c.reserved != 0)
        return bad(in, "a checksum of unknown kind");
    if (c.bytes != bytes || c.value != sum)
        return bad(in, "its bytes are not those that were written (checksum)");
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
            return bad(in, "a record that is too long");
        if (h.length < fixed_part(h.type))                                          /* I2 */
            return bad(in, "a record that is too short");
        if (!is_known(h.type) && !(h.type & RECORD_OPTIONAL))
            return bad(in, "a record of unknown type");
        rc = read_body(in, &h);
        if (rc == 0 && h.type == REC_VANE_CHECKSUM) {
            rc = compare(in, sum, bytes);
            continue;
        }
        if (!in->settled && !in->summed)
            drop_sum(in);
        in->settled = true;
        if (rc == 0 && h.type == REC_END && in->summed && !in->fresh_sum)           /* I3 */
            return bad(in, "it ends without its checksum");
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
        return bad(in, "a batch of pages that is not there");
    out->count = h.count;
    out->word = (const uint64_t *)(const void *)(r->body + sizeof(h));
    out->with_data = 0;
    for (uint32_t i = 0; i < h.count; i++) {
        uint64_t pfn = out->word[i] & PFN_MASK;
        unsigned kind = (unsigned)(out->word[i] >> PFN_TYPE_SHIFT);

        if (pfn > max_pfn || (out->word[i] & ~PFN_MASK) != (uint64_t)kind << PFN_TYPE_SHIFT ||
            (kind > KIND_L4 && kind <= KIND_PINNED) || kind == 5 || (kind > 12 && kind < KIND_BROKEN) ||
            (zero && kind != KIND_DATA))
            return bad(in, "a page that cannot be");
        if (kind_has_data(kind) && !zero)
            out->with_data++;
    }
    if (r->length != sizeof(h) + words + (size_t)out->with_data * 4096)
        return bad(in, "a batch of pages of a wrong length");
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
