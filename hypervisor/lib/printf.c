/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printf.c - the formats that print.h lists, into a bounded buffer
 */
#include "print.h"

#include <string.h>

struct out {
    char *buf;
    size_t size, len;
};

static void emit(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

struct spec {
    bool left, zero, alt;
    int width, precision;       /* precision -1: none */
    unsigned longs;
};

static void emit_padded(struct out *o, const char *s, size_t n, const struct spec *sp, char pad)
{
    const size_t width = sp->width > 0 ? (size_t)sp->width : 0;
    for (size_t i = n; !sp->left && i < width; i++)
        emit(o, pad);
    for (size_t i = 0; i < n; i++)
        emit(o, s[i]);
    for (size_t i = n; sp->left && i < width; i++)
        emit(o, ' ');
}

static void emit_number(struct out *o, uint64_t v, bool negative, unsigned base, bool upper, struct spec *sp)
{
    char tmp[24];
    size_t n = sizeof(tmp);
    do {
        const unsigned digit = (unsigned)(v % base);
        tmp[--n] = (char)(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10);
        v /= base;
    } while (v);
    if (sp->zero && !sp->left) {
        if (negative) {
            emit(o, '-');
            sp->width--;
        }
        emit_padded(o, tmp + n, sizeof(tmp) - n, sp, '0');
        return;
    }
    if (sp->alt && base == 16) {
        tmp[--n] = 'x';
        tmp[--n] = '0';
    }
    if (negative)
        tmp[--n] = '-';
    emit_padded(o, tmp + n, sizeof(tmp) - n, sp, ' ');
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *ap)
{
    *sp = (struct spec){ .precision = -1 };
    for (;; f++) {
        if (*f == '-')
            sp->left = true;
        else if (*f == '0')
            sp->zero = true;
        else if (*f == '#')
            sp->alt = true;
        else
            break;
    }
    if (*f == '*') {
        sp->width = va_arg(*ap, int);
        f++;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        sp->width = sp->width * 10 + (*f - '0');
    if (*f == '.') {
        sp->precision = 0;
        f++;
        if (*f == '*') {
            sp->precision = va_arg(*ap, int);
            f++;
        }
        for (; *f >= '0' && *f <= '9'; f++)
            sp->precision = sp->precision * 10 + (*f - '0');
    }
    for (; *f == 'l' || *f == 'z'; f++)
        sp->longs++;
    return f;
}

static void emit_conversion(struct out *o, char c, struct spec *sp, va_list *ap)
{
    switch (c) {
    case 'd': {
        const int64_t v = sp->longs ? va_arg(*ap, int64_t) : va_arg(*ap, int);
        emit_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, 10, false, sp);
        break;
    }
    case 'u':
    case 'x':
    case 'X': {
        const uint64_t v = sp->longs ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);
        emit_number(o, v, false, c == 'u' ? 10 : 16, c == 'X', sp);
        break;
    }
    case 'p':
        sp->zero = true;
        sp->width = 16;
        emit_number(o, (uint64_t)(uintptr_t)va_arg(*ap, void *), false, 16, false, sp);
        break;
    case 'c': {
        const char ch = (char)va_arg(*ap, int);
        emit_padded(o, &ch, 1, sp, ' ');
        break;
    }
    case 's': {
        const char *s = va_arg(*ap, const char *);
        if (!s)
            s = "(null)";
        emit_padded(o, s, sp->precision >= 0 ? strnlen(s, (size_t)sp->precision) : strlen(s), sp, ' ');
        break;
    }
    default:
        emit(o, c);
    }
}

int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap_in)
{
    struct out o = { buf, size, 0 };
    va_list ap;
    va_copy(ap, ap_in);
    for (const char *f = fmt; *f; f++) {
        if (*f != '%') {
            emit(&o, *f);
            continue;
        }
        struct spec sp;
        f = parse_spec(f + 1, &sp, &ap);
        if (!*f)
            break;
        emit_conversion(&o, *f, &sp, &ap);
    }
    va_end(ap);
    if (size)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return (int)o.len;
}

int hv_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = hv_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
