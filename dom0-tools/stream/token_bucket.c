/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token_bucket.c - a limit of bytes a second
 *
 *   I1  level never exceeds the burst: an idle link saves nothing up.
 *   I2  no product overflows: the time counted is bounded by what fills the bucket, the rate by MAX_RATE.
 */
#include "token_bucket.h"

#define SECOND 1000000000ll
#define MIN_BURST 16384
#define MAX_RATE (1ull << 40)

static int64_t rate(const struct token_bucket *b)
{
    return (int64_t)(b->rate < MAX_RATE ? b->rate : MAX_RATE);
}

int64_t bucket_burst(const struct token_bucket *b)
{
    return rate(b) / 10 > MIN_BURST ? rate(b) / 10 : MIN_BURST;
}

/* The time in which @bytes may go. */
static int64_t duration_ns(const struct token_bucket *b, int64_t bytes)
{
    return bytes / rate(b) * SECOND + bytes % rate(b) * 1000000 / rate(b) * 1000 + 1000;
}

int64_t bucket_wait_ns(struct token_bucket *b, int64_t now_ns)
{
    int64_t passed = now_ns - b->last_ns, full;

    if (b->rate == 0)
        return 0;
    full = duration_ns(b, bucket_burst(b) - b->level);
    if (passed >= full || b->last_ns == 0)                                          /* I1, I2 */
        b->level = bucket_burst(b);
    else
        b->level += passed / SECOND * rate(b) + passed % SECOND / 1000 * rate(b) / 1000000;
    b->last_ns = now_ns;
    return b->level > 0 ? 0 : duration_ns(b, 1 - b->level);
}

void bucket_take(struct token_bucket *b, uint64_t bytes)
{
    if (b->rate)
        b->level -= (int64_t)bytes;
}
