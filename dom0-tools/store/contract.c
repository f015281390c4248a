/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contract.c - one write against the schema */
#include <stdio.h>
#include <string.h>

#include "contract.h"
#include "store_schema.h"

const char *store_contract_breach(const char *path, const char *value, char *buf, size_t size)
{
    int id = store_match(path, strlen(path), NULL);
    const struct store_path *p;

    if (id < 0) {
        snprintf(buf, size, "%s is not in the XenStore schema", path);
        return buf;
    }
    p = &store_paths[id];
    if (p->rest || !store_value_check(p->type, value, strlen(value)))
        return NULL;
    snprintf(buf, size, "%s: \"%.60s\" is no %s", path, value, store_types[p->type].name);
    return buf;
}
