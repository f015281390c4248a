/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store.c - XenStore errors as the handle's errors, transactions, waiting */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "store.h"

struct store_io *vane_store(struct vane *v)
{
    v->io.xs = vane_xs(v);
    return &v->io;
}

/* How a connection to a daemon that died meanwhile ends. */
static const char *hint_of(int rc)
{
    return rc == -EPIPE || rc == -ECONNRESET || rc == -ECONNREFUSED || rc == -EIO || rc == -EBADF
        ? "is xenstored running? start it (or the service xen) and try again" : NULL;
}

int store_result(struct vane *v, struct store_io *io)
{
    int rc = io->rc;

    io->rc = 0;
    if (rc == 0)
        return 0;
    if (!io->xs && !vane_xs(v))                 /* which says why there is none */
        return vane_last_error(v)->code;
    if (rc == -EINVAL || rc == -ERANGE)         /* xenstored's own -EINVAL is for malformed paths */
        return vane_fail(v, rc, "`vane store explain PATH` says what it takes",
                         "%s in XenStore does not take such a value", io->failed);
    return vane_fail(v, rc, rc == -ENOSPC || rc == -EDQUOT ? "the XenStore quota is used up: xenstored --help"
                                                           : hint_of(rc),
                     "cannot change %s in XenStore: %s", io->failed, strerror(-rc));
}

int store_lost(struct vane *v, int rc)
{
    if (!v->xs && !vane_xs(v))                  /* which says why there is none */
        return vane_last_error(v)->code;
    return hint_of(rc) ? vane_fail(v, rc, hint_of(rc), "cannot read from XenStore: %s", strerror(-rc)) : 0;
}

struct body {
    struct vane *v;
    store_txn_fn *fn;
    void *arg;
    int rc;                         /* what fn returned last */
};

static int run_body(struct store_io *io, void *arg)
{
    struct body *b = arg;

    b->rc = b->fn(b->v, io, b->arg);
    return b->rc;
}

typedef int run_fn(struct store_io *io, int (*body)(struct store_io *io, void *arg), void *arg);

static int run(struct vane *v, run_fn *how, store_txn_fn *body, void *arg)
{
    struct body b = { v, body, arg, 0 };
    struct store_io io = store_xs(vane_xs(v));
    int rc;

    if (!io.xs)
        return vane_last_error(v)->code;
    io.kept = &v->pipe;
    rc = how(&io, run_body, &b);
    v->io.ops += io.ops;
    if (rc == 0 || b.rc < 0)                /* the body said why */
        return rc;
    if (io.rc)
        return store_result(v, &io);
    if (rc == -EAGAIN)
        return vane_fail(v, rc, "something rewrites the same XenStore nodes all the time",
                         "a XenStore transaction met %d conflicts in a row", STORE_XS_TRIES);
    return vane_fail(v, rc, rc == -ENOSPC ? "too many transactions at once? try again" : hint_of(rc),
                     "XenStore refused a transaction: %s", strerror(-rc));
}

int store_transaction(struct vane *v, store_txn_fn *body, void *arg)
{
    return run(v, store_xs_transaction, body, arg);
}

int store_batch(struct vane *v, store_txn_fn *body, void *arg)
{
    return run(v, store_xs_batch, body, arg);
}

int store_wait(struct vane *v, const char *path, int timeout_ms, store_done_fn *done, void *arg)
{
    char token[] = "vane-wait";
    int64_t deadline = vane_now_ms() + timeout_ms;
    int rc = done(v, arg);

    if (rc != 0)
        return rc;
    if (!vane_xs(v))
        return vane_last_error(v)->code;
    if (!xs_watch(v->xs, path, token))
        return vane_fail(v, -errno, hint_of(-errno), "cannot watch %s in XenStore: %s", path, strerror(errno));
    while ((rc = done(v, arg)) == 0) {
        struct pollfd pfd = { .fd = xs_fileno(v->xs), .events = POLLIN };
        int64_t left = deadline - vane_now_ms();
        char **event;

        if (left <= 0) {
            rc = -ETIMEDOUT;
            break;
        }
        if (poll(&pfd, 1, (int)left) > 0) {
            while ((event = xs_check_watch(v->xs)) != NULL)
                free(event);
            if (errno != EAGAIN) {
                rc = vane_fail(v, -EIO, "is xenstored running?", "XenStore closed the connection");
                break;
            }
        }
    }
    xs_unwatch(v->xs, path, token);
    return rc;
}
