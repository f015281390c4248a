/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_xs.h - the schema's transport over libxenstore
 *
 * With it linked, every store_get_*, store_put_* and store_clear_* of "store_schema.h" works on a
 * struct store_io from store_xs(). Set .t to work inside a transaction.
 */
#ifndef STORE_XS_H
#define STORE_XS_H

#include <xenstore.h>

#include "store_schema.h"

struct store_io {
    struct xs_handle *xs;           /* the caller's; not closed here */
    xs_transaction_t t;             /* XBT_NULL: each operation by itself */
    unsigned long ops;              /* requests made so far, for the benches */
};

static inline struct store_io store_xs(struct xs_handle *xs)
{
    return (struct store_io){ .xs = xs, .t = XBT_NULL };
}

/*
 * Give the node of @id the schema's permissions (it must exist). Nodes that the toolstack makes
 * below one with the right permissions inherit them, so this is for a tree's root and for nodes
 * whose list differs from their directory's. 0 or -errno.
 */
int store_xs_protect(struct store_io *io, unsigned id, const struct store_arg *args, size_t nargs,
                     uint32_t domid, uint32_t backid);

/* Remove the node and all below; absent is fine. 0 or -errno. */
int store_xs_remove(struct store_io *io, unsigned id, const struct store_arg *args, size_t nargs);

/*
 * Run @body inside a transaction until its commit meets no conflict; it must have no other effect
 * than through io. Returns what body returned (non-zero: nothing was committed), or -errno.
 */
int store_xs_transaction(struct store_io *io, int (*body)(struct store_io *io, void *arg),
                         void *arg);

#endif
