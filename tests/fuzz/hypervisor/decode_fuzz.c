/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode_fuzz.c - raw bytes into the decoder; whatever it accepts must have the length that a second decoder finds
 *
 * The oracle knows nothing but lengths: two strings of 256 letters say what follows each opcode in 64-bit mode.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emul/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * . nothing   m ModRM   r ModRM, registers only   i imm8   z imm16/32   w imm16   e imm16 + imm8   v imm of operand size
 * o address   M ModRM imm8   Z ModRM immz   f F6 group   F F7 group   x invalid or prefix
 */
static const char one_byte[] =
    "mmmmizxxmmmmizxx" "mmmmizxxmmmmizxx" "mmmmizxxmmmmizxx" "mmmmizxxmmmmizxx"
    "xxxxxxxxxxxxxxxx" "................" "xxxmxxxxzZiM...." "iiiiiiiiiiiiiiii"
    "MZxMmmmmmmmmmmmm" "..........x....." "oooo....iz......" "iiiiiiiivvvvvvvv"
    "MMw.xxMZe.w..ix." "mmmmxxx.mmmmmmmm" "iiiiiiiizzxi...." "x.xx..fF......mm";
static const char two_byte[] =
    "mmmmx.....x.xm.x" "mmmmmmmmmmmmmmmm" "rrrrxxxxmmmmmmmm" "......x.xxxxxxxx"
    "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "MMMMmmm.mmmmmmmm"
    "zzzzzzzzzzzzzzzz" "mmmmmmmmmmmmmmmm" "...mMmxx...mMmmm" "mmmmmmmmmmMmmmmm"
    "mmMmMMMm........" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";

static unsigned modrm_length(const uint8_t *p)
{
    const unsigned mod = p[0] >> 6, rm = p[0] & 7;
    unsigned n = 1;

    if (mod == 3)
        return n;
    unsigned base = rm;
    if (rm == 4) {
        base = p[1] & 7;
        n++;
    }
    if (mod == 0)
        return base == 5 ? n + 4 : n;
    return n + (mod == 1 ? 1 : 4);
}

/* @p has 32 readable bytes. 0: not known to this table. */
static unsigned oracle_length(const uint8_t *p)
{
    unsigned n = 0, imm = 4, rex = 0;

    while (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", p[n]) && p[n]) {
        if (p[n] == 0x66)
            imm = 2;
        if (++n > 15)
            return 0;
    }
    for (; (p[n] & 0xf0) == 0x40; n++) {
        rex = p[n];
        if (n > 15)
            return 0;
        /* a legacy prefix behind a REX takes its effect away: start over there */
        if (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", p[n + 1]) && p[n + 1]) {
            const unsigned rest = oracle_length(p + n + 1);
            if (!rest || imm == 2)      /* the rest did not see our 66 */
                return 0;
            return n + 1 + rest;
        }
    }
    if (rex & 8)
        imm = 4;
    const bool escape = p[n] == 0x0f;
    n += escape;
    const char kind = escape ? two_byte[p[n]] : one_byte[p[n]];
    n++;
    switch (kind) {
    case '.': return n;
    case 'm': return n + modrm_length(p + n);
    case 'r': return n + 1;
    case 'i': return n + 1;
    case 'z': return n + imm;
    case 'w': return n + 2;
    case 'e': return n + 3;
    case 'M': return n + modrm_length(p + n) + 1;
    case 'Z': return n + modrm_length(p + n) + imm;
    default: return 0;
    }
}

static void check(bool ok, const uint8_t *p, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s:", what);
    for (unsigned i = 0; i < 15; i++)
        fprintf(stderr, " %02x", p[i]);
    fprintf(stderr, "\n");
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t padded[64] = { 0 };
    struct insn i, j;

    memcpy(padded, data, size < 32 ? size : 32);
    for (unsigned mode = 0; mode < 2; mode++) {
        if (insn_decode(&i, padded, 32, mode) != DECODE_OK)
            continue;
        check(i.length >= 1 && i.length <= 15, padded, "length");
        check(i.op_size == 1 || i.op_size == 2 || i.op_size == 4 || i.op_size == 8, padded, "operand size");
        if (mode) {
            const unsigned expected = oracle_length(padded);
            check(expected == 0 || expected == i.length, padded, "oracle disagrees");
        }
        /* Exactly those bytes are looked at: fewer are not enough, others behind do not matter. */
        for (unsigned n = 0; n < i.length; n++) {
            uint8_t *cut = malloc(n + 1);
            memcpy(cut, padded, n);
            check(insn_decode(&j, cut, n, mode) != DECODE_OK, padded, "accepted when cut");
            free(cut);
        }
        uint8_t *exact = malloc(i.length);
        memcpy(exact, padded, i.length);
        check(insn_decode(&j, exact, i.length, mode) == DECODE_OK && memcmp(&i, &j, sizeof(i)) == 0, padded, "depends on what follows");
        free(exact);
    }
    return 0;
}
