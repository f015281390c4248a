/* SPDX-License-Identifier: MIT */
/* String functions and number formatting; owns no state. Also built on the host by the unit tests. */
#include "lib.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    void *ret = dst;

    size_t words = n / 8, bytes = n % 8;

    asm volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(bytes) : : "memory");
    return ret;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    while (n-- > 0)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    void *ret = dst;

    size_t words = n / 8, bytes = n % 8;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101UL;

    asm volatile("rep stosq" : "+D"(dst), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(dst), "+c"(bytes) : "a"(pattern) : "memory");
    return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
        if (a[i] == '\0')
            break;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (*s == '\0')
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    char *last = NULL;

    do {
        if (*s == (char)c)
            last = (char *)(uintptr_t)s;
    } while (*s++ != '\0');
    return last;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

uint64_t parse_number(const char **s)
{
    uint64_t value = 0;
    int base = 10;

    if ((*s)[0] == '0' && ((*s)[1] == 'x' || (*s)[1] == 'X')) {
        base = 16;
        *s += 2;
    }
    for (; digit_of(**s) < base; (*s)++)
        value = value * (unsigned)base + (unsigned)digit_of(**s);
    return value;
}

struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_padded(struct out *o, const char *s, size_t n, size_t width, char pad, bool left)
{
    size_t fill = width > n ? width - n : 0;

    if (!left)
        for (size_t i = 0; i < fill; i++)
            put(o, pad);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
    if (left)
        for (size_t i = 0; i < fill; i++)
            put(o, ' ');
}

static void put_number(struct out *o, uint64_t value, unsigned base, bool negative, size_t width,
                       char pad, bool left)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative && pad == '0') {
        put(o, '-');
        width -= width > 0;
    } else if (negative) {
        digits[--at] = '-';
    }
    put_padded(o, digits + at, sizeof(digits) - at, width, pad, left);
}

struct spec {
    bool left, wide;
    char pad;
    size_t width, precision;
};

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
    *s = (struct spec){ .pad = ' ', .precision = SIZE_MAX };
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->pad = '0';
        else
            break;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = s->width * 10 + (size_t)(*f - '0');
    if (*f == '.') {
        s->precision = 0;
        if (*++f == '*') {
            s->precision = (size_t)va_arg(*ap, int);
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++)
            s->precision = s->precision * 10 + (size_t)(*f - '0');
    }
    for (; *f == 'l' || *f == 'z'; f++)
        s->wide = true;
    return f;
}

static void put_string(struct out *o, const char *text, const struct spec *s)
{
    size_t n = 0;

    if (text == NULL)
        text = "(null)";
    while (n < s->precision && text[n] != '\0')
        n++;
    put_padded(o, text, n, s->width, ' ', s->left);
}

int vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
    struct out o = { buf, size, 0 };
    struct spec s;
    va_list ap;

    va_copy(ap, args);
    for (const char *f = format; *f != '\0'; f++) {
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(f + 1, &s, &ap);
        if (*f == '\0')
            break;
        if (*f == 'd' || *f == 'i') {
            int64_t v = s.wide ? va_arg(ap, long) : va_arg(ap, int);
            put_number(&o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0, s.width, s.pad, s.left);
        } else if (*f == 'u' || *f == 'x' || *f == 'X' || *f == 'p') {
            uint64_t v = s.wide || *f == 'p' ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);
            put_number(&o, v, *f == 'u' ? 10 : 16, false, s.width, s.pad, s.left);
        } else if (*f == 's') {
            put_string(&o, va_arg(ap, const char *), &s);
        } else if (*f == 'c') {
            put(&o, (char)va_arg(ap, int));
        } else {
            put(&o, *f);
        }
    }
    va_end(ap);
    if (size > 0)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int n = vsnprintf(buf, size, format, ap);
    va_end(ap);
    return n;
}
