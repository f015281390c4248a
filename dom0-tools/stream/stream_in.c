/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_in.c - bytes in, and what comes before and after the records
 *
 *   I1  nothing is allocated for a length that has not been compared with its limit.
 *   I2  no wait is longer than TICK_MS without a look at the cancel flag and the stall limit.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    struct stat st;

    *in = (struct stream_in){ .v = v, .read = read_limited, .opaque = in, .fd = fd };
    in->sparse = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_blocks * 512 < st.st_size;
}

void stream_in_head(struct stream_in *in, const void *p, size_t n)
{
    in->head_len = n < sizeof(in->head) ? n : sizeof(in->head);
    in->head_at = 0;
    memcpy(in->head, p, in->head_len);
}

void in_drop_sum(struct stream_in *in)
{
    XXH64_freeState(in->sum);
    in->sum = NULL;
}

void stream_in_close(struct stream_in *in)
{
    in_drop_sum(in);
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

int in_bad(struct stream_in *in, const char *what)
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
        return in_bad(in, "no save file");
    if (h.mandatory != (XL_FLAG_JSON | XL_FLAG_STREAM_V2) || h.optional_len < 4 ||
        h.optional_len > CONFIG_MAX)
        return in_bad(in, "a form that is not supported");
    optional = calloc(1, (size_t)h.optional_len + 1);
    if (!optional)
        return vane_fail(in->v, -ENOMEM, NULL, "out of memory");
    rc = in_bytes(in, optional, h.optional_len);
    memcpy(&len, optional, sizeof(len));
    if (rc == 0 && (len > h.optional_len - 4 || h.optional_len - 4 - len > sizeof(in->offer)))
        rc = in_bad(in, "the configuration's length");
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
        return in_bad(in, "the toolstack's header");
    rc = in_bytes(in, &xc, sizeof(xc));
    if (rc == 0)
        rc = in_bytes(in, &d, sizeof(d));
    if (rc < 0)
        return rc;
    if (xc.marker != ~0ull || be32toh(xc.id) != LIBXC_ID || be32toh(xc.version) != LIBXC_VERSION ||
        xc.options != 0)
        return in_bad(in, "the image's header");
    if (d.type != 1 || d.page_shift != 12)
        return in_bad(in, "no PV guest");
    return 0;
}

int in_libxl_end(struct stream_in *in)
{
    struct record_header h;
    int rc = in_bytes(in, &h, sizeof(h));

    return rc < 0 ? rc : h.type == LIBXL_END && h.length == 0 ? 0 : in_bad(in, "no end");
}
