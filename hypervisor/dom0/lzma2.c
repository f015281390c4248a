/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lzma2.c - see lzma2.h; the format is that of the .xz specification and of LZMA as its authors describe it
 *
 *   I1  input: a symbol takes at most SYMBOL_MAX bytes. While more than that are left the chunk is read in place,
 *       its last bytes from a padded copy; being behind the real end after a symbol is an error.
 *   I2  output: no byte is written at or behind out_end, and none before dict_start is read.
 *   I3  the bits of a literal or a tree are decoded without a branch on their value: each would be a coin toss for
 *       the branch predictor, and the end of a translated block for an emulator.
 */
#include "dom0/lzma2.h"

#include <string.h>

#define STATES 12u
#define POS_STATES 16u
#define LIT_STATES 7u           /* states below: the last symbol was a literal */
#define PROB_INIT 1024u
#define TOP (1u << 24)
#define SYMBOL_MAX 64u
#define LC_LP_MAX 4u
#define MATCH_MIN 2u

#define INLINE static inline __attribute__((always_inline))

typedef uint16_t prob;

struct length_probs {
    prob choice, choice2;
    prob low[POS_STATES][8], mid[POS_STATES][8], high[256];
};

struct lzma2_probs {
    prob is_match[STATES][POS_STATES], is_rep[STATES], is_rep0[STATES], is_rep1[STATES], is_rep2[STATES];
    prob is_rep0_long[STATES][POS_STATES];
    prob slot[4][64], special[128], align[16];
    struct length_probs match_len, rep_len;
    prob literal[0x300 << LC_LP_MAX];
};

struct range {
    uint32_t range, code;
    const uint8_t *in;
};

struct lzma {
    struct lzma2_probs *p;
    uint32_t rep[4];
    unsigned state;
    unsigned lc, lp_mask, pos_mask;
    uint8_t *out;
    const uint8_t *dict_start;
};

/* ---- bits ---- */

INLINE void normalize(struct range *r)
{
    if (r->range < TOP) {
        r->range <<= 8;
        r->code = r->code << 8 | *r->in++;
    }
}

/* For decisions that lead to different code. */
INLINE bool bit_branch(struct range *r, prob *p)
{
    normalize(r);
    const uint32_t v = *p, bound = (r->range >> 11) * v;
    if (r->code < bound) {
        r->range = bound;
        *p = (prob)(v + ((2048 - v) >> 5));
        return false;
    }
    r->range -= bound;
    r->code -= bound;
    *p = (prob)(v - (v >> 5));
    return true;
}

/*
 * I3. One bit appended to @symbol. Written as instructions because compilers turn the choice back into a jump:
 * code < bound is a 0 (carry set), else a 1 takes the upper part of the range.
 */
INLINE uint32_t append_bit(struct range *r, prob *p, uint32_t symbol)
{
    normalize(r);
    const uint32_t v = *p;
    uint32_t bound = (r->range >> 11) * v, adjust = v + (31u - 2048u);
    const uint32_t rest = r->range - bound, code = r->code - bound;

    symbol *= 2;
    asm("cmp %[range], %[code]\n\tcmovae %[rest], %[range]\n\tcmovae %[less], %[code]\n\t"
        "cmovae %[v], %[adjust]\n\tsbb $-1, %[symbol]"
        : [range] "+r"(bound), [code] "+r"(r->code), [adjust] "+r"(adjust), [symbol] "+r"(symbol)
        : [rest] "r"(rest), [less] "r"(code), [v] "r"(v) : "cc");
    r->range = bound;
    /* Towards 0 or 2048 by a 32nd: one rounding shift does both. */
    *p = (prob)(v - (uint32_t)((int32_t)adjust >> 5));
    return symbol;
}

INLINE uint32_t tree_step(struct range *r, prob *p, uint32_t symbol)
{
    return append_bit(r, &p[symbol], symbol);
}

INLINE uint32_t tree3(struct range *r, prob *p)
{
    return tree_step(r, p, tree_step(r, p, tree_step(r, p, 1))) - 8;
}

INLINE uint32_t tree8(struct range *r, prob *p)
{
    uint32_t s = tree_step(r, p, tree_step(r, p, tree_step(r, p, tree_step(r, p, 1))));
    return tree_step(r, p, tree_step(r, p, tree_step(r, p, tree_step(r, p, s)))) - 256;
}

/* The same for @size = 2^bits, in little code. */
INLINE uint32_t tree_small(struct range *r, prob *p, uint32_t size)
{
    uint32_t s = 1;
    do
        s = tree_step(r, p, s);
    while (s < size);
    return s - size;
}

