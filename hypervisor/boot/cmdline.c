/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmdline.c - options on the hypervisor's command line
 *
 * Words separated by spaces: name, no-name, name=value. The last one counts. Names are Xen's where Xen has
 * the option.
 */
#include "boot/boot_info.h"
#include "lib/lib.h"

#include <string.h>

static char value_buffer[256];

/* Behind the last word of that name, at its value if it has one; NULL: there is none. */
static const char *find(const char *name, size_t n, const char **end)
{
    const char *found = NULL;
    for (const char *p = boot_info.cmdline; *p;) {
        while (*p == ' ' || *p == '\t')
            p++;
        const char *word = p;
        while (*p && *p != ' ' && *p != '\t')
            p++;
        if ((size_t)(p - word) >= n && !strncmp(word, name, n) && (word[n] == '=' || word + n == p)) {
            found = word + n;
            *end = p;
        }
    }
    return found;
}

const char *cmdline_get(const char *name)
{
    const char *end = NULL, *v = find(name, strlen(name), &end);
    if (!v)
        return NULL;
    if (*v == '=')
        v++;
    const size_t n = MIN((size_t)(end - v), sizeof(value_buffer) - 1);
    memcpy(value_buffer, v, n);
    value_buffer[n] = '\0';
    return value_buffer;
}

bool cmdline_bool(const char *name, bool dflt)
{
    char negated[64] = "no-";
    static const char *const yes[] = { "", "yes", "on", "true", "1", "enable" };
    str_copy(negated + 3, sizeof(negated) - 3, name);
    const char *end, *no = find(negated, strlen(negated), &end), *last = find(name, strlen(name), &end);
    if (no && (!last || last < no))
        return false;
    const char *v = cmdline_get(name);
    if (!v)
        return dflt;
    for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
        if (!strcmp(v, yes[i]))
            return true;
    }
    return false;
}

uint64_t cmdline_uint(const char *name, uint64_t dflt)
{
    const char *end, *v = cmdline_get(name);
    if (!v)
        return dflt;
    const uint64_t n = parse_u64(v, &end);
    return end == v || *end ? dflt : n;
}
