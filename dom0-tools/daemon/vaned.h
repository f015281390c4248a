/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vaned.h - the parts of the daemon
 *
 * One process, one loop, no blocking work: whatever takes time (a restart, a destroy) is a `vane`
 * process of its own, so that a failing action takes nothing with it.
 *   conserver.c   the consoles: ring <-> pty, and the log that survives the guest
 *   watch.c       which domains there are, what happens to them, what is to be done
 *   migrations.c  migrations whose process died or lost its link
 *   workers.c     the process that runs short commands
 *   clients.c     the socket
 */
#ifndef VANED_H
#define VANED_H

#include <poll.h>
#include <sys/types.h>

#include "../lib/vane.h"

#define MAX_POLL 1024

/* Descriptors to wait on, filled anew for every turn of the loop. */
struct pollset {
    struct pollfd fd[MAX_POLL];
    unsigned n;
};
void pollset_add(struct pollset *p, int fd, short events);
short pollset_events(const struct pollset *p, int fd);

/* ---- conserver.c ---- */
int consoles_init(struct vane *v);
/* Serve this domain's console if its type says so. False: it has no type yet, ask again later. */
bool consoles_open(struct vane *v, uint32_t domid, const char *name);
/* The domain has another name now: its log goes on under it. */
void consoles_rename(uint32_t domid, const char *name);
/* Drain the ring a last time and stop. The log stays. */
void consoles_close(uint32_t domid);
void consoles_drain(uint32_t domid);
void consoles_poll_add(struct pollset *p);
void consoles_poll(const struct pollset *p);

/* ---- watch.c ---- */
/* Watch for domains that come, go and are renamed: 0 or -errno recorded. A lost xenstored is waited for. */
int watch_init(struct vane *v);
/* Readable when watch_events() has something to do; -1 while there is no xenstored. */
int watch_fd(void);
/* True: domains came or went, look at them all. */
bool watch_events(struct vane *v);
/* Look at all domains; emit events; start what policies ask for. Asks xenstored about new ones only. */
void watch_scan(struct vane *v);
/* A child has ended. */
void watch_reap(struct vane *v);
/* One "present" event per domain, to one client. */
void watch_state(struct vane *v, int fd);

/* ---- migrations.c ---- */
/* Start what brings unfinished migrations to an end. Whether there are any. */
bool migrations_look(struct vane *v);
/* A child has ended: was it one of these? */
bool migrations_reap(pid_t pid);

/* ---- workers.c ---- */
/* Start the process that runs short commands, if there is none. */
void workers_keep(void);
/* A child has ended: was it that one? */
bool workers_reap(pid_t pid);

/* ---- clients.c ---- */
int clients_init(struct vane *v);
void clients_poll_add(struct pollset *p);
void clients_poll(struct vane *v, const struct pollset *p);
/* Send a line to everyone who asked for events, and to the event log. */
void clients_event(const char *json_line);

#endif
