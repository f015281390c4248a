/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzimage.h - the ELF kernel inside what the boot loader gave us
 *
 * ABI: Linux boot protocol (setup header), abi-map 1.2. A plain ELF is taken as it is, a bzImage's payload or a
 * compressed ELF is named with its format.
 */
#ifndef PARAVANE_BZIMAGE_H
#define PARAVANE_BZIMAGE_H

#include "types.h"

enum payload_format { PAYLOAD_ELF, PAYLOAD_GZIP, PAYLOAD_XZ, PAYLOAD_ZSTD };

struct payload {
    enum payload_format format;
    const uint8_t *data;        /* inside the module */
    uint64_t size;              /* of the compressed stream, without the length word a bzImage appends */
    uint64_t unpacked_size;     /* as the file claims; 0: not known. Only a hint for the buffer: bounded here */
};

#define PAYLOAD_MAX_UNPACKED (512UL << 20)

/* 0, or -EINVAL with *@why. */
MUST_CHECK int payload_find(struct payload *p, const void *module, uint64_t size, const char **why);

#endif
