/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_out.c - bytes out: limited, cancelled, summed up
 *
 *   I1  what is summed is what is written: the caller hands over memory that nobody changes meanwhile
 *       when the stream has checksums.
 *   I2  no wait is longer than TICK_MS without a look at the cancel flag and the stall limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "stream_io.h"

#define TICK_MS 50
#define GATHER_BYTES 65536u

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int cancelled(struct stream_out *o)
{
    if (!o->cancel || !atomic_load(o->cancel))
        return 0;
    return vane_fail(o->v, -ECANCELED, NULL, "cancelled");
}

static int fail(struct stream_out *o)
{
    int err = errno ? errno : EIO;

    return vane_fail(o->v, -err, err == ENOSPC ? "make room and try again" : NULL,
                     "cannot write the domain's image: %s", strerror(err));
}

/* Wait until the bucket lets something go. */
static int wait_turn(struct stream_out *o)
{
    int64_t ns;
    int rc = cancelled(o);

    while (rc == 0 && (ns = bucket_wait_ns(&o->limit, now_ns())) > 0) {             /* I2 */
        struct timespec ts = { 0, ns < TICK_MS * 1000000l ? ns : TICK_MS * 1000000l };

        nanosleep(&ts, NULL);
        rc = cancelled(o);
    }
    return rc;
}

static int wait_writable(struct stream_out *o)
{
    int64_t begin = vane_now_ms();
    struct pollfd p = { .fd = o->fd, .events = POLLOUT };
    int rc;

    while ((rc = cancelled(o)) == 0 && poll(&p, 1, TICK_MS) == 0) {                 /* I2 */
        if (o->stall_ms && vane_now_ms() - begin > (int64_t)o->stall_ms)
            return vane_fail(o->v, -ETIMEDOUT, "is the link up, and the other side alive?",
                             "not a byte of the domain's image could be sent for %llu ms",
                             (unsigned long long)o->stall_ms);
    }
    return rc;
}

/* Drop @w bytes from the front of *@iov. */
static void advance(struct iovec **iov, unsigned *n, size_t w)
{
    while (*n && w >= (*iov)->iov_len) {
        w -= (*iov)->iov_len;
        (*iov)++;
        (*n)--;
    }
    if (w) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + w;
        (*iov)->iov_len -= w;
    }
}

/* Write all of @iov, which is used up. */
static int write_all(struct stream_out *o, struct iovec *iov, unsigned n)
{
    advance(&iov, &n, 0);
    while (n) {
        int rc = wait_turn(o);
        size_t most = (size_t)bucket_burst(&o->limit);
        ssize_t w;

        if (rc < 0)
            return rc;
        errno = 0;
        if (o->limit.rate)
            w = write(o->fd, iov->iov_base, iov->iov_len < most ? iov->iov_len : most);
        else
            w = writev(o->fd, iov, (int)n);
        if (w < 0 && errno == EAGAIN)
            rc = wait_writable(o);
        else if (w <= 0 && errno != EINTR)
            rc = fail(o);
        if (rc < 0)
            return rc;
        if (w > 0) {
            bucket_take(&o->limit, (uint64_t)w);
            advance(&iov, &n, (size_t)w);
        }
    }
    return 0;
}

static int write_gathered(struct stream_out *o)
{
    struct iovec iov = { o->gathered, o->n_gathered };

    o->n_gathered = 0;
    return write_all(o, &iov, 1);
}

/* All of @iov, which is used up. */
static int put(struct stream_out *o, struct iovec *iov, unsigned n)
{
    size_t bytes = 0;
    int rc = 0;

    for (unsigned i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
        if (o->sum)
            XXH64_update(o->sum, iov[i].iov_base, iov[i].iov_len);
    }
    o->bytes += bytes;
    if (o->gathered && bytes > GATHER_BYTES - o->n_gathered)
        rc = write_gathered(o);
    if (rc < 0 || !o->gathered || bytes > GATHER_BYTES)
        return rc < 0 ? rc : write_all(o, iov, n);
    for (unsigned i = 0; i < n; i++) {
        if (iov[i].iov_len)
            memcpy(o->gathered + o->n_gathered, iov[i].iov_base, iov[i].iov_len);
        o->n_gathered += iov[i].iov_len;
    }
    return 0;
}

void out_gather(struct stream_out *o)
{
    o->gathered = malloc(GATHER_BYTES);
}

int out_flush(struct stream_out *o)
{
    int rc = write_gathered(o);

    free(o->gathered);
    o->gathered = NULL;
    return rc;
}

