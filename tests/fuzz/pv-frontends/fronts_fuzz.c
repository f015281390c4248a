/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every front end against a peer that lies whenever the input says so: no memory error, no page freed while it is
 * granted (the peer aborts on that), no endless loop. The first two bytes choose the devices, how many queues and
 * pages, what is offered, and whether the domain moves in the middle.
 */
#include "scribble.h"

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    volatile uint8_t *sink = arg;

    (void)queue;
    (void)info;
    for (size_t i = 0; i < len; i++)
        *sink ^= data[i];
}

static void use_disk(struct xs *xs, struct pv_grants *grants, unsigned queues, unsigned pages, bool resume)
{
    static uint8_t buf[40 * 4096];
    struct blkfront b;

    if (blkfront_open(&b, xs, grants, 51712, queues, pages) != 0)
        return;
    for (unsigned i = 0; i < 4; i++) {
        unsigned q = i % b.nr_queues;

        memset(buf, (int)i, sizeof(buf));
        blk_write(&b, q, i * 64, buf, 4096 * (1 + i * 12));
        blk_read(&b, q, i * 64, buf, 4096);
        blk_flush(&b, q);
        blk_discard(&b, q, 0, 8);
        int id = blk_get(&b, q);
        if (id >= 0 && blk_start(&b, q, id, BLKIF_OP_WRITE, 0, 512) != 0)
            blk_put(&b, q, id);
        if (resume && i == 1) {         /* with that request under way */
            peer_new_domain(xs, grants);
            blkfront_resume(&b);
        }
    }
    blkfront_close(&b);
}

static void use_net(struct xs *xs, struct pv_grants *grants, unsigned queues, bool resume)
{
    static uint8_t frame[12000], sink;
    const struct net_wish wish = { .queues = queues, .slots = 16, .csum = true, .gso = true };
    struct netfront n;

    if (netfront_open(&n, xs, grants, 0, &wish) != 0)
        return;
    for (unsigned i = 0; i < 40; i++) {
        const struct net_info info = { .csum_blank = i & 1, .gso_type = i % 3 == 0 && n.gso4, .gso_size = 1000 };

        net_send(&n, i % n.nr_queues, frame, 60 + i * 200, &info);
        net_kick(&n, i % n.nr_queues);
        if (net_poll(&n, i % n.nr_queues, 8, receive, &sink) < 0 && !resume)
            break;
        if (resume && i == 20) {
            peer_new_domain(xs, grants);
            netfront_resume(&n);
        }
    }
    netfront_close(&n);
}

void fuzz_one(struct world *w)
{
    const uint8_t more = scribble_byte();
    size_t size;
    const uint8_t *lies = scribble_rest(&size);

    if (more & 16)
        peer_put("/b/vif/feature-gso-tcpv4", "1");
    if (more & 32)
        peer_put("/b/vbd/multi-queue-max-queues", more & 64 ? "0" : "2");
    peer_lies(lies, size);
    if (w->choice & 1)
        use_disk(&w->xs, &w->grants, 1 + more % 4, 1 + (w->choice >> 3) % 14, more & 128);
    if (w->choice & 2)
        use_net(&w->xs, &w->grants, 1 + more % 4, more & 128);
    if (w->choice & 4) {
        struct xs_event e;
        char buf[64];

        for (unsigned i = 0; i < 8; i++) {
            xs_write(&w->xs, 0, "a", "b");
            xs_read(&w->xs, 0, "a", buf, sizeof(buf));
            xs_watch(&w->xs, "a", "t");
            xs_next_event(&w->xs, &e, pv_now());
            xs_events_lost(&w->xs);
        }
    }
}
