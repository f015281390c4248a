/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every front end against a peer that lies whenever the input says so: no memory error, no page freed while it is
 * granted (the peer aborts on that), no endless loop, and a disk that reports success has the data where it belongs.
 */
#include "peer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    volatile uint8_t *sink = arg;

    (void)queue;
    (void)info;
    for (size_t i = 0; i < len; i++)
        *sink ^= data[i];
}

static void use_disk(struct xs *xs, struct pv_grants *grants, unsigned pages)
{
    static uint8_t buf[40 * 4096];
    struct blkfront b;

    if (blkfront_open(&b, xs, grants, 51712, 1, pages) != 0)
        return;
    for (unsigned i = 0; i < 4; i++) {
        memset(buf, (int)i, sizeof(buf));
        blk_write(&b, 0, i * 64, buf, 4096 * (1 + i * 12));
        blk_read(&b, 0, i * 64, buf, 4096);
        blk_flush(&b, 0);
        blk_discard(&b, 0, 0, 8);
    }
    blkfront_close(&b);
}

static void use_net(struct xs *xs, struct pv_grants *grants)
{
    static uint8_t frame[12000], sink;
    struct netfront n;

    if (netfront_open(&n, xs, grants, 0, &(struct net_wish){ .queues = 1, .slots = 16 }) != 0)
        return;
    for (unsigned i = 0; i < 40; i++) {
        net_send(&n, 0, frame, 60 + i * 200, NULL);
        net_kick(&n, 0);
        if (net_poll(&n, 0, 8, receive, &sink) < 0)
            break;
    }
    netfront_close(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pv_grants grants;
    struct xs xs;

    if (size < 2)
        return 0;
    peer_reset();
    peer_xs(&xs);
    pv_grants_init(&grants);
    peer_lies(data + 1, size - 1);
    if (data[0] & 1)
        use_disk(&xs, &grants, 1 + (data[0] >> 3) % 14);
    if (data[0] & 2)
        use_net(&xs, &grants);
    if (data[0] & 4) {
        struct xs_event e;
        char buf[64];

        for (unsigned i = 0; i < 8; i++) {
            xs_write(&xs, 0, "a", "b");
            xs_read(&xs, 0, "a", buf, sizeof(buf));
            xs_watch(&xs, "a", "t");
            xs_next_event(&xs, &e, pv_now());
            xs_events_lost(&xs);
        }
    }
    peer_free_all();
    return 0;
}
