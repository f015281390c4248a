/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - be told when something under a path changes, also across a restart of the daemon
 *
 * A watch fires once when it is set and then after every change at or below its path. Events say
 * where to look, not what happened: several changes may come as one event, and the value read
 * afterwards may already be the next one. So a user of this file reads the state and acts on what
 * it finds; then a lost connection is no special case: the watches are set again, and each fires
 * once.
 *
 * One thread per watcher. Functions return 0 or -errno unless said otherwise.
 */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include <xenstore.h>

/* What fires when a domain ended, and when one became known: names for watching, no nodes. */
#define WATCH_DOMAIN_GONE "@releaseDomain"
#define WATCH_DOMAIN_NEW  "@introduceDomain"

struct watcher;

/* NULL with errno set when there is no daemon. */
struct watcher *watcher_open(void);
void watcher_close(struct watcher *w);

/* Watch @path (absolute, or WATCH_DOMAIN_*); @token comes with each event. */
int watcher_add(struct watcher *w, const char *path, const char *token);

/* Undo watcher_add(). */
void watcher_remove(struct watcher *w, const char *path, const char *token);

/*
 * Wait up to @timeout_ms (negative: for ever) for one event.
 *   1     *path and *token are valid until the next call
 *   0     time is up
 *   -errno  the connection was lost and could not be restored in time; calling again tries again
 */
int watcher_next(struct watcher *w, int timeout_ms, const char **path, const char **token);

/* The connection, for reading and writing between events. It changes when it was lost. */
struct xs_handle *watcher_xs(struct watcher *w);

/* How often it was lost and restored: other connections to the same daemon are as dead then. */
unsigned watcher_losses(const struct watcher *w);

/* A descriptor that is readable when watcher_next(w, 0, ...) is worth calling. As above. */
int watcher_fd(struct watcher *w);

#endif
