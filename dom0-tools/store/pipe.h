/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pipe.h - a connection to xenstored that does not wait for each reply
 *
 * libxenstore sends a request and waits; on a busy host a transaction's time is its round trips. Here
 * writes are posted: they leave, and their replies are taken, when something is asked that has an answer,
 * or when the window is full. The daemon serves a connection in order, so a transaction sees its own
 * writes all the same.
 *
 * What failed among the posted requests is told by the next call that waits, once, with its path.
 */
#ifndef STORE_PIPE_H
#define STORE_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_pipe;
struct xs_handle;

/* A descriptor connected to the daemon: its socket, or the kernel's device. -errno, never -ENOENT. */
int store_connect_daemon(void);

/*
 * A connection of libxenstore, NULL with errno set. Where the daemon's socket refuses us because it died, xs_open()
 * would go on to the kernel's own way to the store and wait there for ever: 4.17 does not heed XS_OPEN_SOCKETONLY.
 */
struct xs_handle *store_open(void);

/* NULL with errno set. */
struct store_pipe *pipe_open(void);
void pipe_close(struct store_pipe *p);

/* Called for each posted request that the daemon refused. */
typedef void pipe_failed_fn(void *arg, uint32_t type, const char *path, int rc);
void pipe_on_failure(struct store_pipe *p, pipe_failed_fn *fn, void *arg);

/*
 * Called with each event of a watch set through this connection (its path, a zero, its token), when one is
 * met among replies. The daemon sends what it knew of before its reply: who asks first is up to date then.
 */
typedef void pipe_event_fn(void *arg, const char *path);
void pipe_on_event(struct store_pipe *p, pipe_event_fn *fn, void *arg);

/* Differs from that of every other pipe of this process, past ones too. */
unsigned pipe_serial(const struct store_pipe *p);

/* No error so far, and the daemon is there. */
bool pipe_lives(const struct store_pipe *p);

/*
 * Send a request (@type of xs_wire.h) for @path, with data[0..len) behind its terminator. 0, or -errno
 * when the connection is gone; what the daemon thinks of it comes later.
 */
int pipe_post(struct store_pipe *p, uint32_t type, uint32_t tx, const char *path, const void *data,
              size_t len);

/* Wait for all that was posted. 0, or -errno when the connection is gone. */
int pipe_flush(struct store_pipe *p);

/*
 * Send one and wait for its reply: its length, cut to buf[0..size), or -errno as the daemon said it.
 * Replies of what was posted before are taken on the way.
 */
int pipe_ask(struct store_pipe *p, uint32_t type, uint32_t tx, const char *path, const void *data,
             size_t len, char *buf, size_t size);

#endif
