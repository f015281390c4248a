/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - save a domain to a descriptor, and make one from it
 *
 * The streams are Xen's (format.h), so that `xl restore` takes what `vane save` wrote and the other
 * way round.
 */
#ifndef VANE_STREAM_H
#define VANE_STREAM_H

#include "../config/config.h"
#include "../lib/create.h"

struct save_progress {
    unsigned round;
    uint64_t pages, dirty, bytes;
    int64_t ms;
};

struct save_options {
    bool live;                      /* pre-copy while it runs; else suspend first */
    unsigned max_rounds;
    uint64_t stop_at_pages;         /* few enough dirty pages to stop the guest */
    void (*progress)(void *opaque, const struct save_progress *p);
    void *opaque;
};

/*
 * Write the whole stream: header, configuration, image. On success the domain is suspended and its
 * image is complete; on failure it runs as before. *@down_ms: how long it has been suspended.
 */
int stream_save(struct vane *v, const struct vane_dom *d, int fd, const struct save_options *o,
                int64_t *down_ms) MUST_CHECK;
/* Let a suspended domain go on as if nothing had happened. */
int stream_resume(struct vane *v, const struct vane_dom *d) MUST_CHECK;

/* Read a stream's configuration (first part of the stream). */
int stream_read_config(struct vane *v, int fd, struct vane_config **out) MUST_CHECK;
/*
 * Create the domain from the rest of the stream. It stays paused. On failure nothing is left of it.
 * The name may be changed in @cfg before.
 */
int stream_restore(struct vane *v, int fd, struct vane_config *cfg, struct vane_create *arg) MUST_CHECK;

#endif
