/* SPDX-License-Identifier: GPL-2.0-or-later */
/* string.c - freestanding string functions; rep movs/stos are the fastest short form on every CPU we run on */
#include <string.h>

#include "types.h"

/* Unaligned words; may_alias because anything may be copied. */
typedef uint64_t word __attribute__((may_alias, aligned(1)));
typedef uint32_t half __attribute__((may_alias, aligned(1)));

/*
 * Short copies by two words that overlap in the middle, medium ones word by word, large ones by the string
 * instruction in 8-byte steps. Decompression makes tens of millions of short ones: no start-up cost there.
 * Right also for overlapping ranges with @d below @s: what is read was not written before.
 */
static void copy_forward(unsigned char *d, const unsigned char *s, size_t n)
{
    if (n >= 8) {
        const uint64_t last = *(const word *)(s + n - 8);
        word *const end = (word *)(d + n - 8);
        size_t words = (n - 1) / 8;
        if (words >= 64) {
            asm volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
        } else {
            for (; words; words--, d += 8, s += 8)
                *(word *)d = *(const word *)s;
        }
        *end = last;
    } else if (n >= 4) {
        const uint32_t first = *(const half *)s, last = *(const half *)(s + n - 4);
        *(half *)d = first;
        *(half *)(d + n - 4) = last;
    } else {
        while (n--)
            *d++ = *s++;
    }
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    copy_forward(dst, src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if ((uintptr_t)dst - (uintptr_t)src >= n) {
        copy_forward(d, s, n);
        return dst;
    }
    for (; n >= 8; n -= 8)
        *(word *)(d + n - 8) = *(const word *)(s + n - 8);
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    size_t words = ((uintptr_t)dst & 7) == 0 ? n / 8 : 0;
    n -= words * 8;
    asm volatile("rep stosq" : "+D"(d), "+c"(words) : "a"((uint64_t)(unsigned char)c * 0x0101010101010101UL) : "memory");
    asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    return strnlen(s, ~0UL);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return (unsigned char)a[i] - (unsigned char)b[i];
        if (!a[i])
            break;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, ~0UL);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *hay, const char *needle)
{
    const size_t n = strlen(needle);
    for (; *hay; hay++) {
        if (!strncmp(hay, needle, n))
            return (char *)(uintptr_t)hay;
    }
    return n ? NULL : (char *)(uintptr_t)hay;
}
