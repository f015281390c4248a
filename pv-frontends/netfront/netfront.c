/* SPDX-License-Identifier: MIT */
/* The network protocol: connecting, sending and receiving. Owns rings, slot pages and grants of its queues. */
#include "netfront.h"

#define JOINED_PAGES ((NET_FRAME_MAX + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE)

static int give(struct netfront *n, const void *page, bool read_only, grant_ref_t *ref)
{
    int rc = pv_grant_give(n->grants, n->bus.back_domid, pv_frame(page), read_only);

    if (rc > 0)
        *ref = (grant_ref_t)rc;
    return rc > 0 ? 0 : rc;
}

static int take_back(struct netfront *n, grant_ref_t *refs, unsigned count)
{
    int rc = 0;

    for (unsigned i = 0; i < count; i++) {
        if (refs[i] == 0)
            continue;
        if (pv_grant_end(n->grants, refs[i]) == 0)
            refs[i] = 0;
        else
            rc = -XEN_EBUSY;
    }
    return rc;
}

static int release_pages(struct netfront *n, uint8_t **pages, unsigned count, grant_ref_t *refs)
{
    if (*pages == NULL)
        return 0;
    if (take_back(n, refs, count) != 0)
        return -XEN_EBUSY;              /* leaked on purpose: the other side may still write there */
    pv_pages_free(*pages, count);
    *pages = NULL;
    return 0;
}

static int release_queue(struct netfront *n, struct net_queue *q)
{
    uint8_t *tx_ring = q->tx_ring, *rx_ring = q->rx_ring;
    int rc = release_pages(n, &q->tx_pages, q->tx_slots, q->tx_refs);

    rc |= release_pages(n, &q->rx_pages, q->rx_slots, q->rx_refs);
    rc |= release_pages(n, &tx_ring, 1, &q->tx_ref);
    rc |= release_pages(n, &rx_ring, 1, &q->rx_ref);
    if (q->port != 0)
        pv_evtchn_close(q->port);
    q->port = 0;
    q->tx_ring = tx_ring;
    q->rx_ring = rx_ring;
    return rc == 0 ? 0 : -XEN_EBUSY;
}

static unsigned queue_pages(const struct netfront *n)
{
    return (unsigned)((sizeof(struct net_queue) * n->nr_queues + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);
}

static int release_all(struct netfront *n)
{
    int rc = 0;

    for (unsigned i = 0; n->queues != NULL && i < n->nr_queues; i++)
        rc |= release_queue(n, &n->queues[i]);
    if (rc == 0 && n->queues != NULL) {
        pv_pages_free(n->queues, queue_pages(n));
        n->queues = NULL;
    }
    if (n->joined != NULL)
        pv_pages_free(n->joined, JOINED_PAGES);
    n->joined = NULL;
    return rc == 0 ? 0 : -XEN_EBUSY;
}

static void post(struct net_queue *q, unsigned slot)
{
    struct netif_rx_request *req = pv_ring_request(&q->rx);

    memset(req, 0, sizeof(*req));
    req->id = (uint16_t)slot;
    req->gref = q->rx_refs[slot];
}

/* Receive slots are the ring's slots: with fewer pages than the ring has, we post fewer. */
static int make_direction(struct netfront *n, uint8_t **pages, unsigned slots, grant_ref_t *refs, bool read_only)
{
    int rc = 0;

    *pages = pv_pages_alloc(slots);
    if (*pages == NULL)
        return -XEN_ENOMEM;
    for (unsigned i = 0; rc == 0 && i < slots; i++)
        rc = give(n, *pages + (size_t)i * PV_PAGE_SIZE, read_only, &refs[i]);
    return rc;
}

static int make_queue(struct netfront *n, struct net_queue *q, unsigned slots)
{
    int port, rc;

    q->tx_ring = pv_pages_alloc(1);
    q->rx_ring = pv_pages_alloc(1);
    if (q->tx_ring == NULL || q->rx_ring == NULL)
        return -XEN_ENOMEM;
    /* A slot is the larger of request and answer. */
    pv_ring_init(&q->tx, q->tx_ring, 1, sizeof(struct netif_tx_request));
    pv_ring_init(&q->rx, q->rx_ring, 1, sizeof(struct netif_rx_response));
    q->tx_slots = slots < q->tx.size ? slots : q->tx.size;
    /* A power of two: the ring's slot then tells the page (see take_frame()). */
    for (q->rx_slots = 2; q->rx_slots * 2 <= slots && q->rx_slots * 2 <= q->rx.size;)
        q->rx_slots *= 2;
    pv_ids_init(&q->tx_ids, q->tx_slots);
    rc = give(n, q->tx_ring, false, &q->tx_ref);
    if (rc == 0)
        rc = give(n, q->rx_ring, false, &q->rx_ref);
    if (rc == 0)
        rc = make_direction(n, &q->tx_pages, q->tx_slots, q->tx_refs, true);
    if (rc == 0)
        rc = make_direction(n, &q->rx_pages, q->rx_slots, q->rx_refs, false);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < q->rx_slots; i++)
        post(q, i);
    pv_ring_push(&q->rx);               /* nobody listens yet */
    port = pv_evtchn_alloc(n->bus.back_domid);
    if (port < 0)
        return port;
    q->port = (evtchn_port_t)port;
    return 0;
}