/* Low bit first. */
INLINE uint32_t tree_reverse(struct range *r, prob *p, unsigned bits)
{
    uint32_t s = 1, value = 0;
    for (unsigned i = 0; i < bits; i++) {
        s = tree_step(r, p, s);
        value |= (s & 1) << i;
    }
    return value;
}

INLINE uint32_t direct_bits(struct range *r, unsigned bits)
{
    uint32_t value = 0;
    do {
        normalize(r);
        r->range >>= 1;
        r->code -= r->range;
        const uint32_t below = 0u - (r->code >> 31);
        r->code += r->range & below;
        value = value * 2 + 1 + below;
    } while (--bits);
    return value;
}

/* ---- symbols ---- */

INLINE uint32_t match_step(struct range *r, prob *p, uint32_t symbol, uint32_t *match, uint32_t *offset)
{
    *match <<= 1;
    symbol = append_bit(r, &p[*offset + (*match & *offset) + symbol], symbol);
    *offset &= *match ^ ((symbol & 1) - 1);
    return symbol;
}

/* After a match the byte that would have continued it predicts this one, up to the first difference. */
INLINE uint32_t literal_after_match(struct range *r, prob *p, uint32_t match)
{
    uint32_t offset = 0x100, s = 1;
    for (unsigned i = 0; i < 8; i++)
        s = match_step(r, p, s, &match, &offset);
    return s;
}

INLINE uint32_t length(struct range *r, struct length_probs *p, unsigned pos_state)
{
    prob *tree = p->low[pos_state];
    uint32_t base = MATCH_MIN;

    if (bit_branch(r, &p->choice)) {
        if (bit_branch(r, &p->choice2))
            return MATCH_MIN + 16 + tree_small(r, p->high, 256);
        tree = p->mid[pos_state];
        base += 8;
    }
    return base + tree3(r, tree);
}

INLINE uint32_t distance(struct range *r, struct lzma2_probs *p, uint32_t len)
{
    const uint32_t slot = tree_small(r, p->slot[MIN(len - MATCH_MIN, 3u)], 64);
    if (slot < 4)
        return slot;
    const unsigned bits = (slot >> 1) - 1;
    const uint32_t base = (2 | (slot & 1)) << bits;
    if (slot < 14)
        return base + tree_reverse(r, p->special + base - slot, bits);
    const uint32_t high = direct_bits(r, bits - 4) << 4;
    return base + high + tree_reverse(r, p->align, 4);
}

/* Copy @len bytes from @dist back; what it produces may be what it reads. Words may overrun up to @out_end (I2). */
INLINE void copy_match(uint8_t *out, uint64_t dist, uint32_t len, const uint8_t *out_end)
{
    const uint8_t *from = out - dist;

    if (dist >= 8 && (uint64_t)(out_end - out) >= len + 8u) {
        uint8_t *const end = out + len;
        do {
            uint64_t w;
            memcpy(&w, from, 8);
            memcpy(out, &w, 8);
            from += 8;
            out += 8;
        } while (out < end);
        return;
    }
    do
        *out++ = *from++;
    while (--len);
}

/*
 * One chunk: @end - @in bytes give exactly @limit - l->out bytes. The whole loop is one function on a page of its own, so that
 * an emulator can chain all its blocks.
 */
