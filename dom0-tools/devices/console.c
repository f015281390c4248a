/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console.c - the PV console's nodes
 *
 * The primary console is no xenbus device: it has no back end and no state, its ring is handed over
 * in start_info, and its daemon finds it below the domain's home. Every node belongs to Dom0, so the
 * guest cannot name a terminal or a log limit (XSA-57). type says which daemon serves the ring.
 */
#include <string.h>

#include "device.h"

#define CONSOLE_LIMIT (1u << 20)

void console_store(struct store_io *io, uint32_t domid, const char *type, uint32_t port, uint64_t mfn)
{
    store_put_con_limit(io, domid, CONSOLE_LIMIT);
    store_put_con_port(io, domid, port);
    store_put_con_ring_ref(io, domid, mfn);
    /* last: whoever serves it may come as soon as it says so */
    store_put_con_type(io, domid, strcmp(type, "vaned") == 0 ? STORE_CONTYPE_VANED : STORE_CONTYPE_XENCONSOLED);
}
