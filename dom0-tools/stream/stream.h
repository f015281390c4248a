/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - save a domain to a descriptor, and make one from it
 *
 * The streams are Xen's (format.h), so that `xl restore` takes what `vane save` wrote and the other
 * way round. What we add (compressed and zero pages, checksums) is off unless it is asked for; a
 * reader finds out by itself what a stream has.
 */
#ifndef VANE_STREAM_H
#define VANE_STREAM_H

#include <stdatomic.h>

#include "../config/config.h"
#include "../lib/create.h"
#include "stream_io.h"

/* How pages travel. Only PLAIN is Xen's; xl refuses the others. */
enum stream_codec {
    STREAM_PLAIN,
    STREAM_ZERO,            /* pages of zeros as numbers, the others as they are */
    STREAM_ZLIB, STREAM_ZSTD
};

enum save_phase {
    SAVE_CONFIG,            /* header and configuration are written; codec and checksum are read after this */
    SAVE_PRECOPY,           /* a round has ended */
    SAVE_SUSPEND,           /* about to ask the guest to suspend */
    SAVE_FINAL,             /* it stands still */
    SAVE_END,               /* every byte is written; it still stands still */
};

struct save_progress {
    enum save_phase phase;
    unsigned round;
    uint64_t pages;                 /* sent in this round */
    uint64_t dirty;                 /* still to be sent, as far as known */
    uint64_t bytes, raw_bytes;      /* so far: written, and what it were without a codec */
    uint64_t dirty_rate;            /* pages a second */
    uint64_t link_rate;             /* bytes a second */
    uint64_t round_ms, elapsed_ms;
    unsigned throttle;              /* percent of the guest's CPU time taken away */
};

struct save_guard;

struct save_options {
    bool live;                      /* pre-copy while it runs; else suspend first */
    /* limits of a live copy; 0: the default of precopy.h, or none */
    unsigned max_rounds;
    uint64_t max_downtime_ms, timeout_ms;
    bool strict;                    /* give up rather than stand still for longer than max_downtime_ms */
    bool throttle;                  /* slow the guest down when it writes faster than the link carries */
    /* of the descriptor */
    uint64_t bandwidth;             /* bytes a second; 0: no limit */
    uint64_t stall_ms;              /* not a byte for so long: -ETIMEDOUT; 0: wait for ever */
    /* of the stream */
    enum stream_codec codec;
    int level;                      /* of the codec; 0: its default */
    bool checksum;
    const void *offer;              /* put behind the configuration, where xl does not look */
    size_t offer_len;               /* <= STREAM_OFFER_MAX */
    const atomic_bool *cancel;      /* set by anybody, at any time: -ECANCELED. May be NULL. */
    /* Not 0 (an error, recorded): give up. May be NULL. */
    int (*progress)(void *opaque, const struct save_progress *p);
    void *opaque;
    /* save_guard.h: the caller's, who ends it when the image is safe; NULL: one for the call's duration. */
    struct save_guard *guard;
};

/*
 * Write the whole stream: header, configuration, image. On success the domain is suspended and its
 * image is complete; on failure it runs as before, at full speed and not logged, also when this
 * process dies (stream_sweep()). *@down_ms: when it began to stand still, in vane_now_ms()'s time.
 *
 * A pipe or a socket is made non-blocking meanwhile. -EBUSY: somebody else is saving this domain.
 */
int stream_save(struct vane *v, const struct vane_dom *d, int fd, const struct save_options *o,
                int64_t *down_ms) MUST_CHECK;
/* Let a suspended domain go on as if nothing had happened; harmless for one that is not suspended. */
int stream_resume(struct vane *v, const struct vane_dom *d) MUST_CHECK;
/*
 * Undo what savers that died left behind: logging, throttling, a guest that stands still. Run where
 * vane_sweep() is, and by the daemon now and then. Never fails; says what it did.
 */
void stream_sweep(struct vane *v);

/* -EBUSY, recorded, while @d is saved or migrated: what would be changed about it now would stay behind. */
int stream_settled(struct vane *v, const struct vane_dom *d) MUST_CHECK;

/* Read a stream's configuration (first part of the stream). */
int stream_read_config(struct stream_in *in, struct vane_config **out) MUST_CHECK;
/*
 * Create the domain from the rest of the stream. It stays paused. On failure nothing is left of it.
 * The name may be changed in @cfg before.
 */
int stream_restore(struct stream_in *in, struct vane_config *cfg, struct vane_create *arg) MUST_CHECK;

#endif
