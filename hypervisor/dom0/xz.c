/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xz.c - the container around LZMA2 (.xz file format 1.0.4) and the x86 branch filter
 *
 *   I1  every field is read through struct reader, which cannot leave the file.
 *   I2  headers, index and footer are checked against their CRC32, the sizes in the index against what was decoded.
 */
#include "dom0/xz.h"

#include <string.h>

#include "dom0/lzma2.h"
#include "heap.h"
#include "hv_errno.h"

#define FILTER_X86 0x04
#define FILTER_LZMA2 0x21
#define CHECK_NONE 0
#define CHECK_CRC32 1
#define MAX_BLOCKS 64u

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

struct block {
    uint64_t unpadded, unpacked;
    bool x86;
    uint32_t x86_start;
};

struct stream {
    struct reader r;
    uint8_t check;
    unsigned nr_blocks;
    struct block blocks[MAX_BLOCKS];
    uint32_t crc_table[8][256];
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- CRC32, eight bytes a step ---- */

static void crc_init(struct stream *s)
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        s->crc_table[0][i] = c;
    }
    for (unsigned k = 1; k < 8; k++)
        for (unsigned i = 0; i < 256; i++) {
            const uint32_t c = s->crc_table[k - 1][i];
            s->crc_table[k][i] = c >> 8 ^ s->crc_table[0][c & 0xff];
        }
}

/* Loops that see every byte are aligned so that none straddles a page: emulators cannot chain blocks across one. */
static __attribute__((aligned(512))) uint32_t crc32_of(const struct stream *s, const uint8_t *p, uint64_t n)
{
    const uint32_t (*const t)[256] = s->crc_table;
    uint32_t c = ~0u;

    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= c;
        c = t[7][w & 0xff] ^ t[6][w >> 8 & 0xff] ^ t[5][w >> 16 & 0xff] ^ t[4][w >> 24 & 0xff] ^
            t[3][w >> 32 & 0xff] ^ t[2][w >> 40 & 0xff] ^ t[1][w >> 48 & 0xff] ^ t[0][w >> 56];
    }
    while (n--)
        c = c >> 8 ^ t[0][(c ^ *p++) & 0xff];
    return ~c;
}

/* ---- reading ---- */

static uint8_t take(struct reader *r)
{
    if (r->p >= r->end) {
        r->bad = true;
        return 0;
    }
    return *r->p++;
}

static uint32_t take32(struct reader *r)
{
    uint32_t v = take(r);
    v |= (uint32_t)take(r) << 8;
    v |= (uint32_t)take(r) << 16;
    return v | (uint32_t)take(r) << 24;
}

/* Variable-length number: 7 bits a byte, at most 9 bytes, no padding. */
static uint64_t take_number(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 9; i++) {
        const uint8_t b = take(r);
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (!(b & 0x80)) {
            r->bad |= b == 0 && i != 0;
            return v;
        }
    }
    r->bad = true;
    return 0;
}

/* ---- x86 filter ---- */

static bool sign_byte(uint32_t b)
{
    return (b & 0xff) == 0 || (b & 0xff) == 0xff;
}

/* First byte at or behind @i that is E8 or E9 (CALL, JMP), or @end. */
static inline __attribute__((always_inline)) uint64_t next_branch(const uint8_t *p, uint64_t i, uint64_t end)
{
    for (; i + 8 <= end; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        w = (w ^ 0xe8e8e8e8e8e8e8e8) & 0xfefefefefefefefe;
        w = (w - 0x0101010101010101) & ~w & 0x8080808080808080;
        if (w)
            return i + (unsigned)__builtin_ctzl(w) / 8;
    }
    while (i < end && (p[i] & 0xfe) != 0xe8)
        i++;
    return i;
}

/*
 * The operand at @p was made absolute by the encoder: back to relative. @skipped marks which of the three bytes before
 * are opcodes that were left alone; when the result would look like one of theirs, it was complemented to keep the
 * mapping one-to-one.
 */
static uint32_t to_relative(uint32_t value, uint32_t next, uint32_t skipped)
{
    const unsigned bits = skipped ? 8 * (32 - (unsigned)__builtin_clz(skipped)) : 0;

    for (;;) {
        const uint32_t v = value - next;
        if (!bits || !sign_byte(v >> (24 - bits))) {
            const uint32_t low = v & 0x01ffffff;
            return low | (0u - (low & 0x01000000));
        }
        value = v ^ ((1u << (32 - bits)) - 1);
    }
}

/* Undo the encoder's x86 filter on a whole block. */
static __attribute__((noinline, aligned(1024))) void x86_unfilter(uint8_t *p, uint64_t size, uint32_t start)
{
    uint64_t last = ~0UL;               /* where the latest opcode byte was, converted or not */
    uint32_t skipped = 0;

    if (size < 5)
        return;
    for (uint64_t i = 0; (i = next_branch(p, i, size - 4)) < size - 4;) {
        const uint64_t gap = i - last;
        skipped = last == ~0UL || gap > 3 ? 0 : (skipped << (gap - 1)) & 7;
        last = i;
        const unsigned bytes = skipped ? 32 - (unsigned)__builtin_clz(skipped) : 0;
        const bool inside = skipped && (__builtin_popcount(skipped) > 1 || sign_byte(p[i + 4 - bytes]));
        if (inside || !sign_byte(p[i + 4])) {
            skipped = skipped << 1 | 1;
            i++;
            continue;
        }
        const uint32_t v = to_relative(get32(p + i + 1), start + (uint32_t)i + 5, skipped);
        memcpy(p + i + 1, &v, 4);
        i += 5;
    }
}

