/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * precopy.c - when to stop copying a guest that goes on writing
 *
 *   I1  the number of verdicts before a final one is bounded: by max_rounds, and throttling (which adds
 *       rounds) by its steps.
 *   I2  a round of no duration or no bytes says nothing about the link: the last figures stay.
 */
#include "precopy.h"

#define STUCK_ROUNDS 3u
#define SHORT_MS 5u             /* what is left goes so fast that a round would cost more than it saves */
#define THROTTLE_FIRST 20u
#define THROTTLE_STEP 20u
#define THROTTLE_MAX 95u

void precopy_begin(struct precopy *p, const struct precopy_limits *l)
{
    *p = (struct precopy){ .limits = *l, .best = UINT64_MAX };
    if (p->limits.max_rounds == 0)
        p->limits.max_rounds = PRECOPY_ROUNDS;
    if (p->limits.max_downtime_ms == 0)
        p->limits.max_downtime_ms = PRECOPY_DOWNTIME_MS;
}

static uint64_t smooth(uint64_t old, uint64_t new)
{
    return old ? (old + new) / 2 : new;
}

static uint64_t per_second(uint64_t n, uint64_t ms)
{
    return n > UINT64_MAX / 1000 ? UINT64_MAX : n * 1000 / ms;
}

static void measure(struct precopy *p, const struct precopy_round *r)
{
    uint64_t ms = r->ms ? r->ms : 1, page_bytes;

    p->dirty_rate = smooth(p->dirty_rate, per_second(r->dirty, ms));
    if (r->bytes && r->pages)                                                       /* I2 */
        p->link_rate = smooth(p->link_rate, per_second(r->bytes, ms));
    page_bytes = r->pages ? r->bytes / r->pages + 1 : 4096;
    p->downtime_ms = p->link_rate ? r->dirty * page_bytes / (p->link_rate / 1000 + 1) : 0;
}

/* Rounds do not help any more: the last resort, or the end. */
static enum precopy_verdict at_the_end(struct precopy *p)
{
    if (p->limits.throttle && p->throttle < THROTTLE_MAX) {
        p->throttle = p->throttle ? p->throttle + THROTTLE_STEP : THROTTLE_FIRST;
        if (p->throttle > THROTTLE_MAX)
            p->throttle = THROTTLE_MAX;
        p->stuck = 0;
        return PRECOPY_THROTTLE;
    }
    return p->limits.strict ? PRECOPY_HOPELESS : PRECOPY_STOP;
}

/*
 * What is left fits into the downtime: does another round shorten it? As long as each leaves a quarter less than
 * the one before, it costs the guest nothing and takes no longer than standing still would have.
 */
static bool pays(const struct precopy *p, const struct precopy_round *r)
{
    return p->downtime_ms > SHORT_MS && r->dirty <= p->best - p->best / 4 && p->round < p->limits.max_rounds &&
           (!p->limits.timeout_ms || r->elapsed_ms < p->limits.timeout_ms);
}

enum precopy_verdict precopy_judge(struct precopy *p, const struct precopy_round *r)
{
    p->round++;
    measure(p, r);
    if (p->downtime_ms <= p->limits.max_downtime_ms && !pays(p, r))
        return PRECOPY_STOP;
    if (p->limits.timeout_ms && r->elapsed_ms >= p->limits.timeout_ms)
        return PRECOPY_TIMEOUT;
    if (r->dirty < p->best - p->best / 8) {
        p->best = r->dirty;
        p->stuck = 0;
    } else {
        p->stuck++;
    }
    if (p->stuck >= STUCK_ROUNDS || p->round >= p->limits.max_rounds)               /* I1 */
        return at_the_end(p);
    return PRECOPY_ROUND;
}