static unsigned queue_keys(const struct netfront *n, unsigned i, struct xenbus_key *keys)
{
    const struct net_queue *q = &n->queues[i];
    bool many = n->nr_queues > 1;

    keys[0] = (struct xenbus_key){ many ? STORE_VIF_FE_QUEUE_TX_RING_REF : STORE_VIF_FE_TX_RING_REF, q->tx_ref, i };
    keys[1] = (struct xenbus_key){ many ? STORE_VIF_FE_QUEUE_RX_RING_REF : STORE_VIF_FE_RX_RING_REF, q->rx_ref, i };
    keys[2] = (struct xenbus_key){ many ? STORE_VIF_FE_QUEUE_EVENT_CHANNEL : STORE_VIF_FE_EVENT_CHANNEL, q->port, i };
    return 3;
}

static int publish(struct netfront *n)
{
    struct xenbus_key keys[3 * NET_QUEUES + 8];
    unsigned k = 0;

    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_REQUEST_RX_COPY, 1, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_RX_NOTIFY, 1, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_SG, 1, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_NO_CSUM_OFFLOAD, 0, 0 };
    if (n->nr_queues > 1)
        keys[k++] = (struct xenbus_key){ STORE_VIF_FE_MULTI_QUEUE_NUM_QUEUES, n->nr_queues, 0 };
    for (unsigned i = 0; i < n->nr_queues; i++)
        k += queue_keys(n, i, keys + k);
    return xenbus_connect(&n->bus, keys, k, XenbusStateConnected);
}

static uint8_t hex_digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static int read_mac(struct netfront *n)
{
    struct store_io io = { n->bus.xs, 0 };
    char text[18];                      /* the schema's type mac: six pairs of hex digits, colons between */
    int rc = store_get_vif_fe_mac(&io, STORE_SELF, n->bus.id, text, sizeof(text));

    for (unsigned i = 0; rc > 0 && i < 6; i++)
        n->mac[i] = (uint8_t)(hex_digit(text[i * 3]) << 4 | hex_digit(text[i * 3 + 1]));
    return rc < 0 ? rc : 0;
}

int netfront_open(struct netfront *n, struct xs *xs, struct pv_grants *grants, unsigned id, unsigned queues,
                  unsigned slots)
{
    uint64_t most;
    int rc;

    memset(n, 0, sizeof(*n));
    n->grants = grants;
    rc = xenbus_open(&n->bus, xs, "vif", id);
    if (rc == 0)
        rc = read_mac(n);
    if (rc != 0)
        return rc;
    most = xenbus_back_number(&n->bus, STORE_VIF_BE_MULTI_QUEUE_MAX_QUEUES, 1, 1024);
    n->nr_queues = queues < 1 ? 1 : queues > NET_QUEUES ? NET_QUEUES : queues;
    if (n->nr_queues > most)
        n->nr_queues = most < 1 ? 1 : (unsigned)most;
    n->sg = xenbus_back_number(&n->bus, STORE_VIF_BE_FEATURE_SG, 0, 1) == 1;
    n->gso4 = xenbus_back_number(&n->bus, STORE_VIF_BE_FEATURE_GSO_TCPV4, 0, 1) == 1;
    n->gso6 = xenbus_back_number(&n->bus, STORE_VIF_BE_FEATURE_GSO_TCPV6, 0, 1) == 1;
    n->queues = pv_pages_alloc(queue_pages(n));
    n->joined = pv_pages_alloc(JOINED_PAGES);
    if (n->queues == NULL || n->joined == NULL)
        rc = -XEN_ENOMEM;
    slots = slots < 2 ? 2 : slots > NET_TX_SLOTS ? NET_TX_SLOTS : slots;
    for (unsigned i = 0; rc == 0 && i < n->nr_queues; i++)
        rc = make_queue(n, &n->queues[i], slots);
    if (rc == 0)
        rc = publish(n);
    if (rc != 0) {
        xenbus_close(&n->bus);
        release_all(n);
    }
    return rc;
}

