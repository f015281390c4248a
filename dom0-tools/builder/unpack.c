/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unpack.c - find and decompress the ELF image of a kernel file
 *
 *   I1  output never exceeds KERNEL_MAX_BYTES, whatever the stream promises (zip bombs).
 *   I2  decoders get exactly the payload bytes; trailing bytes are allowed (the kernel build appends
 *       the unpacked size).
 *
 * ABI: Linux Documentation/x86/boot.rst, fields setup_sects, header, version, payload_offset/length.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "../../hypervisor/dom0/xz.h"
#include "kernel.h"

#define DECODER_MEMORY (256u << 20)
#define LZ4_BLOCK (8u << 20)        /* ABI: lz4 legacy frame, blocks unpack to at most 8 MiB */

struct sink {
    uint8_t *p;
    size_t len, cap;
};

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Room for at least @want more bytes; false at the cap (I1) or without memory. */
static bool sink_room(struct sink *s, size_t want)
{
    size_t cap = s->cap ? s->cap : 1u << 20;
    uint8_t *p;

    if (want > KERNEL_MAX_BYTES - s->len)
        return false;
    while (cap < s->len + want)
        cap *= 2;
    if (cap > KERNEL_MAX_BYTES)
        cap = KERNEL_MAX_BYTES;
    if (cap == s->cap)
        return true;
    p = realloc(s->p, cap);
    if (!p)
        return false;
    s->p = p;
    s->cap = cap;
    return true;
}

static bool unpack_gzip(const uint8_t *in, size_t len, struct sink *out)
{
    z_stream z = {0};
    int rc = Z_OK;

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return false;
    z.next_in = (z_const Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)len;
    while (rc == Z_OK && sink_room(out, 1)) {
        z.next_out = out->p + out->len;
        z.avail_out = (uInt)(out->cap - out->len);
        rc = inflate(&z, Z_NO_FLUSH);
        out->len = out->cap - z.avail_out;
    }
    inflateEnd(&z);
    return rc == Z_STREAM_END;
}

static bool unpack_bzip2(const uint8_t *in, size_t len, struct sink *out)
{
    bz_stream b = {0};
    int rc = BZ_OK;

    if (BZ2_bzDecompressInit(&b, 0, 0) != BZ_OK)
        return false;
    b.next_in = (char *)(uintptr_t)in;
    b.avail_in = (unsigned)len;
    while (rc == BZ_OK && sink_room(out, 1)) {
        size_t before = out->len;

        b.next_out = (char *)out->p + out->len;
        b.avail_out = (unsigned)(out->cap - out->len);
        rc = BZ2_bzDecompress(&b);
        out->len = out->cap - b.avail_out;
        if (rc == BZ_OK && b.avail_in == 0 && out->len == before)
            break;                          /* cut stream: no progress possible */
    }
    BZ2_bzDecompressEnd(&b);
    return rc == BZ_STREAM_END;
}

static bool unpack_lzma(const uint8_t *in, size_t len, struct sink *out, bool xz)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret rc = xz ? lzma_stream_decoder(&s, DECODER_MEMORY, 0)
                     : lzma_alone_decoder(&s, DECODER_MEMORY);

    s.next_in = in;
    s.avail_in = len;
    while (rc == LZMA_OK && sink_room(out, 1)) {
        s.next_out = out->p + out->len;
        s.avail_out = out->cap - out->len;
        rc = lzma_code(&s, LZMA_RUN);
        out->len = out->cap - s.avail_out;
    }
    lzma_end(&s);
    return rc == LZMA_STREAM_END;
}

/*
 * The hypervisor's decoder unpacks straight to where the result belongs and takes less than half of liblzma's time. It needs
 * to know the size, which Linux appends to the payload; what it does not know (other checks, other filters) liblzma may.
 */
static bool unpack_xz(const uint8_t *in, size_t len, struct sink *out)
{
    const uint32_t size = len > 4 ? le32(in + len - 4) : 0;
    const char *why;
    uint64_t done;

    if (size && sink_room(out, size) && xz_unpack(in, len, out->p, size, &done, &why) == 0) {
        out->len = done;
        return true;
    }
    return unpack_lzma(in, len, out, true);
}

