/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzimage.c - see bzimage.h
 *
 *   I1  the payload lies inside the module; all arithmetic is on 64-bit values made of 32-bit fields.
 *
 * Refuses: bzip2, lzma, lzo and lz4 payloads (no distribution we serve uses them), by name.
 */
#include "dom0/bzimage.h"

#include <string.h>

#include "dom0/elf_image.h"
#include "hv_errno.h"

/* Linux boot protocol: offsets in the setup header. */
#define OFF_SETUP_SECTS 0x1f1
#define OFF_MAGIC 0x202
#define OFF_VERSION 0x206
#define OFF_PAYLOAD_OFFSET 0x248
#define OFF_PAYLOAD_LENGTH 0x24c
#define SETUP_HEADER_END 0x250
#define VERSION_WITH_PAYLOAD 0x0208

struct magic {
    uint8_t bytes[6];
    uint8_t n;
    int8_t format;              /* enum payload_format, or -1: known but refused */
    const char *name;
};

static const struct magic magics[] = {
    { { 0x1f, 0x8b }, 2, PAYLOAD_GZIP, "gzip" },
    { { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, PAYLOAD_XZ, "xz" },
    { { 0x28, 0xb5, 0x2f, 0xfd }, 4, PAYLOAD_ZSTD, "zstd" },
    { { 'B', 'Z', 'h' }, 3, -1, "kernel compressed with bzip2: not supported" },
    { { 0x5d, 0, 0 }, 3, -1, "kernel compressed with lzma: not supported" },
    { { 0x89, 'L', 'Z', 'O' }, 4, -1, "kernel compressed with lzo: not supported" },
    { { 0x02, 0x21, 0x4c, 0x18 }, 4, -1, "kernel compressed with lz4: not supported" },
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int identify(struct payload *p, const char **why)
{
    if (elf_is_elf(p->data, p->size)) {
        p->format = PAYLOAD_ELF;
        return 0;
    }
    *why = "neither ELF, nor bzImage, nor a known compression";
    for (unsigned i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct magic *m = &magics[i];
        if (p->size < m->n || memcmp(p->data, m->bytes, m->n) != 0)
            continue;
        *why = m->name;
        if (m->format < 0)
            return -EINVAL;
        p->format = (enum payload_format)m->format;
        return 0;
    }
    return -EINVAL;
}

/*
 * A bzImage ends its payload with the unpacked size, 4 bytes; gzip has the same word as part of its own format.
 * A lone .gz has it too; a lone xz or zstd file has nothing there.
 */
static int take_size_word(struct payload *p, bool in_bzimage, const char **why)
{
    if (p->format == PAYLOAD_ELF || (!in_bzimage && p->format != PAYLOAD_GZIP))
        return 0;
    *why = "truncated payload";
    if (p->size < 8)
        return -EINVAL;
    p->unpacked_size = get32(p->data + p->size - 4);
    if (p->format != PAYLOAD_GZIP)
        p->size -= 4;
    *why = "the kernel claims to unpack to more than 512 MiB";
    return p->unpacked_size > PAYLOAD_MAX_UNPACKED ? -EINVAL : 0;
}

int payload_find(struct payload *p, const void *module, uint64_t size, const char **why)
{
    const uint8_t *b = module;
    bool in_bzimage = false;

    *p = (struct payload){ .data = b, .size = size };
    if (size >= SETUP_HEADER_END && memcmp(b + OFF_MAGIC, "HdrS", 4) == 0 && !elf_is_elf(b, size)) {
        const uint64_t sects = b[OFF_SETUP_SECTS] ? b[OFF_SETUP_SECTS] : 4;
        const uint64_t offset = (sects + 1) * 512 + get32(b + OFF_PAYLOAD_OFFSET);
        const uint64_t length = get32(b + OFF_PAYLOAD_LENGTH);
        *why = "boot protocol older than 2.08: no payload fields";
        if ((b[OFF_VERSION] | b[OFF_VERSION + 1] << 8) < VERSION_WITH_PAYLOAD)
            return -EINVAL;
        *why = "truncated bzImage: the payload reaches beyond the end of the file";
        if (length > size || offset > size - length)
            return -EINVAL;
        p->data = b + offset;
        p->size = length;
        in_bzimage = true;
    }
    const int rc = identify(p, why);
    return rc ? rc : take_size_word(p, in_bzimage, why);
}