int netfront_close(struct netfront *n)
{
    xenbus_close(&n->bus);
    return release_all(n);
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
            struct netif_tx_request entry;      /* as large as a slot */
            struct netif_tx_response rsp;

            pv_ring_take(&q->tx, &entry);
            memcpy(&rsp, &entry, sizeof(rsp));
            if (rsp.status == NETIF_RSP_NULL)   /* answers the slot of an extra info */
                continue;
            if (!pv_ids_put(&q->tx_ids, rsp.id)) {              /* N2 */
                q->tx.broken = true;
                return -XEN_EIO;
            }
            if (rsp.status != NETIF_RSP_OKAY)
                q->tx_errors++;
        }
    } while (pv_ring_rearm(&q->tx));
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

int net_send(struct netfront *n, unsigned qn, const void *frame, size_t len, const struct net_info *info)
{
    struct net_queue *q = &n->queues[qn];
    const uint8_t *data = frame;
    unsigned pieces = (unsigned)((len + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);
    const bool gso = info != NULL && info->gso_type != XEN_NETIF_GSO_TYPE_NONE;

    if (len == 0 || len > NET_FRAME_MAX || pieces > q->tx_slots || pieces >= XEN_NETIF_NR_SLOTS_MIN ||
        (pieces > 1 && !n->sg))
        return -XEN_EINVAL;
    if (gso && !(info->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? n->gso4 : n->gso6))
        return -XEN_EINVAL;
    if (reap(q) != 0)
        return -XEN_EIO;
    if (q->tx_ids.nr_free < pieces || pv_ring_free(&q->tx) < pieces + gso)
        return -XEN_ENOSPC;
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

void net_kick(struct netfront *n, unsigned q)
{
    if (pv_ring_push(&n->queues[q].tx))
        pv_evtchn_send(n->queues[q].port);
}

/* ---- receiving ---- */

/*
 * One frame: its slots are joined in @frame. Answers @left are there; returns how many were taken, or -EIO. A
 * frame whose last slot has not come yet counts as broken: back ends publish whole frames.
 */
struct frame {
    uint8_t *joined;                    /* where frames of several slots are put together */
    const uint8_t *data;
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
    const uint8_t *piece = q->rx_pages + (size_t)slot * PV_PAGE_SIZE + rsp->offset;
    if (f->len == 0 && !(rsp->flags & NETRXF_more_data)) {
        f->data = piece;                /* the usual case: one slot, no copy; the page is ours until posted again */
    } else {
        memcpy(f->joined + f->len, piece, size);
        f->data = f->joined;
    }
    f->len += size;
}

static int take_frame(struct net_queue *q, struct frame *f, int left)
{
    bool more = true, extra_next = false, first = true;
    int taken = 0;

    f->data = f->joined;
    f->len = 0;
    f->nr_slots = 0;
    f->bad = false;
    f->info = (struct net_info){ 0 };
    while (more || extra_next) {
        struct netif_rx_response rsp;
        uint32_t slot;

        if (taken == left)
            return -XEN_EIO;
        slot = pv_ring_take(&q->rx, &rsp);
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
    struct net_queue *q = &n->queues[qn];
    struct frame f;
    unsigned frames = 0;

    if (reap(q) != 0)
        return -XEN_EIO;
    for (;;) {
        int left = pv_ring_responses(&q->rx);

        if (left < 0)
            return left;
        if (left == 0) {
            if (!pv_ring_rearm(&q->rx))
                break;
            continue;
        }
        if (frames == budget)
            break;
        f.joined = n->joined;
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
            post(q, f.slots[i]);
    }
    if (pv_ring_push(&q->rx))
        pv_evtchn_send(q->port);
    return q->rx.broken ? -XEN_EIO : (int)frames;
}
