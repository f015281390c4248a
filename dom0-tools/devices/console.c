/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - the PV console's nodes
 *
 * Every node belongs to Dom0, so the guest cannot name a terminal or a log limit (XSA-57). type says
 * which daemon serves the ring: "xenconsoled", or "vaned" when ours runs.
 */
#include <stdio.h>

#include <xenstore.h>

#include "../lib/paths.h"
#include "device.h"

#define CONSOLE_LIMIT (1u << 20)

static void put_device(struct nodes *n, uint32_t domid)
{
    nodes_put(n, "frontend", PATH_CONSOLE_ROOT, domid);
    nodes_put(n, "frontend-id", "%u", domid);
    nodes_put(n, "online", "1");
    nodes_put(n, "state", "1");
    nodes_put(n, "protocol", "vt100");
}

int console_store(struct vane *v, xs_transaction_t t, uint32_t domid, const char *type,
                  uint32_t port, uint64_t mfn)
{
    struct nodes n = { .v = v, .t = t, .domid = domid };

    nodes_dir(&n, STORE_DOM0, PATH_LIBXL_DEV, domid, "console", 0u);
    nodes_put(&n, "backend", PATH_BACKEND, 0u, "console", domid, 0u);
    put_device(&n, domid);

    nodes_dir(&n, STORE_GUEST_READS, PATH_CONSOLE_ROOT, domid);
    nodes_put(&n, "backend", PATH_BACKEND, 0u, "console", domid, 0u);
    nodes_put(&n, "backend-id", "0");
    nodes_put(&n, "limit", "%u", CONSOLE_LIMIT);
    nodes_put(&n, "type", "%s", type);
    nodes_put(&n, "output", "pty");
    nodes_put(&n, "tty", "%s", "");
    nodes_put(&n, "port", "%u", port);
    nodes_put(&n, "ring-ref", "%llu", (unsigned long long)mfn);

    nodes_dir(&n, STORE_GUEST_READS, PATH_BACKEND, 0u, "console", domid, 0u);
    put_device(&n, domid);
    return n.rc;
}
