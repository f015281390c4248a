/* SPDX-License-Identifier: MIT */
/*
 * xs.h - a XenStore client over the shared ring, one request at a time
 *
 * The daemon may be slow, restarted or wrong: a reply is taken only with our request id, a length within the
 * protocol's limit, and indices that the ring can have; else the connection is broken (-EIO) and stays so.
 * Watch events that arrive between requests are queued; when the queue is full the oldest is dropped and
 * xs_events_lost() says so (re-read what you watch).
 *
 * ABI: io/xs_wire.h. Paths relative to the domain's own home need no leading slash.
 */
#ifndef PV_XS_H
#define PV_XS_H

#include "pv_port.h"
#include <xen/io/xs_wire.h>

#define XS_TEXT 256                     /* longest path or token in an event */
#define XS_EVENTS 16
#define XS_TIMEOUT 10000000000UL        /* ns the daemon has for a reply */

struct xs_event {
    char path[XS_TEXT];
    char token[XS_TEXT];
};

struct xs {
    struct xenstore_domain_interface *ring;
    evtchn_port_t port;
    uint32_t next_id;
    bool broken, lost;
    struct xs_event events[XS_EVENTS];
    unsigned event_head, event_count;
    char reply[XENSTORE_PAYLOAD_MAX + 1];
    size_t reply_len;
};

void xs_init(struct xs *xs, void *ring, evtchn_port_t port);

/*
 * Each returns 0 or more, or -errno: what the daemon said, -ETIMEDOUT, -EIO when the connection is broken,
 * -ENOSPC when an argument does not fit a message. @tx is 0 or a transaction.
 */
/* Value to @buf, with a NUL behind it: its length, or -ENOSPC if @size is too small. */
int xs_read(struct xs *xs, uint32_t tx, const char *path, char *buf, size_t size);
int xs_write(struct xs *xs, uint32_t tx, const char *path, const char *value);
int xs_write_bytes(struct xs *xs, uint32_t tx, const char *path, const char *value, size_t len);
int xs_remove(struct xs *xs, uint32_t tx, const char *path);
/* Children as NUL-separated names: the length of all. */
int xs_directory(struct xs *xs, uint32_t tx, const char *path, char *buf, size_t size);
int xs_watch(struct xs *xs, const char *path, const char *token);
int xs_unwatch(struct xs *xs, const char *path, const char *token);
int xs_transaction_start(struct xs *xs, uint32_t *tx);
/* -EAGAIN: others wrote meanwhile, begin again. */
int xs_transaction_end(struct xs *xs, uint32_t tx, bool commit);
/* Next event to @out, waiting until @when (pv_now() time): 0, or -ETIMEDOUT. */
int xs_next_event(struct xs *xs, struct xs_event *out, uint64_t when);
bool xs_events_lost(struct xs *xs);

/* A decimal number that fills the text: false else. */
bool xs_number(const char *text, uint64_t *out);

#endif
