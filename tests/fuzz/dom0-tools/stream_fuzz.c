/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_fuzz.c - a stream of any bytes, from its first header or (odd first byte) from its records on */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../dom0-tools/stream/stream.h"
#include "../../../dom0-tools/stream/stream_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    const uint8_t *p;
    size_t left;
};

static int from_memory(void *opaque, void *p, size_t n)
{
    struct memory *m = opaque;

    if (n > m->left)
        return -EPIPE;
    memcpy(p, m->p, n);
    m->p += n;
    m->left -= n;
    return 0;
}

static void read_pages(struct stream_in *in, const struct record *r)
{
    struct page_batch b;
    uint8_t page[4096];
    unsigned sum = 0;

    if (record_pages(in, r, 4096, &b) < 0)
        return;
    for (uint32_t i = 0; i < b.count; i++)
        sum += (unsigned)b.word[i];
    for (uint32_t i = 0; i < b.with_data && in_pages(in, page, 1) == 0; i++)
        sum += page[i % 4096];
    if (sum == 0x7fffffff)
        abort();
}

static void read_records(struct stream_in *in)
{
    struct record r;

    while (in_record(in, &r) == 0) {
        unsigned sum = 0;

        if (r.type == REC_PAGE_DATA || r.type == REC_VANE_ZERO) {
            read_pages(in, &r);
            continue;
        }
        for (uint32_t i = 0; i < r.length; i++)
            sum += r.body[i];
        if (sum == 0x7fffffff)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory m = { data + 1, size - 1 };
    struct vane *v;
    struct stream_in in = { .read = from_memory, .opaque = &m };
    char *json, *text;

    if (size == 0 || !(v = vane_open(NULL, NULL)))
        return 0;
    in.v = v;
    if (data[0] & 1) {
        read_records(&in);
    } else if (in_xl_header(&in, &json) == 0) {
        text = config_text_from_json(json);
        free(text);
        free(json);
        if (in_stream_headers(&in) == 0)
            read_records(&in);
    }
    stream_in_close(&in);
    vane_close(v);
    return 0;
}
