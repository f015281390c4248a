/* SPDX-License-Identifier: MIT */
/*
 * pvconsole.h - the console ring every PV domain is born with
 *
 * The reader may be slow, absent or hostile. Its index is read once, and a distance larger than the ring counts as
 * a full (empty) ring: a lying peer costs text, never memory.
 */
#ifndef PV_CONSOLE_H
#define PV_CONSOLE_H

#include "pv_port.h"
#include <xen/io/console.h>

struct pv_console {
    struct xencons_interface *ring;
    evtchn_port_t port;
};

/* Write what fits now, tell the reader: how many bytes went. */
size_t pv_console_write(struct pv_console *c, const char *text, size_t len);
/* Read what is there: how many bytes came. */
size_t pv_console_read(struct pv_console *c, char *buf, size_t size);

#endif
