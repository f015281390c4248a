/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream_io.h - bytes in, bytes out, and records taken apart
 *
 * The reader is pure over a callback, so that it is fuzzed on the host. It bounds every length before
 * anything is allocated, and hands out records whose fixed part has been checked (H113).
 */
#ifndef VANE_STREAM_IO_H
#define VANE_STREAM_IO_H

#include <stdbool.h>
#include <sys/uio.h>

#include "../lib/vane.h"
#include "format.h"

struct stream_out {
    struct vane *v;
    int fd;
    uint64_t bytes;
};

/* 0, or -errno recorded. */
int out_bytes(struct stream_out *o, const void *p, size_t n) MUST_CHECK;
/* A record of up to 4 parts, padded. */
int out_record(struct stream_out *o, uint32_t type, const struct iovec *part, unsigned n) MUST_CHECK;

struct stream_in {
    struct vane *v;
    /* Fill @p with exactly @n bytes: 0, or -errno (-EPIPE: the stream ends here). */
    int (*read)(void *opaque, void *p, size_t n);
    void *opaque;
    uint64_t bytes;
};

int in_bytes(struct stream_in *in, void *p, size_t n) MUST_CHECK;
int stream_read_fd(void *opaque, void *p, size_t n);       /* opaque: int * */

/* The file's head: its configuration (JSON, malloc'ed, terminated). */
int in_xl_header(struct stream_in *in, char **json) MUST_CHECK;
/* libxl's header, its CONTEXT record, libxc's two headers. */
int in_stream_headers(struct stream_in *in) MUST_CHECK;
int in_libxl_end(struct stream_in *in) MUST_CHECK;

struct record {
    uint32_t type;          /* enum record_type; unknown optional ones are skipped by the reader */
    uint32_t length;
    uint8_t *body;          /* malloc'ed, NULL when length is 0 */
};
/* The next record; free(r->body). */
int in_record(struct stream_in *in, struct record *r) MUST_CHECK;

/* PAGE_DATA taken apart: the words and, for kinds that have data, the pages in order. */
struct page_batch {
    uint32_t count;
    const uint64_t *word;
    const uint8_t *pages;
    uint32_t with_data;
};
int record_pages(struct vane *v, const struct record *r, uint64_t max_pfn, struct page_batch *out)
    MUST_CHECK;

#endif
