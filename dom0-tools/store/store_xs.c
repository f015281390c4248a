/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_xs.c - reads, writes, permissions and transactions: libxenstore outside of transactions,
 * a pipe (pipe.h) inside, where nobody has to know at once whether a write was accepted
 *
 *   I1  io->ops counts every request that reaches the daemon, whatever its outcome.
 *   I2  a transaction that was started is ended before store_xs_transaction() returns.
 *   I3  a transaction is committed only when every reply to what was posted in it is known.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "pipe.h"
#include "store_xs.h"

int store_io_read(struct store_io *io, const char *path, char *buf, size_t size)
{
    unsigned len = 0;
    char *v;

    if (!io->pipe && !io->xs)
        return -ENOTCONN;
    io->ops++;
    if (io->pipe)
        return pipe_ask(io->pipe, XS_READ, io->t, path, NULL, 0, buf, size);
    v = xs_read(io->xs, io->t, path, &len);
    if (!v)
        return -errno;
    memcpy(buf, v, len < size ? len : size);
    free(v);
    return (int)len;
}

int store_io_write(struct store_io *io, const char *path, const char *v, size_t len)
{
    if (!io->pipe && !io->xs)
        return -ENOTCONN;
    io->ops++;
    if (io->pipe)
        return pipe_post(io->pipe, XS_WRITE, io->t, path, v, len);
    return xs_write(io->xs, io->t, path, v, (unsigned)len) ? 0 : -errno;
}

int store_io_failed(struct store_io *io, const char *path, int rc)
{
    if (!io->rc) {
        io->rc = rc;
        snprintf(io->failed, sizeof(io->failed), "%s", path);
    }
    return rc;
}

static int post_perms(struct store_io *io, const char *path, const struct xs_permissions *perms, int n)
{
    static const char letters[] = "nrwb";           /* index: XS_PERM_READ | XS_PERM_WRITE */
    char text[STORE_PERMS_MAX * 12];
    size_t len = 0;

    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%u", letters[perms[i].perms],
                                perms[i].id) + 1;
    return pipe_post(io->pipe, XS_SET_PERMS, io->t, path, text, len);
}

int store_xs_protect_like(struct store_io *io, const char *path, unsigned like, uint32_t domid,
                          uint32_t backid)
{
    struct xs_permissions perms[STORE_PERMS_MAX];
    uint32_t who[STORE_PERMS_MAX];
    char access[STORE_PERMS_MAX];
    int rc = 0, n = io->pipe || io->xs ? store_perms(like, domid, backid, who, access) : -ENOTCONN;

    if (n < 0)
        return store_io_failed(io, path, n);
    for (int i = 0; i < n; i++) {
        perms[i].id = who[i];
        perms[i].perms = access[i] == 'b' ? XS_PERM_READ | XS_PERM_WRITE
                       : access[i] == 'r' ? XS_PERM_READ
                       : access[i] == 'w' ? XS_PERM_WRITE : XS_PERM_NONE;
    }
    io->ops++;
    if (io->pipe)
        rc = post_perms(io, path, perms, n);
    else if (!xs_set_permissions(io->xs, io->t, path, perms, (unsigned)n))
        rc = -errno;
    return rc ? store_io_failed(io, path, rc) : 0;
}

int store_xs_protect(struct store_io *io, unsigned id, const struct store_arg *args, size_t nargs,
                     uint32_t domid, uint32_t backid)
{
    char path[STORE_PATH_MAX];
    int rc = store_build(path, sizeof(path), id, args, nargs);

    return rc < 0 ? store_io_failed(io, path, rc)
                  : store_xs_protect_like(io, path, id, domid, backid);
}

int store_xs_remove(struct store_io *io, const char *path)
{
    int rc = io->pipe || io->xs ? 0 : -ENOTCONN;

    io->ops += !rc;
    if (io->pipe)
        rc = pipe_post(io->pipe, XS_RM, io->t, path, NULL, 0);
    else if (!rc && !xs_rm(io->xs, io->t, path) && errno != ENOENT)
        rc = -errno;
    return rc ? store_io_failed(io, path, rc) : 0;
}

bool store_xs_exists(struct store_io *io, const char *path)
{
    char none[1];

    return store_io_read(io, path, none, sizeof(none)) >= 0;
}

/* Names with their terminators, all[0..len), as libxenstore hands them out: one allocation. */
static char **split_names(const char *all, size_t len, unsigned *n)
{
    char **names, *text;

    *n = 0;
    for (size_t i = 0; i < len; i++)
        *n += all[i] == '\0';
    names = malloc(*n * sizeof(*names) + len + 1);
    if (!names)
        return NULL;
    text = (char *)(names + *n);
    memcpy(text, all, len);
    for (unsigned i = 0; i < *n; i++, text += strlen(text) + 1)
        names[i] = text;
    return names;
}

