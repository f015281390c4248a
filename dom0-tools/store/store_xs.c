/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_xs.c - reads, writes, permissions and transactions through libxenstore
 *
 *   I1  io->ops counts every request that reaches the daemon, whatever its outcome.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_xs.h"

int store_io_read(struct store_io *io, const char *path, char *buf, size_t size)
{
    unsigned len = 0;
    char *v = xs_read(io->xs, io->t, path, &len);

    io->ops++;
    if (!v)
        return -errno;
    memcpy(buf, v, len < size ? len : size);
    free(v);
    return (int)len;
}

int store_io_write(struct store_io *io, const char *path, const char *v, size_t len)
{
    io->ops++;
    return xs_write(io->xs, io->t, path, v, (unsigned)len) ? 0 : -errno;
}

int store_xs_protect(struct store_io *io, unsigned id, const struct store_arg *args, size_t nargs,
                     uint32_t domid, uint32_t backid)
{
    struct xs_permissions perms[STORE_PERMS_MAX];
    uint32_t who[STORE_PERMS_MAX];
    char access[STORE_PERMS_MAX], path[STORE_PATH_MAX];
    int rc = store_build(path, sizeof(path), id, args, nargs), n;

    if (rc < 0)
        return rc;
    n = store_perms(id, domid, backid, who, access);
    for (int i = 0; i < n; i++) {
        perms[i].id = who[i];
        perms[i].perms = access[i] == 'b' ? XS_PERM_READ | XS_PERM_WRITE
                       : access[i] == 'r' ? XS_PERM_READ
                       : access[i] == 'w' ? XS_PERM_WRITE : XS_PERM_NONE;
    }
    io->ops++;
    return xs_set_permissions(io->xs, io->t, path, perms, (unsigned)n) ? 0 : -errno;
}

int store_xs_remove(struct store_io *io, unsigned id, const struct store_arg *args, size_t nargs)
{
    char path[STORE_PATH_MAX];
    int rc = store_build(path, sizeof(path), id, args, nargs);

    if (rc < 0)
        return rc;
    io->ops++;
    return xs_rm(io->xs, io->t, path) || errno == ENOENT ? 0 : -errno;
}

int store_xs_transaction(struct store_io *io, int (*body)(struct store_io *io, void *arg),
                         void *arg)
{
    int rc;

    do {
        io->t = xs_transaction_start(io->xs);
        io->ops += 2;
        if (io->t == XBT_NULL)
            return -errno;
        rc = body(io, arg);
        if (!xs_transaction_end(io->xs, io->t, rc != 0) && !rc)
            rc = -errno;
    } while (rc == -EAGAIN);
    io->t = XBT_NULL;
    return rc;
}
