/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe.c - posted requests and their replies
 *
 *   I1  replies come in the order of the requests, and req_id says so: anything else is -EPROTO.
 *   I2  at most WINDOW replies are outstanding, each shorter than 64 bytes (an acknowledgement or an
 *       error's name), so they fit the socket's buffer: neither side can wait for the other.
 *   I4  requests leave in few large pieces: a daemon that is woken by each one would take turns with us.
 *   I3  after an error of the connection itself nothing is sent any more.
 *
 * ABI: xen/io/xs_wire.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenstore.h>
#include <xen/io/xs_wire.h>

#include "pipe.h"

#define WINDOW 128
#define BUFFER 16384

struct posted {
    uint32_t type;
    char path[128];                     /* for the report; cut */
};

struct store_pipe {
    unsigned serial;
    int fd, broken;                     /* broken: 0 or -errno */
    uint32_t sent, taken;               /* requests; the next one's req_id is sent */
    struct posted posted[WINDOW];
    pipe_failed_fn *failed;
    void *failed_arg;
    pipe_event_fn *event;
    void *event_arg;
    char out[BUFFER], in[BUFFER];
    size_t out_len, in_at, in_len;
};

int store_connect_daemon(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    const char *path = xs_daemon_socket();
    int fd;

    if (!path || strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int err = errno;

        close(fd);
        if (err != ENOENT)              /* the daemon died: through the kernel we would wait for it for ever */
            return -err;
        fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
    }
    if (fd < 0)                         /* never ENOENT: that is about nodes */
        return errno == ENOENT ? -ENOTCONN : -errno;
    return fd;
}

struct xs_handle *store_open(void)
{
    int fd = store_connect_daemon();

    if (fd < 0) {
        errno = -fd;
        return NULL;
    }
    close(fd);
    return xs_open(0);
}

struct store_pipe *pipe_open(void)
{
    static atomic_uint opened;
    struct store_pipe *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->serial = ++opened;
    p->fd = store_connect_daemon();
    if (p->fd < 0) {
        errno = -p->fd;
        free(p);
        return NULL;
    }
    return p;
}

void pipe_close(struct store_pipe *p)
{
    close(p->fd);
    free(p);
}

void pipe_on_failure(struct store_pipe *p, pipe_failed_fn *fn, void *arg)
{
    p->failed = fn;
    p->failed_arg = arg;
}

void pipe_on_event(struct store_pipe *p, pipe_event_fn *fn, void *arg)
{
    p->event = fn;
    p->event_arg = arg;
}

unsigned pipe_serial(const struct store_pipe *p)
{
    return p->serial;
}

bool pipe_lives(const struct store_pipe *p)
{
    struct pollfd f = { .fd = p->fd, .events = POLLRDHUP };

    return !p->broken && poll(&f, 1, 0) == 0;
}

static int broken(struct store_pipe *p, int rc)
{
    if (!p->broken)
        p->broken = rc;
    return p->broken;
}

static int read_all(struct store_pipe *p, void *to, size_t len)
{
    char *s = to;

    while (len) {
        size_t part = p->in_len - p->in_at < len ? p->in_len - p->in_at : len;
        ssize_t n;

        memcpy(s, p->in + p->in_at, part);
        p->in_at += part;
        s += part;
        len -= part;
        if (!len)
            break;
        n = read(p->fd, p->in, sizeof(p->in));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return broken(p, n ? -errno : -ECONNRESET);
        p->in_at = 0;
        p->in_len = (size_t)n;
    }
    return 0;
}

/* Send what is in the buffer (I4). */
static int drain(struct store_pipe *p)
{
    for (size_t at = 0; at < p->out_len && !p->broken;) {
        ssize_t n = send(p->fd, p->out + at, p->out_len - at, MSG_NOSIGNAL);

        if (n < 0 && errno == ENOTSOCK)                     /* the kernel's device */
            n = write(p->fd, p->out + at, p->out_len - at);
        if (n >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            return broken(p, -errno);
    }
    p->out_len = 0;
    return p->broken;
}

static void buffer(struct store_pipe *p, const void *data, size_t len)
{
    const char *s = data;

    while (len && !p->broken) {
        size_t part = sizeof(p->out) - p->out_len < len ? sizeof(p->out) - p->out_len : len;

        memcpy(p->out + p->out_len, s, part);
        p->out_len += part;
        s += part;
        len -= part;
        if (len)
            drain(p);
    }
}

static int error_of(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
        if (!strcmp(xsd_errors[i].errstring, name))
            return -xsd_errors[i].errnum;
    }
    return -EPROTO;
}

/* The next reply's payload, terminated: its length, or -errno as the daemon said it. */
static int take(struct store_pipe *p, uint32_t type, char body[XENSTORE_PAYLOAD_MAX + 1])
{
    struct xsd_sockmsg hdr;
    int rc;

    for (;;) {
        rc = read_all(p, &hdr, sizeof(hdr));
        if (!rc && hdr.len > XENSTORE_PAYLOAD_MAX)
            rc = broken(p, -EPROTO);
        if (!rc)
            rc = read_all(p, body, hdr.len);
        if (rc)
            return rc;
        body[hdr.len] = '\0';
        if (hdr.type != XS_WATCH_EVENT)
            break;
        if (p->event)
            p->event(p->event_arg, body);
    }
    if (hdr.req_id != p->taken || (hdr.type != type && hdr.type != XS_ERROR))
        return broken(p, -EPROTO);                                                  /* I1 */
    p->taken++;
    return hdr.type == XS_ERROR ? error_of(body) : (int)hdr.len;
}

int pipe_flush(struct store_pipe *p)
{
    char body[XENSTORE_PAYLOAD_MAX + 1];

    drain(p);
    while (!p->broken && p->taken != p->sent) {
        const struct posted *q = &p->posted[p->taken % WINDOW];
        int rc = take(p, q->type, body);

        if (rc < 0 && !p->broken && p->failed)
            p->failed(p->failed_arg, q->type, q->path, rc);
    }
    return p->broken;
}

static int put(struct store_pipe *p, uint32_t type, uint32_t tx, const char *path, const void *data,
               size_t len)
{
    size_t plen = strlen(path) + 1;
    struct xsd_sockmsg hdr = { .type = type, .req_id = p->sent, .tx_id = tx,
                               .len = (uint32_t)(plen + len) };

    if (p->broken)                                                                  /* I3 */
        return p->broken;
    if (plen + len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    p->sent++;
    buffer(p, &hdr, sizeof(hdr));
    buffer(p, path, plen);
    buffer(p, data, len);
    return p->broken;
}

int pipe_post(struct store_pipe *p, uint32_t type, uint32_t tx, const char *path, const void *data,
              size_t len)
{
    struct posted *q;

    if (p->sent - p->taken == WINDOW && pipe_flush(p))                             /* I2 */
        return p->broken;
    q = &p->posted[p->sent % WINDOW];
    q->type = type;
    q->path[0] = '\0';
    strncat(q->path, path, sizeof(q->path) - 1);
    return put(p, type, tx, path, data, len);
}

int pipe_ask(struct store_pipe *p, uint32_t type, uint32_t tx, const char *path, const void *data,
             size_t len, char *buf, size_t size)
{
    uint32_t mine = p->sent;
    char body[XENSTORE_PAYLOAD_MAX + 1];
    int rc = put(p, type, tx, path, data, len);

    if (rc)
        return rc;
    p->sent = mine;                         /* what is before it is posted; then comes ours */
    rc = pipe_flush(p);
    p->sent = mine + 1;
    if (rc)
        return rc;
    rc = take(p, type, body);
    if (rc > 0 && buf)
        memcpy(buf, body, (size_t)rc < size ? (size_t)rc : size);
    return rc;
}
