/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handle.h - the handle's inside, for dom0-tools/lib only */
#ifndef VANE_HANDLE_H
#define VANE_HANDLE_H

#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>

#include "../store/store_xs.h"
#include "vane.h"

/* libxenctrl logs through an object of this shape; ours keeps the last complaint as the cause. */
struct vane_logger {
    xentoollog_logger vtable;
    struct vane *v;
};

struct vane {
    vane_log_fn *log;
    void *opaque;
    struct vane_error err;
    struct vane_logger logger;
    char xc_said[256];
    xc_interface *xc;
    struct xs_handle *xs;
    struct store_io io;             /* over xs; vane_store() keeps them together */
    struct store_pipe *pipe;        /* of transactions */
    struct names *names;            /* names.h; NULL: not kept */
    xenforeignmemory_handle *fmem;
    xencall_handle *call;           /* unmap.c */
    multicall_entry_t *calls;
};

#endif
