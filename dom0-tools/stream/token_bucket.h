/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token_bucket.h - a limit of bytes a second
 *
 * Pure: the caller brings the time. Bytes may be taken in advance; who did waits afterwards.
 */
#ifndef VANE_TOKEN_BUCKET_H
#define VANE_TOKEN_BUCKET_H

#include <stdint.h>

struct token_bucket {
    uint64_t rate;              /* bytes a second; 0: no limit */
    int64_t last_ns;            /* when level was right */
    int64_t level;              /* bytes that may go now; below 0: taken in advance */
};

/* A tenth of a second's worth may go at once, and at least one batch of pages' header. */
int64_t bucket_burst(const struct token_bucket *b);
/* How long to wait at @now_ns before anything may go; 0: go on. */
int64_t bucket_wait_ns(struct token_bucket *b, int64_t now_ns);
void bucket_take(struct token_bucket *b, uint64_t bytes);

#endif
