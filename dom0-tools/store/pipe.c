/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe.c - posted requests and their replies
 *
 *   I1  replies come in the order of the requests, and req_id says so: anything else is -EPROTO.
 *   I2  at most WINDOW replies are outstanding, each shorter than 64 bytes (an acknowledgement or an
 *       error's name), so they fit the socket's buffer: neither side can wait for the other.
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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenstore.h>
#include <xen/io/xs_wire.h>

#include "pipe.h"

#define WINDOW 128

struct posted {
    uint32_t type;
    char path[128];                     /* for the report; cut */
};

struct store_pipe {
    int fd, broken;                     /* broken: 0 or -errno */
    uint32_t sent, taken;               /* requests; the next one's req_id is sent */
    struct posted posted[WINDOW];
    pipe_failed_fn *failed;
    void *failed_arg;
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
    struct store_pipe *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
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
        ssize_t n = read(p->fd, s, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return broken(p, n ? -errno : -ECONNRESET);
        s += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_all(struct store_pipe *p, struct iovec *v, int n)
{
    while (n) {
        struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)n };
        ssize_t done = sendmsg(p->fd, &m, MSG_NOSIGNAL);    /* a daemon that died is an error, not our death */

        if (done < 0 && errno == ENOTSOCK)                  /* /dev/xen/xenbus */
            done = writev(p->fd, v, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return broken(p, -errno);
        for (; n && (size_t)done >= v->iov_len; v++, n--)
            done -= (ssize_t)v->iov_len;
        if (n) {
            v->iov_base = (char *)v->iov_base + done;
            v->iov_len -= (size_t)done;
        }
    }
    return 0;
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

    do {
        rc = read_all(p, &hdr, sizeof(hdr));
        if (!rc && hdr.len > XENSTORE_PAYLOAD_MAX)
            rc = broken(p, -EPROTO);
        if (!rc)
            rc = read_all(p, body, hdr.len);
        if (rc)
            return rc;
    } while (hdr.type == XS_WATCH_EVENT);                   /* nobody set one here */
    body[hdr.len] = '\0';
    if (hdr.req_id != p->taken || (hdr.type != type && hdr.type != XS_ERROR))
        return broken(p, -EPROTO);                                                  /* I1 */
    p->taken++;
    return hdr.type == XS_ERROR ? error_of(body) : (int)hdr.len;
}

int pipe_flush(struct store_pipe *p)
{
    char body[XENSTORE_PAYLOAD_MAX + 1];

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
    struct iovec v[3] = { { &hdr, sizeof(hdr) }, { (char *)(uintptr_t)path, plen },
                          { (char *)(uintptr_t)data, len } };

    if (p->broken)                                                                  /* I3 */
        return p->broken;
    if (plen + len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    p->sent++;
    return write_all(p, v, len ? 3 : 2);
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
