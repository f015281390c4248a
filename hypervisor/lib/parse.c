/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.c - bounded copies and numbers from command lines */
#include "lib.h"

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t i = 0;
    if (size == 0)
        return false;
    for (; src[i] && i + 1 < size; i++)
        dst[i] = src[i];
    dst[i] = '\0';
    return src[i] == '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

uint64_t parse_u64(const char *s, const char **end)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
        base = 16;
        s += 2;
    }
    for (; digit_value(*s) < (int)base; s++) {
        uint64_t next;
        if (__builtin_mul_overflow(v, base, &next) || __builtin_add_overflow(next, (uint64_t)digit_value(*s), &next))
            next = ~0UL;
        v = v == ~0UL ? v : next;
    }
    if (end)
        *end = s;
    return v;
}

uint64_t parse_size(const char *s, const char **end, unsigned dflt_shift)
{
    static const char suffix[] = "bkmgt";
    const char *e;
    const uint64_t v = parse_u64(s, &e);
    unsigned shift = dflt_shift;
    for (unsigned i = 0; i < 5 && e != s; i++) {
        if ((*e | 0x20) == suffix[i]) {
            shift = i * 10;
            e++;
            break;
        }
    }
    if (end)
        *end = e;
    return v > (~0UL >> shift) ? ~0UL : v << shift;
}
