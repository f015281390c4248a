/* SPDX-License-Identifier: MIT */
/*
 * store_access.c - typed reading and writing, over whatever transport is linked (store_io_*)
 *
 *   I1  nothing is written, and nothing read is handed on, that breaks the path's type.
 */
#include "store_schema.h"

int store_get_text(struct store_io *io, unsigned id, const struct store_arg *a, size_t n, char *buf,
                   size_t size)
{
    char path[STORE_PATH_MAX];
    int rc = store_build(path, sizeof(path), id, a, n), len;

    if (rc < 0)
        return rc;
    len = store_io_read(io, path, buf, size);
    if (len < 0)
        return len;
    if ((size_t)len >= size)
        return -STORE_ENAMETOOLONG;
    rc = store_value_check(store_paths[id].type, buf, (size_t)len);
    if (rc)
        return rc;
    buf[len] = '\0';
    return len;
}

int store_put_text(struct store_io *io, unsigned id, const struct store_arg *a, size_t n,
                   const char *v, size_t len)
{
    char path[STORE_PATH_MAX];
    int rc = store_build(path, sizeof(path), id, a, n);

    if (rc > 0)
        rc = store_value_check(store_paths[id].type, v, len);
    if (!rc)
        rc = store_io_write(io, path, v, len);
    return rc ? store_io_failed(io, path, rc) : 0;
}

int store_get_num(struct store_io *io, unsigned id, const struct store_arg *a, size_t n,
                  uint64_t *out)
{
    char v[64];
    int len = store_get_text(io, id, a, n, v, sizeof(v));

    if (len < 0)
        return len;
    return len ? store_value_uint(store_paths[id].type, v, (size_t)len, out) : STORE_EMPTY;
}

int store_put_num(struct store_io *io, unsigned id, const struct store_arg *a, size_t n, uint64_t v)
{
    char num[STORE_NUM_MAX];
    const char *text = id < store_path_count ? store_value_text(store_paths[id].type, v, num) : NULL;
    struct store_arg t;

    if (!text)
        return store_io_failed(io, id < store_path_count ? store_paths[id].pattern : "",
                               id < store_path_count ? -STORE_ERANGE : -STORE_EINVAL);
    t = store_s(text);
    return store_put_text(io, id, a, n, t.s, t.len);
}
