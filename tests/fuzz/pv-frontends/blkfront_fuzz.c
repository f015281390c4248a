/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk whose back end writes anything into the rings, the data pages and the lists of segments, and maps what it likes.
 * No memory error, no page freed while it is granted, no endless loop; a request ends once, and never before it was asked.
 * The first byte chooses queues, pages and whether the domain moves beside a back end that takes less.
 */
#include "scribble.h"

#include <stdlib.h>

static void share(const struct blkfront *b)
{
    struct scribble_page list[64];
    unsigned n = 0;

    for (unsigned q = 0; q < b->nr_queues; q++)
        list[n++] = (struct scribble_page){ b->queues[q].ring_page, sizeof(struct blkif_request) };
    for (unsigned q = 0; q < b->nr_queues; q++)
        for (unsigned id = 0; id < 2; id++) {
            const struct blk_request *r = &b->queues[q].requests[id];

            list[n++] = (struct scribble_page){ r->pages, 0 };
            if (r->indirect != NULL)
                list[n++] = (struct scribble_page){ r->indirect, 0 };
        }
    scribble_pages(list, n);
}

static void must(bool good)
{
    if (!good)
        abort();
}

/* What is under way is what was asked and not answered, whatever the back end did. */
static void check(const struct blkfront *b)
{
    for (unsigned q = 0; q < b->nr_queues; q++)
        for (unsigned id = 0; id < b->depth; id++) {
            const struct blk_request *r = &b->queues[q].requests[id];

            must(r->done ? r->open == 0 : r->nr_asked <= r->nr_parts && r->open < 1U << r->nr_asked);
            must(r->done || r->open != 0 || r->nr_asked < r->nr_parts);
        }
}

static void one_of_all(struct blkfront *b, unsigned q)
{
    static uint8_t buf[13 * 4096];
    int ids[3];

    for (unsigned i = 0; i < 3; i++) {
        ids[i] = blk_get(b, q);
        if (ids[i] >= 0 && blk_start(b, q, ids[i], i == 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i * 128, 512U << i) != 0) {
            blk_put(b, q, ids[i]);
            ids[i] = -1;
        }
    }
    blk_event_after(b, q, 2);
    blk_kick(b, q);
    blk_poll(b, q);
    check(b);
    blk_event_after(b, q, 1);
    for (unsigned i = 0; i < 3; i++)
        if (ids[i] >= 0 && (blk_wait(b, q, ids[i]), b->queues[q].requests[ids[i]].done))
            blk_put(b, q, ids[i]);
    blk_read(b, q, 8, buf, sizeof(buf));
    blk_write(b, q, 8, buf, sizeof(buf));
    blk_flush(b, q);
    blk_discard(b, q, 0, 8);
    check(b);
}

void fuzz_one(struct world *w)
{
    struct blkfront b;

    if (blkfront_open(&b, &w->xs, &w->grants, 51712, 1 + w->choice % 3, w->choice & 4 ? 12 : 2) != 0)
        return;
    share(&b);
    peer_replace(scribble_back_end);
    one_of_all(&b, 0);
    one_of_all(&b, b.nr_queues - 1);
    if (w->choice & 8) {
        int id = blk_get(&b, 0);

        if (id >= 0 && blk_start(&b, 0, id, BLKIF_OP_READ, 0, b.max_segments * PV_PAGE_SIZE) != 0)
            blk_put(&b, 0, id);
        peer_new_domain(&w->xs, &w->grants);
        peer_put("/b/vbd/multi-queue-max-queues", w->choice & 16 ? "1" : "4");
        peer_put("/b/vbd/feature-max-indirect-segments", w->choice & 32 ? "0" : "256");
        blkfront_resume(&b);
        check(&b);
        one_of_all(&b, b.nr_queues - 1);
    }
    blkfront_close(&b);
}
