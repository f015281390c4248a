/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interface whose back end writes anything into both rings and all pages, and maps what it likes. No memory error, no page
 * freed while it is granted, no endless loop; what is handed on is a frame's length of memory that does not change under
 * the reader.
 */
#include "scribble.h"

#include <stdlib.h>

static struct netfront net;

static void share(void)
{
    struct scribble_page list[64];
    unsigned n = 0;

    for (unsigned i = 0; i < net.nr_queues; i++) {
        const struct net_queue *q = &net.queues[i];

        list[n++] = (struct scribble_page){ q->rx_ring, sizeof(struct netif_rx_response) };
        list[n++] = (struct scribble_page){ q->tx_ring, sizeof(struct netif_tx_request) };
        list[n++] = (struct scribble_page){ q->rx_pages, 0 };
        list[n++] = (struct scribble_page){ q->rx_pages + PV_PAGE_SIZE, 0 };
        list[n++] = (struct scribble_page){ q->tx_pages, 0 };
    }
    scribble_pages(list, n);
}

static uint32_t sum(const uint8_t *data, size_t len)
{
    uint32_t s = 0;

    for (size_t i = 0; i < len; i++)
        s = s * 31 + data[i];
    return s;
}

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    uint32_t before = sum(data, len);

    (void)arg;
    (void)queue;
    (void)info;
    scribble();
    if (len > NET_FRAME_MAX || sum(data, len) != before)
        abort();
}

static void use(unsigned rounds)
{
    static uint8_t frame[12000];

    for (unsigned i = 0; i < rounds; i++) {
        const unsigned q = i % net.nr_queues;
        const struct net_info info = { .csum_blank = i & 1, .gso_type = i % 3 == 0 && net.gso4, .gso_size = 1000 };

        for (unsigned k = 0; k < 3; k++)
            net_send(&net, q, frame, 60 + (i + k) * 700 % sizeof(frame), &info);
        net_kick(&net, q);
        scribble();
        net_poll(&net, q, 8, receive, NULL);
        for (unsigned k = 0; k < net.nr_queues; k++)
            if (pv_ids_busy(&net.queues[k].tx_ids) > net.queues[k].tx_slots)
                abort();
    }
}

void fuzz_one(struct world *w)
{
    const struct net_wish wish = { .queues = 1 + w->choice % 3, .slots = 16, .csum = true, .gso = true };

    peer_put("/b/vif/feature-gso-tcpv4", w->choice & 4 ? "1" : "0");
    if (netfront_open(&net, &w->xs, &w->grants, 0, &wish) != 0)
        return;
    share();
    peer_replace(scribble_back_end);
    use(6);
    if (w->choice & 8) {
        peer_new_domain(&w->xs, &w->grants);
        peer_put("/b/vif/multi-queue-max-queues", w->choice & 16 ? "1" : "4");
        netfront_resume(&net);
        use(4);
    }
    netfront_close(&net);
}
