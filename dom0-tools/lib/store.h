/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - XenStore for the toolstack: the schema's typed functions on the handle's connection
 *
 * Everything that is read or written is named by store_schema.h (xenstore-schema/): store_get_*(io,
 * ...), store_put_*(io, ...), and store_path_*() where a path itself is needed. No path is spelled
 * out in dom0-tools; `make check-store-paths` looks for that.
 *
 * A series of puts is checked once: the first failure is remembered in io, and store_result() turns
 * it into the handle's error. A transaction is a function that may be run again:
 * store_transaction() calls it until the commit meets no conflict, so it must have no effect outside
 * the store. It gets an io of that transaction; a put that failed keeps it from being committed.
 *
 * Permissions: a new node inherits its directory's, so a tree's root is given its own
 * (STORE_PROTECT) before anything is put below it.
 */
#ifndef VANE_STORE_H
#define VANE_STORE_H

#include "../store/store_xs.h"
#include "vane.h"

/* The transport outside of transactions. Never NULL: without a daemon each call fails, and
 * store_result() says why. */
struct store_io *vane_store(struct vane *v);

/* What has failed on @io since the last call: 0, or -errno with the error recorded. */
int store_result(struct vane *v, struct store_io *io) MUST_CHECK;

/* @rc came of reading. When it is how a connection to a dead daemon fails: -errno recorded. Otherwise 0. */
int store_lost(struct vane *v, int rc) MUST_CHECK;

/* Give the node STORE_@id, whose placeholders are the rest, the schema's permissions for guest @domid
 * (Dom0 serves all back ends). */
#define STORE_PROTECT(io, id, domid, ...) \
    store_xs_protect(io, STORE_##id, (const struct store_arg[]){ __VA_ARGS__ }, \
                     ARRAY_SIZE(((const struct store_arg[]){ __VA_ARGS__ })), domid, 0)

typedef int store_txn_fn(struct vane *v, struct store_io *io, void *arg);
/* @body returns 0, or -errno recorded, and then nothing was changed. */
int store_transaction(struct vane *v, store_txn_fn *body, void *arg) MUST_CHECK;

/* Puts sent together, each done by itself: for what nobody reads before all of it is there. */
int store_batch(struct vane *v, store_txn_fn *body, void *arg) MUST_CHECK;

/*
 * Wait until done(v, arg) says non-zero, looking again whenever something under @path changes.
 * Returns what done() said, or -ETIMEDOUT.
 */
typedef int store_done_fn(struct vane *v, void *arg);
int store_wait(struct vane *v, const char *path, int timeout_ms, store_done_fn *done, void *arg)
    MUST_CHECK;

#endif
