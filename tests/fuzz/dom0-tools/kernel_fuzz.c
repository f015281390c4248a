/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_fuzz.c - a kernel file of any bytes: unpack, judge, plan and write
 *
 * Oracle: sanitizers, windows closed, and the plan's promise that nothing lies outside the memory
 * (the fake's gm_map() refuses that).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../../dom0-tools/builder/build.h"
#include "../../unit/dom0-tools/guest_mem_fake.h"

#define PAGES 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_build(const uint8_t *elf, size_t len)
{
    static const struct build_facts facts = { 1ull << 12, 1, 2, "x" };
    struct build_plan plan;
    struct guest_mem gm;
    struct kernel k;
    const char *why;

    if (kernel_parse(elf, len, &k, &why) < 0 || k.trimmed > len)
        return;
    if (build_plan(&k, PAGES, elf, len < 8192 ? len : 8192, &plan, &why) < 0)
        return;
    fake_init(&gm, PAGES);
    if (build_write(&plan, &facts, &gm) != 0 || gm.open != 0)
        abort();
    fake_free(&gm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why;
    uint8_t *out;
    size_t len;
    bool plain;

    if (kernel_unpack(data, size, &out, &len, &plain, &why) < 0)
        return 0;
    try_build(plain ? data : out, len);
    free(out);
    return 0;
}
