/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_xs.c - reads, writes, permissions and transactions through libxenstore
 *
 *   I1  io->ops counts every request that reaches the daemon, whatever its outcome.
 *   I2  a transaction that was started is ended before store_xs_transaction() returns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_xs.h"

int store_io_read(struct store_io *io, const char *path, char *buf, size_t size)
{
    unsigned len = 0;
    char *v;

    if (!io->xs)
        return -ENOTCONN;
    io->ops++;
    v = xs_read(io->xs, io->t, path, &len);
    if (!v)
        return -errno;
    memcpy(buf, v, len < size ? len : size);
    free(v);
    return (int)len;
}

int store_io_write(struct store_io *io, const char *path, const char *v, size_t len)
{
    if (!io->xs)
        return -ENOTCONN;
    io->ops++;
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

int store_xs_protect_like(struct store_io *io, const char *path, unsigned like, uint32_t domid,
                          uint32_t backid)
{
    struct xs_permissions perms[STORE_PERMS_MAX];
    uint32_t who[STORE_PERMS_MAX];
    char access[STORE_PERMS_MAX];
    int n = io->xs ? store_perms(like, domid, backid, who, access) : -ENOTCONN;

    if (n < 0)
        return store_io_failed(io, path, n);
    for (int i = 0; i < n; i++) {
        perms[i].id = who[i];
        perms[i].perms = access[i] == 'b' ? XS_PERM_READ | XS_PERM_WRITE
                       : access[i] == 'r' ? XS_PERM_READ
                       : access[i] == 'w' ? XS_PERM_WRITE : XS_PERM_NONE;
    }
    io->ops++;
    if (xs_set_permissions(io->xs, io->t, path, perms, (unsigned)n))
        return 0;
    return store_io_failed(io, path, -errno);
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
    if (!io->xs)
        return store_io_failed(io, path, -ENOTCONN);
    io->ops++;
    if (xs_rm(io->xs, io->t, path) || errno == ENOENT)
        return 0;
    return store_io_failed(io, path, -errno);
}

bool store_xs_exists(struct store_io *io, const char *path)
{
    char none[1];

    return store_io_read(io, path, none, sizeof(none)) >= 0;
}

char **store_xs_list(struct store_io *io, const char *path, unsigned *n)
{
    char **names = NULL;

    *n = 0;
    if (io->xs) {
        io->ops++;
        names = xs_directory(io->xs, io->t, path, n);
    }
    if (!names)
        *n = 0;
    return names;
}

int store_xs_transaction(struct store_io *io, int (*body)(struct store_io *io, void *arg),
                         void *arg)
{
    for (unsigned tries = 0; io->xs && tries < STORE_XS_TRIES; tries++) {
        int rc;

        io->rc = 0;
        io->ops += 2;
        io->t = xs_transaction_start(io->xs);
        if (io->t == XBT_NULL)
            return -errno;
        rc = body(io, arg);
        if (!rc)
            rc = io->rc;
        if (!xs_transaction_end(io->xs, io->t, rc != 0) && !rc)                     /* I2 */
            rc = -errno;
        io->t = XBT_NULL;
        if (rc != -EAGAIN)
            return rc;
    }
    return io->xs ? -EAGAIN : -ENOTCONN;
}
