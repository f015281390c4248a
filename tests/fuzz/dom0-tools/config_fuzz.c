/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_fuzz.c - configuration text of any bytes; what is accepted must survive its own record */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../../dom0-tools/config/config.h"

/* libxlutil's parser forgets strings of a list that a syntax error cuts off. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:xlu__cfg\nleak:libxlutil\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vane *v = vane_open(NULL, NULL);
    struct vane_config *c, *again;
    char *json;

    if (v && vane_config_parse(v, "fuzz", (const char *)data, size, &c) == 0) {
        if (!c->name || !c->kernel || c->vcpus > c->max_vcpus || c->mem_kb > c->max_kb)
            abort();
        json = vane_config_json(c, "u");
        free(json);
        if (vane_config_parse(v, "again", c->text, strlen(c->text), &again) < 0)
            abort();
        vane_config_free(again);
        vane_config_free(c);
    }
    vane_close(v);
    return 0;
}
