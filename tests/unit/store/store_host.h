/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_host.h - Debian's xenstored (or oxenstored) on this machine, with domains that are threads
 * of nobody: a page each, on which a test writes what a guest's ring would hold
 *
 * host_start() points this process's libxenstore at the daemon. Failures end the program with a
 * message: nothing here is under test.
 */
#ifndef STORE_HOST_H
#define STORE_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <xenstore.h>
#include <xen/io/xs_wire.h>

#include "store_xs.h"

struct host {
    char dir[64];
    pid_t pid;
    bool ocaml;
};

struct guest {
    struct xenstore_domain_interface *ring;
    const struct host *host;
    uint32_t domid, req_id;
    unsigned events;                /* watch events that came among replies */
    char event[64];                 /* and the last one's path, cut */
};

/* Is that daemon's package installed? */
bool host_available(bool ocaml);
void host_start(struct host *h, bool ocaml);
/* Kill it and start it again, empty, at the same place. */
void host_restart(struct host *h);
void host_stop(struct host *h);

/* Memory the daemon holds, KiB. */
long host_rss(const struct host *h);

/*
 * A domain exists from host_make() on: before that, daemons drop what is said about it (XSA-322).
 * host_add() introduces its ring too. host_gone() ends one that was only made.
 */
void host_make(const struct host *h, uint32_t domid);
void host_gone(const struct host *h, uint32_t domid);
void host_add(const struct host *h, struct xs_handle *xs, struct guest *g, uint32_t domid);
void host_remove(struct guest *g);

/*
 * One request over the domain's ring: payload in, the reply's payload to @buf (terminated, cut at
 * @size). Returns its length, -errno as the daemon named it, or -ETIMEDOUT.
 */
int guest_request(struct guest *g, unsigned type, uint32_t tx, const void *payload, size_t len,
                  char *buf, size_t size);
/* The usual ones, relative or absolute paths. 0 or -errno; guest_read returns the length. */
int guest_write(struct guest *g, const char *path, const char *value);
int guest_read(struct guest *g, const char *path, char *buf, size_t size);
int guest_rm(struct guest *g, const char *path);
int guest_chmod(struct guest *g, const char *path, const char *perm);
int guest_watch(struct guest *g, const char *path, const char *token);
/* A new transaction's id, or 0. */
uint32_t guest_begin(struct guest *g);

/* Put raw bytes on the ring and notify, without waiting for anything. */
void guest_raw(struct guest *g, const void *p, size_t len);
void guest_notify(struct guest *g);

/* A complete domain as the toolstack makes it: vbd, vif, console, connected. 0 or -errno. */
int sample_domain(struct store_io *io, uint32_t domid);

#endif
