/* SPDX-License-Identifier: MIT */
/*
 * store_value.c - what a value may look like
 *
 *   I1  a value is judged by its bytes and its explicit length; a NUL inside is a byte like
 *       another, which only ANY and STR let pass (Linux clears control/sysrq by writing one NUL).
 *   I2  a number has one spelling: decimal digits, no sign, no blank, no superfluous zero. So
 *       text(parse(x)) == x for all that is accepted.
 *
 * Refuses everything else; says no more than form (EINVAL) or bounds (ERANGE).
 */
#include "store_core.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_xdigit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '@';
}

static bool same(const char *s, const char *v, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\0' || s[i] != v[i])
            return false;
    }
    return s[len] == '\0';
}

static int parse_u64(const char *v, size_t len, uint64_t *out)
{
    uint64_t n = 0;

    if (len == 0 || (v[0] == '0' && len > 1))
        return -STORE_EINVAL;
    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)v[i] - '0';

        if (!is_digit(v[i]))
            return -STORE_EINVAL;
        if (n > (UINT64_MAX - digit) / 10)
            return -STORE_ERANGE;
        n = n * 10 + digit;
    }
    *out = n;
    return 0;
}

/* Does v follow a picture in which 'x' stands for a hex digit and the rest for itself? */
static int check_picture(const char *picture, const char *v, size_t len)
{
    size_t i;

    for (i = 0; i < len && picture[i]; i++) {
        if (picture[i] == 'x' ? !is_xdigit(v[i]) : picture[i] != v[i])
            return -STORE_EINVAL;
    }
    return i == len && !picture[i] ? 0 : -STORE_EINVAL;
}

/* Linux: sscanf("%x:%x"); the hotplug scripts write the shortest form. */
static int check_majmin(const char *v, size_t len)
{
    size_t i = 0, major, minor;

    while (i < len && is_xdigit(v[i]))
        i++;
    major = i;
    if (i == len || v[i++] != ':')
        return -STORE_EINVAL;
    minor = i;
    while (i < len && is_xdigit(v[i]))
        i++;
    minor = i - minor;
    return i == len && major >= 1 && major <= 4 && minor >= 1 && minor <= 8 ? 0 : -STORE_EINVAL;
}

static int check_path(const char *v, size_t len)
{
    if (len == 0 || len > 3072 || v[0] != '/' || (len > 1 && v[len - 1] == '/'))
        return -STORE_EINVAL;
    for (size_t i = 1; i < len; i++) {
        if (!is_word(v[i]) && (v[i] != '/' || v[i - 1] == '/'))
            return -STORE_EINVAL;
    }
    return 0;
}

static int check_word(const char *v, size_t len)
{
    if (len == 0 || len > 64)
        return -STORE_EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (!is_word(v[i]))
            return -STORE_EINVAL;
    }
    return 0;
}

int store_value_uint(unsigned type, const char *v, size_t len, uint64_t *out)
{
    const struct store_type *t = &store_types[type];
    uint64_t n;
    int rc;

    if (t->kind == STORE_KIND_ENUM) {
        for (n = 0; n <= t->hi; n++) {
            if (same(t->words[n], v, len)) {
                *out = n;
                return 0;
            }
        }
        return -STORE_EINVAL;
    }
    if (t->kind != STORE_KIND_UINT)
        return -STORE_EINVAL;
    rc = parse_u64(v, len, &n);
    if (rc)
        return rc;
    if (n < t->lo || n > t->hi)
        return -STORE_ERANGE;
    *out = n;
    return 0;
}

int store_value_check(unsigned type, const char *v, size_t len)
{
    const struct store_type *t = &store_types[type];
    uint64_t n;

    if (len == 0 && t->empty)
        return 0;
    switch ((enum store_kind)t->kind) {
    case STORE_KIND_NONE:
        return len ? -STORE_EINVAL : 0;
    case STORE_KIND_ANY:
        return 0;
    case STORE_KIND_UINT:
    case STORE_KIND_ENUM:
        return store_value_uint(type, v, len, &n);
    case STORE_KIND_STR:
        return len < t->lo || len > t->hi ? -STORE_ERANGE : 0;
    case STORE_KIND_PATH:
        return check_path(v, len);
    case STORE_KIND_REF:
        return store_match_id((unsigned)t->hi, v, len, NULL) ? -STORE_EINVAL : 0;
    case STORE_KIND_UUID:
        return check_picture("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", v, len);
    case STORE_KIND_MAC:
        return check_picture("xx:xx:xx:xx:xx:xx", v, len);
    case STORE_KIND_MAJMIN:
        return check_majmin(v, len);
    case STORE_KIND_WORD:
        return check_word(v, len);
    }
    return -STORE_EINVAL;
}

const char *store_value_text(unsigned type, uint64_t n, char buf[STORE_NUM_MAX])
{
    const struct store_type *t = &store_types[type];
    size_t i = STORE_NUM_MAX - 1;

    if (t->kind == STORE_KIND_ENUM)
        return n <= t->hi ? t->words[n] : NULL;
    if (t->kind != STORE_KIND_UINT || n < t->lo || n > t->hi)
        return NULL;
    buf[i] = '\0';
    do {
        buf[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return buf + i;
}
