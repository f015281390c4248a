/* SPDX-License-Identifier: MIT */
/* Sending and receiving on a connected queue. Invariants N1, N2, N3 are in netfront.h. */
#include "net_io.h"

static struct net_queue *queue(struct netfront *n, unsigned number)
{
    return &n->queues[number % n->nr_wired];
}

/* ---- sending ---- */

/* Take answers to what was sent: 0 or -EIO. */
static int reap(struct net_queue *q)
{
    do {
        int left = pv_ring_responses(&q->tx);

        if (left < 0)
            return left;
        for (; left > 0; left--) {
            struct netif_tx_response rsp;

            pv_ring_take(&q->tx, &rsp, sizeof(rsp));
            if (rsp.status == NETIF_RSP_NULL)   /* answers the slot of an extra info */
                continue;
            if (!pv_ids_put(&q->tx_ids, rsp.id)) {              /* N2 */
                q->tx.broken = true;
                return -XEN_EIO;
            }
            if (rsp.status != NETIF_RSP_OKAY)
                q->tx_errors++;
        }
    } while (pv_ring_rearm(&q->tx, 1));
    return q->tx.broken ? -XEN_EIO : 0;
}

static void put_gso(struct net_queue *q, const struct net_info *info)
{
    struct netif_extra_info *extra = pv_ring_request(&q->tx);

    memset(extra, 0, sizeof(struct netif_tx_request));
    extra->type = XEN_NETIF_EXTRA_TYPE_GSO;
    extra->u.gso.size = info->gso_size;
    extra->u.gso.type = info->gso_type;
}

static uint16_t first_flags(const struct net_info *info)
{
    uint16_t flags = 0;

    if (info == NULL)
        return 0;
    if (info->csum_blank)
        flags |= NETTXF_csum_blank | NETTXF_data_validated;
    else if (info->csum_good)
        flags |= NETTXF_data_validated;
    if (info->gso_type != XEN_NETIF_GSO_TYPE_NONE)
        flags |= NETTXF_extra_info;
    return flags;
}

static bool tx_room(const struct net_queue *q, unsigned pieces, bool gso)
{
    return q->tx_ids.nr_free >= pieces && pv_ring_free(&q->tx) >= pieces + gso;
}

