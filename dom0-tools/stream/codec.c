/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec.c - zlib and zstd over one buffer */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "codec.h"
#include "format.h"

/* Memory is to move, not to be kept: the fast end of both. */
#define LEVEL_ZLIB 1
#define LEVEL_ZSTD 1

struct packer {
    uint32_t codec;
    int level;
    ZSTD_CCtx *zstd;
};

struct packer *packer_new(uint32_t codec, int level)
{
    struct packer *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->codec = codec;
    p->level = level ? level : codec == PACKED_ZSTD ? LEVEL_ZSTD : LEVEL_ZLIB;
    if (codec == PACKED_ZSTD && !(p->zstd = ZSTD_createCCtx())) {
        free(p);
        return NULL;
    }
    return p;
}

void packer_free(struct packer *p)
{
    if (p)
        ZSTD_freeCCtx(p->zstd);
    free(p);
}

size_t packer_bound(const struct packer *p, size_t n)
{
    return p->codec == PACKED_ZSTD ? ZSTD_compressBound(n) : compressBound(n);
}

size_t packer_pack(struct packer *p, void *to, size_t room, const void *from, size_t n)
{
    uLongf out = room;
    size_t got;

    if (p->codec == PACKED_ZLIB)
        return compress2(to, &out, from, n, p->level) == Z_OK ? out : 0;
    got = ZSTD_compressCCtx(p->zstd, to, room, from, n, p->level);
    return ZSTD_isError(got) ? 0 : got;
}

struct unpacker {
    ZSTD_DCtx *zstd;
};

struct unpacker *unpacker_new(void)
{
    struct unpacker *u = calloc(1, sizeof(*u));

    if (u && !(u->zstd = ZSTD_createDCtx())) {
        free(u);
        return NULL;
    }
    return u;
}

void unpacker_free(struct unpacker *u)
{
    if (u)
        ZSTD_freeDCtx(u->zstd);
    free(u);
}

int unpacker_unpack(struct unpacker *u, uint32_t codec, void *to, size_t want, const void *from, size_t n)
{
    uLongf out = want;
    int z;

    switch (codec) {
    case PACKED_ZLIB:
        z = uncompress(to, &out, from, n);
        return z == Z_MEM_ERROR ? -ENOMEM : z == Z_OK && out == want ? 0 : -EINVAL;
    case PACKED_ZSTD:
        return ZSTD_decompressDCtx(u->zstd, to, want, from, n) == want ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}
