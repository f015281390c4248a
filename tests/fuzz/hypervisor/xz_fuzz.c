/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xz_fuzz.c - our .xz decoder against liblzma
 *
 * First byte even: the rest is a damaged or random file; if we accept it, liblzma must, with the same bytes. Odd: the rest
 * is data to compress with settings from the second byte; we must give it back.
 */
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0/xz.h"

#define ROOM (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Exact-size copies: the sanitizer sees each overrun. */
static int ours(const uint8_t *file, size_t n, uint8_t *out, uint64_t room, uint64_t *done)
{
    const char *why = NULL;
    uint8_t *in = malloc(n ? n : 1);

    memcpy(in, file, n);
    const int rc = xz_unpack(in, n, out, room, done, &why);
    check(rc == 0 || why, "an error without a reason");
    check(rc != 0 || *done <= room, "more than there is room for");
    free(in);
    return rc;
}

static void compare_decoders(const uint8_t *file, size_t n)
{
    uint8_t *a = malloc(ROOM), *b = malloc(ROOM);
    uint64_t done = 0, limit = 1UL << 28;
    size_t in_pos = 0, out_pos = 0;

    if (ours(file, n, a, ROOM, &done) == 0) {
        const lzma_ret r = lzma_stream_buffer_decode(&limit, 0, NULL, file, &in_pos, n, b, &out_pos, ROOM);
        check(r == LZMA_OK, "liblzma refuses it");
        check(out_pos == done && memcmp(a, b, done) == 0, "different bytes");
    }
    free(a);
    free(b);
}

static void round_trip(unsigned settings, const uint8_t *data, size_t n)
{
    static const uint8_t presets[] = { 0, 1, 6, 9 | 0x80 };
    const size_t room = lzma_stream_buffer_bound(n);
    uint8_t *packed = malloc(room), *out = malloc(n ? n : 1);
    lzma_options_lzma opt;
    size_t len = 0;
    uint64_t done = 0;

    const uint8_t p = presets[settings & 3];
    lzma_lzma_preset(&opt, (p & 0x7f) | (p & 0x80 ? LZMA_PRESET_EXTREME : 0u));
    opt.dict_size = 1u << 16;
    opt.lc = settings >> 2 & 3;
    opt.lp = settings >> 4 & 1;
    opt.pb = settings >> 5 & 3;
    lzma_filter with_x86[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &opt }, { LZMA_VLI_UNKNOWN, NULL } };
    lzma_filter *chain = settings & 0x80 ? with_x86 : with_x86 + 1;
    check(lzma_stream_buffer_encode(chain, settings & 1 ? LZMA_CHECK_CRC32 : LZMA_CHECK_NONE, NULL, data, n, packed, &len,
                                    room) == LZMA_OK, "liblzma does not compress");
    check(ours(packed, len, out, n, &done) == 0, "refused what liblzma wrote");
    check(done == n && memcmp(out, data, n) == 0, "came back different");
    if (n)
        check(ours(packed, len, out, n - 1, &done) != 0, "fits where it cannot");
    if (len)
        check(ours(packed, len - 1, out, n, &done) != 0, "accepted when cut");
    free(packed);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] & 1)
        round_trip(data[1], data + 2, size - 2);
    else
        compare_decoders(data + 1, size - 1);
    return 0;
}
