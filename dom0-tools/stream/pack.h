/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pack.h - batches of pages compressed by worker threads, written in order
 *
 * The caller fills one batch after the other; a bounded number is under way. Workers only compress:
 * reading the guest and writing the stream stay with the caller's thread, and so do errors.
 */
#ifndef VANE_PACK_H
#define VANE_PACK_H

#include "stream_io.h"

struct pack;

/* @workers 0: one a CPU, at most 4. NULL with the error recorded. */
struct pack *pack_new(struct stream_out *out, uint32_t codec, int level, unsigned workers);
/* Ends the threads; batches under way are dropped. */
void pack_free(struct pack *p);

/* Room for a batch's body (BATCH_BYTES); may first write finished ones. NULL with the error recorded. */
uint8_t *pack_room(struct pack *p);
/* What pack_room() gave holds a body of @n bytes: have it compressed. */
void pack_submit(struct pack *p, size_t n);
/* Write all that is under way. */
int pack_flush(struct pack *p) MUST_CHECK;

#endif
