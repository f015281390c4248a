/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save_guard.h - what must be undone when a domain's saver dies
 *
 * While a domain is saved its writes are logged, it may be throttled, and at the end it stands still.
 * The record /run/vane/saving/DOMID-UUID says so and is locked by the saver; one that nobody locks is
 * an orphan, and stream_sweep() takes back what it names.
 */
#ifndef VANE_SAVE_GUARD_H
#define VANE_SAVE_GUARD_H

#include "../lib/vane.h"

struct save_guard {
    struct vane *v;
    struct vane_dom d;
    int fd;                     /* -1: not held */
    bool late;                  /* the guest has taken a request to suspend that nobody waits for any more */
    char path[128];
    struct save_record {        /* the file's content */
        uint32_t asked;         /* the guest may have seen a request to suspend */
        uint32_t capped;
        int32_t cap;            /* what it was */
    } rec;
};

/* -EBUSY: somebody else is saving this domain. */
int save_guard_begin(struct vane *v, const struct vane_dom *d, struct save_guard *g) MUST_CHECK;
/* The guest is going to be asked to suspend. */
int save_guard_asked(struct save_guard *g) MUST_CHECK;
/* Take @percent of the guest's CPU time away; 0: give it all back. */
int save_guard_throttle(struct save_guard *g, unsigned percent) MUST_CHECK;
/* The CPU time is given back. A guest that may suspend late keeps its record: who sees it suspend resumes it. */
void save_guard_end(struct save_guard *g);

#endif
