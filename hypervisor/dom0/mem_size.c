/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_size.c - see mem_size.h
 *
 *   I1  arithmetic saturates: an absurd number means "all", it never wraps into a small one.
 */
#include "dom0/mem_size.h"

#include <string.h>

#include "hv_errno.h"
#include "lib/lib.h"

#define RESERVE_MAX ((128UL << 20) >> PAGE_SHIFT)

struct size_spec {
    uint64_t pages;
    unsigned percent;
    bool given, negative;
};

static const char *parse_spec(const char *s, struct size_spec *out)
{
    const char *end;

    *out = (struct size_spec){ .given = true };
    if (*s == '-') {
        out->negative = true;
        s++;
    }
    uint64_t n = parse_u64(s, &end);
    if (end == s)
        return NULL;
    if (*end != '%') {
        out->pages = parse_size(s, &end, 10) >> PAGE_SHIFT;
        if (*end != '+')
            return end;
        s = end + 1;
        n = parse_u64(s, &end);
        if (end == s || *end != '%')
            return NULL;
    }
    if (n > 100)
        return NULL;
    out->percent = (unsigned)n;
    return end + 1;
}

static uint64_t resolve(const struct size_spec *s, uint64_t avail)
{
    const uint64_t part = avail / 100 * s->percent + avail % 100 * s->percent / 100;
    const uint64_t n = s->pages > ~0UL - part ? ~0UL : s->pages + part;

    if (!s->negative)
        return n;
    return n < avail ? avail - n : 0;
}

int dom0_mem_parse(const char *text, uint64_t avail, struct dom0_mem *out)
{
    struct size_spec size = { 0 }, min = { 0 }, max = { 0 };

    for (const char *s = text; s && *s;) {
        struct size_spec *spec = &size;
        if (strncmp(s, "min:", 4) == 0)
            spec = &min;
        else if (strncmp(s, "max:", 4) == 0)
            spec = &max;
        s = parse_spec(spec == &size ? s : s + 4, spec);
        if (!s || (*s && *s != ','))
            return -EINVAL;
        if (*s == ',')
            s++;
    }

    uint64_t pages = size.given ? resolve(&size, avail) : avail - MIN(avail / 16, RESERVE_MAX);
    out->max_pages = max.given ? resolve(&max, avail) : ~0UL;
    if (min.given)
        pages = MAX(pages, resolve(&min, avail));
    out->pages = MIN(MIN(pages, out->max_pages), avail);
    return 0;
}
