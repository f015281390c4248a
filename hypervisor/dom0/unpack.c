/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unpack.c - see unpack.h
 *
 *   I1  output never exceeds the caller's buffer: each library is given its size and stops there.
 *   I2  a short or damaged stream is an error, never a shorter kernel.
 *
 * xz, which Debian's kernels use, has a decoder of our own (lzma2.h says why); zstd and gzip are the packaged ones.
 */
#include "dom0/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include "dom0/xz.h"
#include "hv_errno.h"

/* Memory for the library, as an order of pages. */
static const uint8_t codec_order[] = { [PAYLOAD_ZSTD] = 9, [PAYLOAD_GZIP] = 6 };

static int unpack_zstd(const struct payload *p, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why)
{
    /* One shot: the output is the window, so no window memory is needed however large the kernel build made it. */
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    *why = "not enough memory for the zstd decoder";
    if (!ctx)
        return -ENOMEM;
    const size_t n = ZSTD_decompressDCtx(ctx, out, out_size, p->data, p->size);
    ZSTD_freeDCtx(ctx);
    *why = "corrupt zstd stream, or it does not fit its claimed size";
    if (ZSTD_isError(n))
        return -EINVAL;
    *done = n;
    return 0;
}

static int unpack_gzip(const struct payload *p, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)p->data, .avail_in = (uInt)p->size,
                   .next_out = out, .avail_out = (uInt)out_size };

    *why = "too large for a gzip stream";
    if (p->size > ~0u || out_size > ~0u)
        return -EINVAL;
    *why = "not enough memory for the gzip decoder";
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return -ENOMEM;
    const int r = inflate(&z, Z_FINISH);
    *done = z.total_out;
    inflateEnd(&z);
    *why = "corrupt gzip stream, or it does not fit its claimed size";
    return r == Z_STREAM_END ? 0 : -EINVAL;
}

int payload_unpack(const struct payload *p, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why)
{
    int rc;

    *done = 0;
    if (p->format == PAYLOAD_XZ)
        return xz_unpack(p->data, p->size, out, out_size, done, why);
    *why = "not compressed";
    if (p->format == PAYLOAD_ELF)
        return -EINVAL;
    *why = "not enough memory to unpack the kernel";
    if (!codec_enter(codec_order[p->format]))
        return -ENOMEM;
    rc = p->format == PAYLOAD_ZSTD ? unpack_zstd(p, out, out_size, done, why) : unpack_gzip(p, out, out_size, done, why);
    codec_leave();
    return rc;
}