/* ---- structure ---- */

static bool stream_header(struct stream *s)
{
    static const uint8_t magic[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
    struct reader *r = &s->r;

    if (r->end - r->p < 12 || memcmp(r->p, magic, 6) != 0 || get32(r->p + 8) != crc32_of(s, r->p + 6, 2))
        return false;
    if (r->p[6] != 0 || r->p[7] > 0xf)
        return false;
    s->check = r->p[7];
    r->p += 12;
    return true;
}

/* Filters: [x86,] LZMA2. */
static bool filters(struct reader *h, unsigned count, struct block *b)
{
    for (unsigned i = 0; i < count; i++) {
        const uint64_t id = take_number(h), props = take_number(h);
        if (id == FILTER_X86 && i + 1 < count && !b->x86 && (props == 0 || props == 4)) {
            b->x86 = true;
            b->x86_start = props ? take32(h) : 0;
        } else if (id == FILTER_LZMA2 && i + 1 == count && props == 1) {
            take(h);            /* dictionary size: the output is the dictionary */
        } else {
            return false;
        }
    }
    return !h->bad;
}

static int block_header(struct stream *s, struct block *b, uint64_t *packed, uint64_t *unpacked, const char **why)
{
    struct reader *r = &s->r;
    const uint64_t size = ((uint64_t)*r->p + 1) * 4;

    *why = "corrupt xz block header";
    if (size > (uint64_t)(r->end - r->p) || get32(r->p + size - 4) != crc32_of(s, r->p, size - 4))
        return -EINVAL;
    struct reader h = { r->p + 1, r->p + size - 4, false };
    const uint8_t flags = take(&h);
    *packed = flags & 0x40 ? take_number(&h) : 0;
    *unpacked = flags & 0x80 ? take_number(&h) : 0;
    *why = "xz filters other than x86 and LZMA2";
    if (flags & 0x3c || !filters(&h, (flags & 3) + 1u, b))
        return -EINVAL;
    *why = "corrupt xz block header";
    while (h.p < h.end)
        h.bad |= take(&h) != 0;
    r->p += size;
    return h.bad ? -EINVAL : 0;
}

static int one_block(struct stream *s, void *work, uint8_t *out, uint64_t room, uint64_t *done, const char **why)
{
    struct reader *r = &s->r;
    const uint8_t *start = r->p;
    uint64_t packed, unpacked;

    *why = "xz file of too many blocks";
    if (s->nr_blocks == MAX_BLOCKS)
        return -EINVAL;
    struct block *b = &s->blocks[s->nr_blocks++];
    *b = (struct block){ 0 };
    const int rc = block_header(s, b, &packed, &unpacked, why);
    if (rc)
        return rc;
    const uint8_t *data = r->p;
    *why = "corrupt or truncated xz data, or it does not fit its claimed size";
    if (!lzma2_decode(work, &r->p, r->end, out, room, done))
        return -EINVAL;
    if ((packed && packed != (uint64_t)(r->p - data)) || (unpacked && unpacked != *done))
        return -EINVAL;
    b->unpacked = *done;
    b->unpadded = (uint64_t)(r->p - start) + (s->check == CHECK_CRC32 ? 4 : 0);
    while ((r->p - start) & 3)
        r->bad |= take(r) != 0;
    if (b->x86)
        x86_unfilter(out, *done, b->x86_start);
    *why = "xz checksum mismatch";
    if (s->check == CHECK_CRC32 && take32(r) != crc32_of(s, out, *done))
        return -EINVAL;
    return r->bad ? -EINVAL : 0;
}

static bool index_and_footer(struct stream *s)
{
    struct reader *r = &s->r;
    const uint8_t *start = r->p;

    take(r);
    r->bad |= take_number(r) != s->nr_blocks;
    for (unsigned i = 0; i < s->nr_blocks && !r->bad; i++)
        r->bad |= take_number(r) != s->blocks[i].unpadded || take_number(r) != s->blocks[i].unpacked;
    while ((r->p - start) & 3)
        r->bad |= take(r) != 0;
    if (r->bad || r->end - r->p < 16)
        return false;
    const uint64_t size = (uint64_t)(r->p - start) + 4;
    const uint8_t *f = r->p + 4;
    return get32(r->p) == crc32_of(s, start, size - 4) && get32(f) == crc32_of(s, f + 4, 6) &&
           get32(f + 4) == size / 4 - 1 && f[8] == 0 && f[9] == s->check && f[10] == 'Y' && f[11] == 'Z';
}

static int unpack(struct stream *s, void *work, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why)
{
    uint64_t n;

    crc_init(s);
    *why = "corrupt xz header";
    if (!stream_header(s))
        return -EINVAL;
    *why = "xz check other than CRC32";
    if (s->check != CHECK_NONE && s->check != CHECK_CRC32)
        return -EINVAL;
    for (*done = 0; s->r.p < s->r.end && *s->r.p != 0; *done += n) {
        const int rc = one_block(s, work, out + *done, out_size - *done, &n, why);
        if (rc)
            return rc;
    }
    *why = "corrupt or truncated xz index";
    return index_and_footer(s) ? 0 : -EINVAL;
}

int xz_unpack(const uint8_t *in, uint64_t size, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why)
{
    struct stream *s = heap_alloc(sizeof(*s));
    void *work = heap_alloc(lzma2_work_size());
    int rc = -ENOMEM;

    *why = "not enough memory to unpack the kernel";
    if (s && work) {
        s->r = (struct reader){ in, in + size, false };
        rc = unpack(s, work, out, out_size, done, why);
    }
    heap_free(work);
    heap_free(s);
    return rc;
}
