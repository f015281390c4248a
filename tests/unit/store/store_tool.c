/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_tool.c - the store verbs under sanitizers, without the rest of vane: for the tests */
#include <stdio.h>
#include <string.h>

#include "store_cmd.h"

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "store"))
        return store_main(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "on"))
        return on_main(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "events"))
        return events_main(argc - 1, argv + 1);
    fprintf(stderr, "store_tool store|on|events ...\n");
    return 2;
}
