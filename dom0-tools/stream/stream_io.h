/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_io.h - bytes in, bytes out, and records taken apart
 *
 * The reader is pure over a callback, so that it is fuzzed on the host. It bounds every length before
 * anything is allocated, and hands out records whose fixed part has been checked (H113).
 */
#ifndef VANE_STREAM_IO_H
#define VANE_STREAM_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "../lib/vane.h"
#include "codec.h"
#include "format.h"
#include "token_bucket.h"

#define STREAM_OFFER_MAX 4096u
#define STREAM_PARTS 64u                /* of one out_record() */

struct XXH64_state_s;

/* ---- out ---- */

struct stream_out {
    struct vane *v;
    int fd;
    uint64_t bytes;
    /* as in struct save_options; all may be 0 */
    struct token_bucket limit;
    uint64_t stall_ms;
    const atomic_bool *cancel;
    /* private */
    bool sparse;                        /* a file: zeros may become holes */
    bool made_nonblocking;
    struct XXH64_state_s *sum;          /* of every byte so far; NULL: not wanted */
    uint8_t *gathered;                  /* of out_gather() */
    size_t n_gathered;
};

/*
 * Get ready for a long stream: a pipe or socket becomes non-blocking, a file sparse. out_close() undoes it
 * and is harmless on one that was only initialised by hand.
 */
int out_open(struct stream_out *o, bool sum) MUST_CHECK;
void out_close(struct stream_out *o);
void out_drop_sum(struct stream_out *o);

/*
 * From here to out_flush() small pieces are gathered and written as few: each write wakes the transport, which sends it, while
 * the guest stands still. Not for pages. Without memory for it nothing is gathered.
 */
void out_gather(struct stream_out *o);
int out_flush(struct stream_out *o) MUST_CHECK;

/* 0, or -errno recorded. */
int out_bytes(struct stream_out *o, const void *p, size_t n) MUST_CHECK;
/* A record of up to STREAM_PARTS parts, padded. */
int out_record(struct stream_out *o, uint32_t type, const struct iovec *part, unsigned n) MUST_CHECK;
/* A PAGE_DATA record: its two head parts and @n pages, those of zeros as holes where the file can have some. */
int out_pages(struct stream_out *o, const struct iovec *head, const uint8_t *const *page, unsigned n)
    MUST_CHECK;
bool page_is_zero(const void *page);
/* What a reader can compare with everything before it; nothing when there is no sum. */
int out_checksum(struct stream_out *o) MUST_CHECK;

/* ---- in ---- */

struct stream_in {
    struct vane *v;
    /* Fill @p with exactly @n bytes: 0, or -errno (-EPIPE: the stream ends here). */
    int (*read)(void *opaque, void *p, size_t n);
    void *opaque;
    uint64_t bytes;
    /* What the sender put behind the configuration (save_options.offer). */
    uint8_t offer[STREAM_OFFER_MAX];
    size_t offer_len;
    /* of stream_in_fd() */
    int fd;
    uint64_t stall_ms;
    const atomic_bool *cancel;
    bool sparse;                        /* a file with holes */
    uint8_t head[64];                   /* bytes read before; handed out first */
    size_t head_len, head_at;
    /* private */
    struct XXH64_state_s *sum;
    bool summed, settled, fresh_sum;    /* it has checksums; that is known; no record since the last one */
    uint8_t *buf, *raw;                 /* of the record handed out last; its batch unpacked */
    size_t buf_size;
    uint64_t left;                      /* of that record, not read yet */
    const uint8_t *unpacked;            /* its pages, when they are in raw */
    struct unpacker *unpacker;
};

/* Read from @fd; the stall limit and the cancel flag may be set afterwards. */
void stream_in_fd(struct stream_in *in, struct vane *v, int fd);
/* @n (<= 64) first bytes that the caller has read already. */
void stream_in_head(struct stream_in *in, const void *p, size_t n);
void stream_in_close(struct stream_in *in);

int in_bytes(struct stream_in *in, void *p, size_t n) MUST_CHECK;
/* Refuse the stream: -EINVAL, saying where and why. */
int in_bad(struct stream_in *in, const char *what);
void in_drop_sum(struct stream_in *in);
int stream_read_fd(void *opaque, void *p, size_t n);       /* opaque: int * */

/* The file's head: its configuration (JSON, malloc'ed, terminated). */
int in_xl_header(struct stream_in *in, char **json) MUST_CHECK;
/* libxl's header, its CONTEXT record, libxc's two headers. */
int in_stream_headers(struct stream_in *in) MUST_CHECK;
/* After the END record: libxl's own, and that a stream with checksums ended with one. */
int in_libxl_end(struct stream_in *in) MUST_CHECK;

struct record {
    uint32_t type;          /* enum record_type or REC_VANE_*; unknown optional ones are skipped */
    uint32_t length;
    uint8_t *body;          /* valid until the next record; NULL when length is 0 */
};
/*
 * The next record, checksums compared. Of PAGE_DATA only the words are in the body: the pages follow in
 * the stream and are read through in_pages(); what is not read is passed over. A packed batch is handed
 * out unpacked, as PAGE_DATA.
 */
int in_record(struct stream_in *in, struct record *r) MUST_CHECK;

/* PAGE_DATA (or ZERO) taken apart: the words and how many pages follow, in order. */
struct page_batch {
    uint32_t count;
    const uint64_t *word;
    uint32_t with_data;
};
int record_pages(struct stream_in *in, const struct record *r, uint64_t max_pfn, struct page_batch *out)
    MUST_CHECK;
/* The next @n pages of the batch. */
int in_pages(struct stream_in *in, void *p, unsigned n) MUST_CHECK;
/*
 * How many of the next @n pages are alike: all zeros, because the file has a hole there (*@zero), or perhaps not.
 * At least 1. Zeros may be passed over with in_skip_pages() instead of being read.
 */
unsigned in_run(struct stream_in *in, unsigned n, bool *zero);
int in_skip_pages(struct stream_in *in, unsigned n) MUST_CHECK;

#endif
