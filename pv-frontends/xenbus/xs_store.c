/* SPDX-License-Identifier: MIT */
/* What xenstore-schema asks of a transport; holds nothing. */
#include "xs_store.h"

int store_io_read(struct store_io *io, const char *path, char *buf, size_t size)
{
    char value[XS_TEXT];
    int len = xs_read(io->xs, io->tx, path, value, sizeof(value));

    if (len > 0)
        memcpy(buf, value, (size_t)len < size ? (size_t)len : size);
    return len;
}

int store_io_write(struct store_io *io, const char *path, const char *v, size_t len)
{
    return xs_write_bytes(io->xs, io->tx, path, v, len);
}

int store_io_failed(struct store_io *io, const char *path, int rc)
{
    (void)io;
    (void)path;
    return rc;
}
