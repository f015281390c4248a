/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_io.c - bytes in, bytes out, and records taken apart
 *
 *   I1  nothing is allocated for a length that has not been compared with its limit.
 *   I2  a record handed out is long enough for its fixed part.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream_io.h"

#define CONFIG_MAX (1u << 20)

int out_bytes(struct stream_out *o, const void *p, size_t n)
{
    const char *q = p;

    while (n) {
        ssize_t w = write(o->fd, q, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return vane_fail(o->v, errno ? -errno : -EIO, errno == ENOSPC ? "make room and try again" : NULL,
                             "cannot write the domain's image: %s", strerror(errno));
        q += w;
        n -= (size_t)w;
        o->bytes += (size_t)w;
    }
    return 0;
}

int out_record(struct stream_out *o, uint32_t type, const struct iovec *part, unsigned n)
{
    static const char zeros[8];
    struct record_header h = { type, 0 };
    int rc;

    for (unsigned i = 0; i < n; i++)
        h.length += (uint32_t)part[i].iov_len;
    rc = out_bytes(o, &h, sizeof(h));
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = out_bytes(o, part[i].iov_base, part[i].iov_len);
    return rc == 0 ? out_bytes(o, zeros, -(size_t)h.length & 7) : rc;
}

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

int in_bytes(struct stream_in *in, void *p, size_t n)
{
    int rc = in->read(in->opaque, p, n);

    if (rc == -EPIPE)
        return vane_fail(in->v, rc, "the file is incomplete, or the sender died",
                         "the domain's image ends after %llu bytes, in the middle",
                         (unsigned long long)in->bytes);
    if (rc < 0)
        return vane_fail(in->v, rc, NULL, "cannot read the domain's image: %s", strerror(-rc));
    in->bytes += n;
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
    if (rc == 0 && len > h.optional_len - 4)
        rc = bad(in, "the configuration's length");
    if (rc == 0) {
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
    case REC_PAGE_DATA: return sizeof(struct rec_pages);
    case REC_PV_INFO: return sizeof(struct rec_pv_info);
    case REC_P2M_FRAMES: return sizeof(struct rec_p2m_frames);
    case REC_VCPU_BASIC: case REC_VCPU_EXTENDED: case REC_VCPU_XSAVE: case REC_VCPU_MSRS:
        return sizeof(struct rec_vcpu);
    case REC_SHARED_INFO: return 4096;
    case REC_TSC_INFO: return sizeof(struct rec_tsc);
    default: return 0;
    }
}

int in_record(struct stream_in *in, struct record *r)
{
    for (;;) {
        struct record_header h;
        int rc = in_bytes(in, &h, sizeof(h));
        size_t padded;

        r->body = NULL;
        if (rc < 0)
            return rc;
        if (h.length > RECORD_MAX)                                                  /* I1 */
            return bad(in, "a record that is too long");
        padded = ((size_t)h.length + 7) & ~(size_t)7;
        if (padded && !(r->body = malloc(padded)))
            return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
        rc = padded ? in_bytes(in, r->body, padded) : 0;
        if (rc == 0 && h.type < REC_KNOWN && h.length < fixed_part(h.type))
            rc = bad(in, "a record that is too short");                             /* I2 */
        if (rc == 0 && h.type >= REC_KNOWN && !(h.type & RECORD_OPTIONAL))
            rc = bad(in, "a record of unknown type");
        if (rc < 0) {
            free(r->body);
            r->body = NULL;
            return rc;
        }
        if (h.type < REC_KNOWN) {
            r->type = h.type;
            r->length = h.length;
            return 0;
        }
        free(r->body);                      /* optional and unknown: skipped */
    }
}

int record_pages(struct vane *v, const struct record *r, uint64_t max_pfn, struct page_batch *out)
{
    struct rec_pages h;
    size_t words;

    memcpy(&h, r->body, sizeof(h));
    words = (size_t)h.count * 8;
    if (h.count == 0 || h.count > RECORD_MAX / 4096 || words > r->length - sizeof(h))
        return vane_fail(v, -EINVAL, NULL, "the image has a batch of %u pages that is not there", h.count);
    out->count = h.count;
    out->word = (const uint64_t *)(const void *)(r->body + sizeof(h));
    out->pages = r->body + sizeof(h) + words;
    out->with_data = 0;
    for (uint32_t i = 0; i < h.count; i++) {
        uint64_t pfn = out->word[i] & PFN_MASK;
        unsigned kind = (unsigned)(out->word[i] >> PFN_TYPE_SHIFT);

        if (pfn > max_pfn || (out->word[i] & ~PFN_MASK) >> PFN_TYPE_SHIFT << PFN_TYPE_SHIFT !=
                                 (out->word[i] & ~PFN_MASK) ||
            (kind > KIND_L4 && kind <= KIND_PINNED) || kind == 5 || (kind > 12 && kind < KIND_BROKEN))
            return vane_fail(v, -EINVAL, NULL, "the image has a page that cannot be: %016llx",
                             (unsigned long long)out->word[i]);
        if (kind_has_data(kind))
            out->with_data++;
    }
    if (r->length != sizeof(h) + words + (size_t)out->with_data * 4096)
        return vane_fail(v, -EINVAL, NULL, "the image has a batch of %u pages of a wrong length",
                         out->with_data);
    return 0;
}
