/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload_fuzz.c - bzImages and compressed files: found inside the module, unpacked inside the buffer */
#include <stdlib.h>
#include <string.h>

#include "dom0/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct payload p;
    const char *why = NULL;
    uint8_t *file = malloc(size ? size : 1);

    memcpy(file, data, size);
    if (payload_find(&p, file, size, &why) != 0) {
        if (!why)
            abort();
        free(file);
        return 0;
    }
    if (p.data < file || p.size > size || p.data + p.size > file + size || p.unpacked_size > PAYLOAD_MAX_UNPACKED)
        abort();
    if (p.format != PAYLOAD_ELF) {
        const uint64_t room = MIN(p.unpacked_size ? p.unpacked_size : 65536, 1UL << 20);
        uint8_t *out = malloc(room ? room : 1);
        uint64_t done = 0;
        if (payload_unpack(&p, out, room, &done, &why) == 0 && done > room)
            abort();
        free(out);
    }
    free(file);
    return 0;
}
