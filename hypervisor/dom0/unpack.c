/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unpack.c - see unpack.h
 *
 *   I1  output never exceeds the caller's buffer: each library is given its size and stops there.
 *   I2  a short or damaged stream is an error, never a shorter kernel.
 */
#include "dom0/unpack.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "hv_errno.h"

/* Memory for the library, as an order of pages. xz: the 32 MiB dictionary that kernels use, and its tables. */
static const uint8_t codec_order[] = { [PAYLOAD_XZ] = 14, [PAYLOAD_ZSTD] = 9, [PAYLOAD_GZIP] = 6 };

static int unpack_xz(const struct payload *p, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why)
{
    uint64_t limit = PAGE_SIZE << codec_order[PAYLOAD_XZ];
    size_t in_pos = 0, out_pos = 0;
    const lzma_ret r = lzma_stream_buffer_decode(&limit, 0, NULL, p->data, &in_pos, p->size, out, &out_pos, out_size);

    *done = out_pos;
    switch (r) {
    case LZMA_OK:
        return 0;
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
        *why = "not enough memory for the xz dictionary";
        return -ENOMEM;
    case LZMA_BUF_ERROR:
        *why = "xz stream does not fit its claimed size, or is truncated";
        return -ENOSPC;
    default:
        *why = "corrupt xz stream";
        return -EINVAL;
    }
}

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
    int rc = -EINVAL;

    *done = 0;
    *why = "not enough memory to unpack the kernel";
    if (!codec_enter(codec_order[p->format]))
        return -ENOMEM;
    *why = "not compressed";
    switch (p->format) {
    case PAYLOAD_XZ: rc = unpack_xz(p, out, out_size, done, why); break;
    case PAYLOAD_ZSTD: rc = unpack_zstd(p, out, out_size, done, why); break;
    case PAYLOAD_GZIP: rc = unpack_gzip(p, out, out_size, done, why); break;
    case PAYLOAD_ELF: break;
    }
    codec_leave();
    return rc;
}