int net_send(struct netfront *n, unsigned qn, const void *frame, size_t len, const struct net_info *info)
{
    struct net_queue *q = queue(n, qn);
    const uint8_t *data = frame;
    unsigned pieces = (unsigned)((len + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);
    const bool gso = info != NULL && info->gso_type != XEN_NETIF_GSO_TYPE_NONE;

    if (len == 0 || len > NET_FRAME_MAX || pieces > q->tx_slots || pieces >= XEN_NETIF_NR_SLOTS_MIN ||
        (pieces > 1 && !n->sg))
        return -XEN_EINVAL;
    if (gso && !(info->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? n->gso4 : n->gso6))
        return -XEN_EINVAL;
    if (!tx_room(q, pieces, gso)) {
        if (reap(q) != 0)
            return -XEN_EIO;
        if (!tx_room(q, pieces, gso))
            return -XEN_ENOSPC;
    }
    for (unsigned i = 0; i < pieces; i++) {
        size_t here = len - (size_t)i * PV_PAGE_SIZE < PV_PAGE_SIZE ? len - (size_t)i * PV_PAGE_SIZE : PV_PAGE_SIZE;
        unsigned id = (unsigned)pv_ids_get(&q->tx_ids);
        struct netif_tx_request *req = pv_ring_request(&q->tx);

        memcpy(q->tx_pages + (size_t)id * PV_PAGE_SIZE, data + (size_t)i * PV_PAGE_SIZE, here);
        /* The first slot tells the length of the whole frame, the others their own. */
        *req = (struct netif_tx_request){ .gref = q->tx_refs[id], .id = (uint16_t)id,
                                          .size = (uint16_t)(i == 0 ? len : here) };
        req->flags = (uint16_t)((i == 0 ? first_flags(info) : 0) | (i + 1 < pieces ? NETTXF_more_data : 0));
        if (i == 0 && gso)
            put_gso(q, info);
    }
    q->tx_frames++;
    return 0;
}

void net_kick(struct netfront *n, unsigned qn)
{
    struct net_queue *q = queue(n, qn);

    if (pv_ring_push(&q->tx))
        pv_evtchn_send(q->port);
}

/* ---- receiving ---- */

void net_post(struct net_queue *q, unsigned slot)
{
    struct netif_rx_request *req = pv_ring_request(&q->rx);

    memset(req, 0, sizeof(*req));
    req->id = (uint16_t)slot;
    req->gref = q->rx_refs[slot];
}

/*
 * One frame: its slots are joined in f->data. Answers @left are there; returns how many were taken, or -EIO. A
 * frame whose last slot has not come yet counts as broken: back ends publish whole frames.
 */
struct frame {
    uint8_t *data;                      /* where its pieces are put together */
    size_t len;
    bool bad;
    struct net_info info;
    unsigned slots[NET_RX_SLOTS];
    unsigned nr_slots;
};

static void take_extra(struct frame *f, const struct netif_extra_info *extra)
{
    if (extra->type == XEN_NETIF_EXTRA_TYPE_GSO) {
        f->info.gso_type = extra->u.gso.type;
        f->info.gso_size = extra->u.gso.size;
    } else if (extra->type == XEN_NETIF_EXTRA_TYPE_NONE || extra->type >= XEN_NETIF_EXTRA_TYPE_MAX) {
        f->bad = true;
    }
}

static void take_piece(struct net_queue *q, struct frame *f, const struct netif_rx_response *rsp, unsigned slot)
{
    size_t size = (size_t)(rsp->status < 0 ? 0 : rsp->status);

    if (rsp->status < 0 || rsp->offset + size > PV_PAGE_SIZE || f->len + size > NET_FRAME_MAX) {     /* N1 */
        f->bad = true;
        return;
    }
    if (f->bad)
        return;
    memcpy(f->data + f->len, q->rx_pages + (size_t)slot * PV_PAGE_SIZE + rsp->offset, size);     /* N3 */
    f->len += size;
}

static int take_frame(struct net_queue *q, struct frame *f, int left)
{
    bool more = true, extra_next = false, first = true;
    int taken = 0;

    f->data = q->joined;
    f->len = 0;
    f->nr_slots = 0;
    f->bad = false;
    f->info = (struct net_info){ 0 };
    while (more || extra_next) {
        struct netif_rx_response rsp;
        uint32_t slot;

        if (taken == left)
            return -XEN_EIO;
        slot = pv_ring_take(&q->rx, &rsp, sizeof(rsp));
        taken++;
        /* Buffers are posted and answered in ring order, so the ring slot tells which one this is. */
        f->slots[f->nr_slots++] = slot % q->rx_slots;
        if (extra_next) {
            struct netif_extra_info extra;

            memcpy(&extra, &rsp, sizeof(extra));
            take_extra(f, &extra);
            extra_next = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
            continue;
        }
        take_piece(q, f, &rsp, f->slots[f->nr_slots - 1]);
        more = (rsp.flags & NETRXF_more_data) != 0;
        if (first) {
            f->info.csum_blank = (rsp.flags & NETRXF_csum_blank) != 0;
            f->info.csum_good = (rsp.flags & NETRXF_data_validated) != 0;
            extra_next = (rsp.flags & NETRXF_extra_info) != 0;
        }
        first = false;
    }
    return taken;
}

int net_poll(struct netfront *n, unsigned qn, unsigned budget, net_receive_t receive, void *arg)
{
    struct net_queue *q = queue(n, qn);
    struct frame f;
    unsigned frames = 0;

    if (reap(q) != 0)
        return -XEN_EIO;
    for (;;) {
        int left = pv_ring_responses(&q->rx);

        if (left < 0)
            return left;
        if (left == 0) {
            if (!pv_ring_rearm(&q->rx, 1))
                break;
            continue;
        }
        if (frames == budget)
            break;
        if (take_frame(q, &f, left) < 0) {
            q->rx.broken = true;
            return -XEN_EIO;
        }
        if (f.bad) {
            q->rx_errors++;
        } else {
            receive(arg, qn, f.data, f.len, &f.info);
            frames++;
            q->rx_frames++;
        }
        for (unsigned i = 0; i < f.nr_slots; i++)
            net_post(q, f.slots[i]);
    }
    if (pv_ring_push(&q->rx))
        pv_evtchn_send(q->port);
    return q->rx.broken ? -XEN_EIO : (int)frames;
}
