/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_store.c - hands `vane store` and `vane on` to dom0-tools/store/, with the global --json */
#include <stdlib.h>
#include <string.h>

#include "../store/store_cmd.h"
#include "cli.h"

/* Put --json back, behind the word that @at counts. */
static int run(struct cli *c, int argc, char **argv, int at, int (*verb)(int argc, char **argv))
{
    char **words = calloc((size_t)argc + 2, sizeof(*words));
    int n = 0, rc;

    if (!words)
        return cli_fail(c, NULL, "out of memory");
    for (int i = 0; i < argc; i++) {
        words[n++] = argv[i];
        if (c->json && i == at)
            words[n++] = (char *)(uintptr_t)"--json";
    }
    rc = verb(n, words);
    free(words);
    return rc;
}

int cmd_store(struct cli *c, int argc, char **argv)
{
    return run(c, argc, argv, 1, store_main);
}

int cmd_on(struct cli *c, int argc, char **argv)
{
    return run(c, argc, argv, 0, on_main);
}
