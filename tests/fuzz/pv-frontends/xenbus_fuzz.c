/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XenStore's ring with anything in it, and replies of any content to what was asked: the client, the state machine of
 * devices and both drivers' negotiation. No memory error, no endless loop, no page freed while it is granted; a broken
 * connection stays broken.
 */
#include "scribble.h"

#include <stdlib.h>

static struct xs *xs;

static void put(const void *data, size_t len)
{
    struct xenstore_domain_interface *ring = xs->ring;

    for (size_t i = 0; i < len; i++)
        ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod++)] = ((const char *)data)[i];
}

/* A reply to a request of type @type, mostly with a proper head; its text is the input's. */
static void reply(uint32_t type)
{
    static const char *const texts[] = { "OK", "1", "2", "4", "ENOENT", "/b/vbd", "512", "00:16:3e:0a:0b:0c" };
    struct xsd_sockmsg head = { .type = type, .req_id = xs->next_id };
    char text[256];
    const uint8_t how = scribble_byte();

    if (how & 64)
        head.type = scribble_byte() % 24u;
    head.len = (uint32_t)(how & 128 ? scribble_bytes(text, scribble_byte()) : strlen(texts[how & 7]));
    if (!(how & 128))
        memcpy(text, texts[how & 7], head.len);
    put(&head, sizeof(head));
    put(text, head.len);
}

/* A whole request is answered, or anything is done to the ring instead; half of one only waits. */
static bool daemon_turn(void)
{
    const struct xenstore_domain_interface *ring = xs->ring;
    const uint32_t used = ring->req_prod - ring->req_cons;
    struct xsd_sockmsg head;

    for (size_t i = 0; i < sizeof(head); i++)
        ((char *)&head)[i] = ring->req[MASK_XENSTORE_IDX(ring->req_cons + (uint32_t)i)];
    if (used < sizeof(head) || used - sizeof(head) < head.len)
        return false;
    xs->ring->req_cons += (uint32_t)sizeof(head) + head.len;
    if (scribble_byte() % 16 == 0)
        return scribble();
    reply(head.type);
    return true;
}

static void requests(void)
{
    struct xs_event e;
    char buf[64];
    uint32_t tx;

    for (unsigned i = 0; i < 4; i++) {
        const bool was_broken = xs->broken;

        xs_write(xs, 0, "a", "b");
        if (xs_read(xs, 0, "a", buf, sizeof(buf)) >= (int)sizeof(buf) ||
            xs_directory(xs, 0, "a", buf, sizeof(buf)) >= (int)sizeof(buf))
            abort();
        xs_watch(xs, "a", "t");
        xs_next_event(xs, &e, pv_now());
        if (xs_transaction_start(xs, &tx) == 0)
            xs_transaction_end(xs, tx, true);
        if (was_broken && !xs->broken)
            abort();
    }
}

void fuzz_one(struct world *w)
{
    const struct net_wish wish = { .queues = 2, .slots = 8, .csum = true, .gso = true };
    struct blkfront b;
    struct netfront n;

    xs = &w->xs;
    scribble_pages(&(struct scribble_page){ xs->ring, 0 }, 1);
    peer_replace(daemon_turn);
    if (w->choice & 1)
        requests();
    if ((w->choice & 2) && blkfront_open(&b, xs, &w->grants, 51712, 2, 12) == 0)
        blkfront_close(&b);
    if ((w->choice & 4) && netfront_open(&n, xs, &w->grants, 0, &wish) == 0)
        netfront_close(&n);
}
