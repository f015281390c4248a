/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * precopy.h - when to stop copying a guest that goes on writing
 *
 * Pure: figures of a round in, a verdict out. The guest is to stand still for no longer than
 * max_downtime_ms, which is expected to be the time in which the link carries the pages still dirty.
 * Rounds shrink as long as the link is faster than the guest's writes; when they do not, more of them
 * only repeat work, and it is stopped, slowed down or left alone, as the limits say.
 */
#ifndef VANE_PRECOPY_H
#define VANE_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#define PRECOPY_ROUNDS 30u
#define PRECOPY_DOWNTIME_MS 300u

struct precopy_limits {
    unsigned max_rounds;            /* 0: PRECOPY_ROUNDS */
    uint64_t max_downtime_ms;       /* 0: PRECOPY_DOWNTIME_MS */
    uint64_t timeout_ms;            /* of all rounds together; 0: none */
    bool strict;                    /* the downtime is a promise, not an aim */
    bool throttle;                  /* the guest may be slowed down */
};

/* What a round that has ended was like. */
struct precopy_round {
    uint64_t ms, bytes, pages;      /* its duration, what it wrote and what that was */
    uint64_t dirty;                 /* pages written by the guest meanwhile */
    uint64_t elapsed_ms;            /* since the first round began */
};

enum precopy_verdict {
    PRECOPY_ROUND,                  /* another round */
    PRECOPY_THROTTLE,               /* another round, the guest slowed down to ->throttle */
    PRECOPY_STOP,                   /* suspend the guest and send the rest */
    PRECOPY_TIMEOUT,                /* give up: out of time */
    PRECOPY_HOPELESS,               /* give up: the promise cannot be kept */
};

struct precopy {
    struct precopy_limits limits;
    unsigned round;                 /* ended ones */
    unsigned stuck;                 /* rounds in a row that brought the end no nearer */
    uint64_t best;                  /* fewest dirty pages so far */
    uint64_t dirty_rate, link_rate; /* pages and bytes a second, smoothed */
    uint64_t downtime_ms;           /* expected, were the guest stopped now */
    unsigned throttle;              /* percent */
};

void precopy_begin(struct precopy *p, const struct precopy_limits *l);
enum precopy_verdict precopy_judge(struct precopy *p, const struct precopy_round *r);

#endif
