/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - how the command talks to vaned
 *
 * One request a connection, a line of text, on a Unix socket that only root can open:
 *   ping            "ok consoles" when vaned serves consoles itself
 *   poke            look at the domains again now
 *   events          a JSON object a line, until the connection closes
 *   state           the same for what there is now, then the end
 *   last NAME       what the console of a domain showed last, and why it died
 */
#ifndef VANE_DAEMON_H
#define VANE_DAEMON_H

#include <stdio.h>

#include "../lib/vane.h"

#define VANED_SOCKET "/run/vane/vaned.sock"
#define VANE_LOG_DIR "/var/log/vane"

/* Start vaned unless it runs. 0, or -errno recorded when it cannot be started. */
int vaned_ensure(struct vane *v);
/* After vaned_ensure(). */
bool vaned_serves_consoles(void);
void vaned_poke(void);
/* For the worker, whose parent vaned is: it runs, and what it is asked to look at waits for vaned_settle(). */
void vaned_is_parent(void);
void vaned_settle(void);
/* Copy the answer to a request line to @out. */
int vaned_stream(struct vane *v, const char *request, FILE *out) MUST_CHECK;
/* `console --last`: from the log that is kept, with or without a running vaned. */
int vaned_print_last(struct vane *v, const char *name, FILE *out) MUST_CHECK;
/* create -F: wait until the domain is gone or shut down. */
int vaned_follow(struct vane *v, uint32_t domid) MUST_CHECK;

#endif