/* A directory too large for one reply: in parts, "GENERATION\0NAME\0..."; an empty name ends it. */
static char **list_parts(struct store_io *io, const char *path, unsigned *n)
{
    char part[XENSTORE_PAYLOAD_MAX + 1], offset[16], *all = NULL, **names = NULL;
    size_t len = 0;
    bool end = false;

    while (!end) {
        int at = snprintf(offset, sizeof(offset), "%zu", len) + 1;
        int got = pipe_ask(io->pipe, XS_DIRECTORY_PART, io->t, path, offset, (size_t)at, part,
                           sizeof(part) - 1);
        size_t head, body;
        char *more;

        io->ops++;
        if (got <= 0 || part[got - 1] != '\0')
            break;
        head = strlen(part) + 1;
        body = (size_t)got - head;
        end = body == 0 || part[got - 1 - (body > 1)] == '\0';
        more = realloc(all, len + body + 1);
        if (!more)
            break;
        all = more;
        memcpy(all + len, part + head, body);
        len += body - (end && body);
    }
    if (end)
        names = split_names(all, len, n);
    free(all);
    return names;
}

char **store_xs_list(struct store_io *io, const char *path, unsigned *n)
{
    char names[XENSTORE_PAYLOAD_MAX], **list = NULL;
    int rc;

    *n = 0;
    if (!io->pipe && !io->xs)
        return NULL;
    io->ops++;
    if (!io->pipe) {
        list = xs_directory(io->xs, io->t, path, n);
    } else {
        rc = pipe_ask(io->pipe, XS_DIRECTORY, io->t, path, NULL, 0, names, sizeof(names));
        if (rc == -E2BIG)
            list = list_parts(io, path, n);
        else if (rc >= 0)
            list = split_names(names, (size_t)rc, n);
    }
    if (!list)
        *n = 0;
    return list;
}

/* ---- transactions */

static void post_failed(void *arg, uint32_t type, const char *path, int rc)
{
    if (type != XS_RM || rc != -ENOENT)                     /* absent is fine */
        store_io_failed(arg, path, rc);
}

static int begin(struct store_io *io)
{
    char id[16] = "";
    int rc = pipe_ask(io->pipe, XS_TRANSACTION_START, 0, "", NULL, 0, id, sizeof(id) - 1);

    io->ops++;
    io->rc = 0;
    io->t = rc > 0 ? (xs_transaction_t)strtoul(id, NULL, 10) : XBT_NULL;
    return rc < 0 ? rc : io->t ? 0 : -EPROTO;
}

static int end(struct store_io *io, int rc)
{
    int done = pipe_flush(io->pipe);                                                /* I3 */

    if (!rc)
        rc = io->rc ? io->rc : done;
    io->ops++;
    done = pipe_ask(io->pipe, XS_TRANSACTION_END, io->t, rc ? "F" : "T", NULL, 0, NULL, 0);     /* I2 */
    return rc ? rc : done < 0 ? done : 0;
}

/* The connection for a transaction or a batch: the one that was kept, while it is good, or a new one. */
static int take_pipe(struct store_io *io, struct store_io *own)
{
    bool good = io->kept && *io->kept && pipe_lives(*io->kept);

    *own = (struct store_io){ .t = XBT_NULL, .pipe = good ? *io->kept : pipe_open() };
    if (!good && io->kept) {
        if (*io->kept)
            pipe_close(*io->kept);
        *io->kept = own->pipe;
    }
    if (!own->pipe)
        return -errno;
    pipe_on_failure(own->pipe, post_failed, own);
    return 0;
}

static void give_pipe(struct store_io *io, struct store_io *own)
{
    pipe_on_failure(own->pipe, NULL, NULL);
    if (!io->kept)
        pipe_close(own->pipe);
    io->ops += own->ops;
    if (own->rc)
        store_io_failed(io, own->failed, own->rc);
}

int store_xs_transaction(struct store_io *io, int (*body)(struct store_io *io, void *arg),
                         void *arg)
{
    struct store_io own;
    int rc = take_pipe(io, &own);

    if (rc)
        return rc;
    rc = -EAGAIN;
    for (unsigned tries = 0; rc == -EAGAIN && tries < STORE_XS_TRIES; tries++) {
        rc = begin(&own);
        if (!rc)
            rc = end(&own, body(&own, arg));
    }
    give_pipe(io, &own);
    return rc;
}

int store_xs_batch(struct store_io *io, int (*body)(struct store_io *io, void *arg), void *arg)
{
    struct store_io own;
    int rc = take_pipe(io, &own), done;

    if (rc)
        return rc;
    rc = body(&own, arg);
    done = pipe_flush(own.pipe);
    if (!rc)
        rc = own.rc ? own.rc : done;
    give_pipe(io, &own);
    return rc;
}
