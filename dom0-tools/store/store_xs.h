/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_xs.h - the schema's transport over libxenstore
 *
 * With it linked, every store_get_*, store_put_* and store_clear_* of "store_schema.h" works on a
 * struct store_io from store_xs(). Set .t to work inside a transaction.
 *
 * Puts need no check one by one: the first that fails is remembered in .rc and .failed until
 * somebody clears .rc, and a transaction with a failed put is not committed. Inside a transaction a
 * put is sent and not waited for (pipe.h): that it failed may be known only later, but before the end.
 */
#ifndef STORE_XS_H
#define STORE_XS_H

#include <xenstore.h>

#include "store_schema.h"

struct store_io {
    struct xs_handle *xs;           /* the caller's, not closed here; NULL: all is -ENOTCONN */
    xs_transaction_t t;             /* XBT_NULL: each operation by itself */
    struct store_pipe *pipe;        /* in store_xs_transaction(): writes do not wait for replies */
    struct store_pipe **kept;       /* where transactions keep their connection; NULL: one for each */
    unsigned long ops;              /* requests made so far, for the benches */
    int rc;                         /* the first failure of a put, protect or remove: -errno */
    char failed[STORE_PATH_MAX];    /* and its path */
};

static inline struct store_io store_xs(struct xs_handle *xs)
{
    return (struct store_io){ .xs = xs, .t = XBT_NULL };
}

/*
 * Give the node of @id the schema's permissions (it must exist). A new node inherits its
 * directory's, so this is for a tree's root before the rest is written, and for nodes whose list
 * differs from their directory's. 0 or -errno.
 */
int store_xs_protect(struct store_io *io, unsigned id, const struct store_arg *args, size_t nargs,
                     uint32_t domid, uint32_t backid);

/* The same for the node at @path, whatever it is: the permissions that the schema gives to @like. */
int store_xs_protect_like(struct store_io *io, const char *path, unsigned like, uint32_t domid,
                          uint32_t backid);

/* Remove the node at @path and all below; absent is fine. 0 or -errno. */
int store_xs_remove(struct store_io *io, const char *path);

/* Is there a node at @path? */
bool store_xs_exists(struct store_io *io, const char *path);

/* Names of the nodes in the directory @path; free() the result. NULL with *n 0 when absent. */
char **store_xs_list(struct store_io *io, const char *path, unsigned *n);

/*
 * Run @body inside a transaction, with an io of its own, until its commit meets no conflict; it must
 * have no other effect than through that io. Nothing is committed when body returns non-zero
 * (returned here too) or a put of it failed (io->rc, returned). Else 0 or -errno; -EAGAIN after
 * STORE_XS_TRIES conflicts in a row.
 */
#define STORE_XS_TRIES 100
int store_xs_transaction(struct store_io *io, int (*body)(struct store_io *io, void *arg),
                         void *arg);

/* The same without a transaction: each put is done as it comes, also when a later one fails. 0 or -errno. */
int store_xs_batch(struct store_io *io, int (*body)(struct store_io *io, void *arg), void *arg);

#endif
