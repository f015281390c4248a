/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uuid.c - a virtual machine's identity, as text and from the kernel's random pool */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "vane.h"

void vane_uuid_format(char out[VANE_UUID_LEN], const struct vane_uuid *u)
{
    const uint8_t *b = u->b;

    snprintf(out, VANE_UUID_LEN,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Accepts hex digits with any dashes between bytes, as people paste them. */
bool vane_uuid_parse(const char *s, struct vane_uuid *u)
{
    unsigned n = 0;
    struct vane_uuid r;

    while (*s && n < sizeof(r.b)) {
        char hex[3] = {0};

        if (*s == '-') {
            s++;
            continue;
        }
        if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]))
            return false;
        hex[0] = s[0];
        hex[1] = s[1];
        r.b[n++] = (uint8_t)strtoul(hex, NULL, 16);
        s += 2;
    }
    if (n != sizeof(r.b) || *s)
        return false;
    *u = r;
    return true;
}

void vane_uuid_random(struct vane_uuid *u)
{
    /* 16 bytes from the kernel's pool cannot come up short (getrandom(2)). */
    if (getrandom(u->b, sizeof(u->b), 0) != (ssize_t)sizeof(u->b))
        abort();
    u->b[6] = (uint8_t)((u->b[6] & 0x0f) | 0x40);       /* RFC 4122: version 4 */
    u->b[8] = (uint8_t)((u->b[8] & 0x3f) | 0x80);
}