static bool unpack_zstd(const uint8_t *in, size_t len, struct sink *out)
{
    ZSTD_DStream *d = ZSTD_createDStream();
    ZSTD_inBuffer ib = { in, len, 0 };
    size_t rc = 1;

    if (!d)
        return false;
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 28);
    while (rc != 0 && sink_room(out, 1)) {
        ZSTD_outBuffer ob = { out->p, out->cap, out->len };
        size_t before_in = ib.pos, before_out = ob.pos;

        rc = ZSTD_decompressStream(d, &ob, &ib);
        out->len = ob.pos;
        if (ZSTD_isError(rc) || (ib.pos == before_in && ob.pos == before_out))
            break;
    }
    ZSTD_freeDStream(d);
    return rc == 0;
}

static bool unpack_lz4(const uint8_t *in, size_t len, struct sink *out)
{
    size_t at = 4;

    while (at + 4 <= len) {
        uint32_t n = le32(in + at);
        int got;

        at += 4;
        if (n == 0 || n > len - at || n > (uint32_t)LZ4_COMPRESSBOUND(LZ4_BLOCK))
            return out->len > 0;            /* I2: the appended size ends the stream */
        if (!sink_room(out, LZ4_BLOCK))
            return false;
        got = LZ4_decompress_safe((const char *)in + at, (char *)out->p + out->len, (int)n, LZ4_BLOCK);
        if (got < 0)
            return false;
        out->len += (size_t)got;
        at += n;
    }
    return out->len > 0;
}

static bool starts(const uint8_t *p, size_t len, const char *magic, size_t n)
{
    return len >= n && memcmp(p, magic, n) == 0;
}

static int unpack_payload(const uint8_t *p, size_t len, struct sink *out, const char **why)
{
    bool ok;

    if (starts(p, len, "\x1f\x8b", 2)) {
        ok = unpack_gzip(p, len, out);
    } else if (starts(p, len, "BZh", 3)) {
        ok = unpack_bzip2(p, len, out);
    } else if (starts(p, len, "\xfd" "7zXZ\0", 6)) {
        ok = unpack_xz(p, len, out);
    } else if (starts(p, len, "\x5d\0\0", 3)) {
        ok = unpack_lzma(p, len, out, false);
    } else if (starts(p, len, "\x28\xb5\x2f\xfd", 4)) {
        ok = unpack_zstd(p, len, out);
    } else if (starts(p, len, "\x02\x21\x4c\x18", 4)) {
        ok = unpack_lz4(p, len, out);
    } else {
        *why = "the compression is unknown (gzip, bzip2, lzma, xz, lz4 and zstd are known)";
        return -EINVAL;
    }
    *why = "the compressed kernel is damaged, or unpacks to more than 512 MiB";
    return ok ? 0 : -EINVAL;
}

/* The payload of a bzImage, or the whole file. */
static int find_payload(const uint8_t *file, size_t len, const uint8_t **p, size_t *n,
                        const char **why)
{
    size_t start, sects;

    *p = file;
    *n = len;
    if (len < 0x250 || memcmp(file + 0x202, "HdrS", 4) != 0)
        return 0;
    if ((file[0x206] | file[0x207] << 8) < 0x208) {
        *why = "a bzImage of a boot protocol before 2.08 has no payload";
        return -EINVAL;
    }
    sects = file[0x1f1] ? file[0x1f1] : 4;
    start = (sects + 1) * 512 + (size_t)le32(file + 0x248);
    *n = le32(file + 0x24c);
    if (start >= len || *n > len - start || *n == 0) {
        *why = "the bzImage is cut short";
        return -EINVAL;
    }
    *p = file + start;
    return 0;
}

int kernel_unpack(const uint8_t *file, size_t len, uint8_t **out, size_t *out_len, bool *plain,
                  const char **why)
{
    struct sink sink = {0};
    const uint8_t *p;
    size_t n;
    int rc = find_payload(file, len, &p, &n, why);

    *out = NULL;
    *out_len = 0;
    *plain = false;
    if (rc < 0)
        return rc;
    if (starts(p, n, "\177ELF", 4)) {
        *plain = true;
        *out_len = n;
        if (p != file)                      /* an uncompressed payload inside a bzImage */
            return *why = "an uncompressed bzImage is not supported", -EINVAL;
        return 0;
    }
    rc = unpack_payload(p, n, &sink, why);
    if (rc < 0) {
        free(sink.p);
        return rc;
    }
    *out = sink.p;
    *out_len = sink.len;
    return 0;
}