int out_bytes(struct stream_out *o, const void *p, size_t n)
{
    struct iovec iov = { (void *)(uintptr_t)p, n };

    return n ? put(o, &iov, 1) : 0;
}

int out_record(struct stream_out *o, uint32_t type, const struct iovec *part, unsigned n)
{
    static char zeros[8];
    struct record_header h = { type, 0 };
    struct iovec iov[STREAM_PARTS + 2] = { { &h, sizeof(h) } };

    if (n > STREAM_PARTS)
        return vane_fail(o->v, -EINVAL, NULL, "a record of %u parts", n);
    for (unsigned i = 0; i < n; i++) {
        h.length += (uint32_t)part[i].iov_len;
        iov[i + 1] = part[i];
    }
    iov[n + 1] = (struct iovec){ zeros, -(size_t)h.length & 7 };
    return put(o, iov, n + 2);
}

/* Pages of zeros as a hole of the file. */
static int put_hole(struct stream_out *o, const uint8_t *const *zeros, unsigned n)
{
    int rc = cancelled(o);

    if (rc < 0)
        return rc;
    if (lseek(o->fd, (off_t)n * 4096, SEEK_CUR) < 0)
        return fail(o);
    for (unsigned i = 0; o->sum && i < n; i++)
        XXH64_update(o->sum, zeros[i], 4096);
    o->bytes += n * 4096ull;
    return 0;
}

bool page_is_zero(const void *page)
{
    const uint64_t *p = page;

    for (unsigned i = 0; i < 512; i += 8) {
        if (p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] | p[i + 7])
            return false;
    }
    return true;
}

int out_pages(struct stream_out *o, const struct iovec *head, const uint8_t *const *page, unsigned n)
{
    struct record_header h = { REC_PAGE_DATA, (uint32_t)(head[0].iov_len + head[1].iov_len + n * 4096u) };
    struct iovec iov[STREAM_PARTS] = { { &h, sizeof(h) }, head[0], head[1] };
    unsigned parts = 3, i = 0;
    int rc = 0;

    while (i < n && rc == 0) {
        unsigned zeros = 0;

        while (o->sparse && i + zeros < n && page_is_zero(page[i + zeros]))
            zeros++;
        if (zeros > 1) {                        /* one alone lies across two blocks of the file */
            rc = put(o, iov, parts);
            parts = 0;
            if (rc == 0)
                rc = put_hole(o, page + i, zeros);
            i += zeros;
            continue;
        }
        if (parts && i && page[i] == page[i - 1] + 4096)
            iov[parts - 1].iov_len += 4096;
        else
            iov[parts++] = (struct iovec){ (void *)(uintptr_t)page[i], 4096 };
        i++;
        if (parts == STREAM_PARTS) {
            rc = put(o, iov, parts);
            parts = 0;
        }
    }
    return rc == 0 && parts ? put(o, iov, parts) : rc;
}

int out_checksum(struct stream_out *o)
{
    struct rec_checksum c = { CHECKSUM_XXH64, 0, o->bytes, 0 };
    struct iovec part = { &c, sizeof(c) };

    if (!o->sum)
        return 0;
    c.value = XXH64_digest(o->sum);
    return out_record(o, REC_VANE_CHECKSUM, &part, 1);
}

int out_open(struct stream_out *o, bool sum)
{
    struct stat st;
    int flags = fcntl(o->fd, F_GETFL);

    if (sum && !(o->sum = XXH64_createState()))
        return vane_fail(o->v, -ENOMEM, NULL, "out of memory");
    if (sum)
        XXH64_reset(o->sum, 0);
    if (flags < 0 || fstat(o->fd, &st) < 0)
        return 0;
    o->sparse = S_ISREG(st.st_mode) && !(flags & O_APPEND) && lseek(o->fd, 0, SEEK_CUR) >= st.st_size;
    o->made_nonblocking = (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) && !(flags & O_NONBLOCK) &&
                          fcntl(o->fd, F_SETFL, flags | O_NONBLOCK) == 0;
    return 0;
}

void out_drop_sum(struct stream_out *o)
{
    XXH64_freeState(o->sum);
    o->sum = NULL;
}

void out_close(struct stream_out *o)
{
    if (o->made_nonblocking)
        fcntl(o->fd, F_SETFL, fcntl(o->fd, F_GETFL) & ~O_NONBLOCK);
    o->made_nonblocking = false;
    free(o->gathered);
    o->gathered = NULL;
    out_drop_sum(o);
}
