/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hypercall_fuzz.c - the twin of the fuzzer guest, steered by coverage: libFuzzer's bytes are the first draws of the two
 * unprivileged domains; Dom0 and the interleaving follow the first bytes' seed. See twin/twin.h.
 */
#include "twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 2048)
        return 0;
    const struct twin_options o = { .seed = 1u + data[0], .steps = 16 + size / 2, .audit_every = 32,
                                    .input = data + 1, .input_size = size - 1 };
    twin_episode(&o);
    return 0;
}