static __attribute__((noinline, aligned(4096))) bool chunk(struct lzma *l, const uint8_t *in, const uint8_t *end,
                                                           const uint8_t *limit, const uint8_t *out_end)
{
    struct lzma2_probs *const p = l->p;
    uint8_t tail[2 * SYMBOL_MAX];
    bool in_tail = false;
    uint8_t *out = l->out;
    uint32_t rep0 = l->rep[0], rep1 = l->rep[1], rep2 = l->rep[2], rep3 = l->rep[3];
    unsigned state = l->state;

    if (end - in < 5 || in[0] != 0)
        return false;
    struct range r = { ~0u, (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | in[4], in + 5 };
    const uint8_t *stop = end - in > SYMBOL_MAX ? end - SYMBOL_MAX : in;

    while (out < limit) {
        if (unlikely(r.in >= stop)) {                                           /* I1 */
            if (in_tail || r.in > end) {
                if (r.in > stop)
                    return false;
            } else {
                const size_t left = (size_t)(end - r.in);
                memcpy(tail, r.in, left);
                memset(tail + left, 0, sizeof(tail) - left);
                r.in = tail;
                stop = tail + left;
                in_tail = true;
            }
        }
        const uint64_t pos = (uint64_t)(out - l->dict_start);
        const unsigned pos_state = (unsigned)pos & l->pos_mask;

        if (!bit_branch(&r, &p->is_match[state][pos_state])) {
            const uint32_t before = pos ? out[-1] : 0;
            prob *lit = &p->literal[0x300u * ((((unsigned)pos & l->lp_mask) << l->lc) + (before >> (8 - l->lc)))];
            if (state < LIT_STATES) {
                *out++ = (uint8_t)tree8(&r, lit);
            } else {
                if (rep0 >= pos)
                    return false;
                const uint32_t s = literal_after_match(&r, lit, out[-(int64_t)rep0 - 1]);
                *out++ = (uint8_t)s;
            }
            state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
            continue;
        }
        const bool is_rep = bit_branch(&r, &p->is_rep[state]);
        if (!is_rep) {
            rep3 = rep2;
            rep2 = rep1;
            rep1 = rep0;
        } else if (!bit_branch(&r, &p->is_rep0[state])) {
            if (!bit_branch(&r, &p->is_rep0_long[state][pos_state])) {
                if (rep0 >= pos)
                    return false;
                *out = out[-(int64_t)rep0 - 1];
                out++;
                state = state < LIT_STATES ? 9 : 11;
                continue;
            }
        } else {
            uint32_t d;
            if (!bit_branch(&r, &p->is_rep1[state])) {
                d = rep1;
            } else {
                if (!bit_branch(&r, &p->is_rep2[state])) {
                    d = rep2;
                } else {
                    d = rep3;
                    rep3 = rep2;
                }
                rep2 = rep1;
            }
            rep1 = rep0;
            rep0 = d;
        }
        const uint32_t len = length(&r, is_rep ? &p->rep_len : &p->match_len, pos_state);
        if (!is_rep)
            rep0 = distance(&r, p, len);
        state = (state < LIT_STATES ? 7u : 10u) + is_rep;
        if (rep0 >= pos || len > (uint64_t)(limit - out))
            return false;                                                       /* I2 */
        copy_match(out, (uint64_t)rep0 + 1, len, out_end);
        out += len;
    }
    normalize(&r);
    l->out = out;
    l->rep[0] = rep0;
    l->rep[1] = rep1;
    l->rep[2] = rep2;
    l->rep[3] = rep3;
    l->state = state;
    return r.code == 0 && r.in == (in_tail ? stop : end);
}

/* ---- chunks ---- */

static void reset_state(struct lzma *l)
{
    prob *p = (prob *)l->p;

    for (size_t i = 0; i < sizeof(*l->p) / sizeof(prob); i++)
        p[i] = PROB_INIT;
    memset(l->rep, 0, sizeof(l->rep));
    l->state = 0;
}

static bool set_props(struct lzma *l, unsigned props)
{
    if (props > (4 * 5 + 4) * 9 + 8)
        return false;
    const unsigned lc = props % 9, lp = props / 9 % 5, pb = props / 45;
    if (lc + lp > LC_LP_MAX)
        return false;
    l->lc = lc;
    l->lp_mask = (1u << lp) - 1;
    l->pos_mask = (1u << pb) - 1;
    return true;
}

size_t lzma2_work_size(void)
{
    return sizeof(struct lzma2_probs);
}

bool lzma2_decode(void *work, const uint8_t **in, const uint8_t *in_end, uint8_t *out, uint64_t out_size, uint64_t *done)
{
    struct lzma l = { .p = work, .out = out, .dict_start = out };
    const uint8_t *p = *in, *const out_end = out + out_size;
    bool need_dict = true, need_props = true, need_state = true;

    for (;;) {
        if (p >= in_end)
            return false;
        const unsigned control = *p++;
        if (control == 0)
            break;
        const bool lzma = control >= 0x80;
        if ((!lzma && control > 2) || in_end - p < (lzma ? 5 : 2))
            return false;
        if (control == 1 || control >= 0xe0) {
            need_dict = false;
            l.dict_start = l.out;
        } else if (need_dict) {
            return false;
        }
        uint64_t size = ((uint64_t)p[0] << 8 | p[1]) + 1;
        if (lzma)
            size += (uint64_t)(control & 0x1f) << 16;
        if (size > (uint64_t)(out_end - l.out))
            return false;
        p += 2;
        if (!lzma) {
            if (size > (uint64_t)(in_end - p))
                return false;
            memcpy(l.out, p, size);
            l.out += size;
            p += size;
            continue;
        }
        const uint64_t packed = ((uint64_t)p[0] << 8 | p[1]) + 1;
        p += 2;
        if (control >= 0xc0) {
            need_props = !set_props(&l, *p++);
            if (need_props)
                return false;
        }
        if (control >= 0xa0) {
            reset_state(&l);
            need_state = false;
        }
        if (need_props || need_state || packed > (uint64_t)(in_end - p) ||
            !chunk(&l, p, p + packed, l.out + size, out_end))
            return false;
        p += packed;
    }
    *in = p;
    *done = (uint64_t)(l.out - out);
    return true;
}
