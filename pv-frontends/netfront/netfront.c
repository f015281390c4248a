/* SPDX-License-Identifier: MIT */
/*
 * Connecting an interface, leaving it, and connecting it again after a resume. Owns rings, slot pages and grants of
 * the queues.
 */
#include "net_io.h"

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
    if (q->joined != NULL)
        pv_pages_free(q->joined, JOINED_PAGES);
    if (q->port != 0)
        pv_evtchn_close(q->port);
    q->port = 0;
    q->joined = NULL;
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
    return rc == 0 ? 0 : -XEN_EBUSY;
}

/* Receive slots are the ring's slots: with fewer pages than the ring has, we post fewer. */
static int alloc_queue(struct net_queue *q, unsigned slots)
{
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
    q->tx_pages = pv_pages_alloc(q->tx_slots);
    q->rx_pages = pv_pages_alloc(q->rx_slots);
    q->joined = pv_pages_alloc(JOINED_PAGES);
    return q->tx_pages == NULL || q->rx_pages == NULL || q->joined == NULL ? -XEN_ENOMEM : 0;
}

static int give_pages(struct netfront *n, const uint8_t *pages, unsigned slots, grant_ref_t *refs, bool read_only)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < slots; i++)
        rc = give(n, pages + (size_t)i * PV_PAGE_SIZE, read_only, &refs[i]);
    return rc;
}

/* Give the back end what it needs of this queue: empty rings, the pages, a port. */
static int wire_queue(struct netfront *n, struct net_queue *q)
{
    int port, rc;

    pv_ring_init(&q->tx, q->tx_ring, 1, sizeof(struct netif_tx_request));
    pv_ring_init(&q->rx, q->rx_ring, 1, sizeof(struct netif_rx_response));
    pv_ids_init(&q->tx_ids, q->tx_slots);
    rc = give(n, q->tx_ring, false, &q->tx_ref);
    if (rc == 0)
        rc = give(n, q->rx_ring, false, &q->rx_ref);
    if (rc == 0)
        rc = give_pages(n, q->tx_pages, q->tx_slots, q->tx_refs, true);
    if (rc == 0)
        rc = give_pages(n, q->rx_pages, q->rx_slots, q->rx_refs, false);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < q->rx_slots; i++)
        net_post(q, i);
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
    bool many = n->nr_wired > 1;

    keys[0] = (struct xenbus_key){ many ? STORE_VIF_FE_QUEUE_TX_RING_REF : STORE_VIF_FE_TX_RING_REF, q->tx_ref, i };
    keys[1] = (struct xenbus_key){ many ? STORE_VIF_FE_QUEUE_RX_RING_REF : STORE_VIF_FE_RX_RING_REF, q->rx_ref, i };
    keys[2] = (struct xenbus_key){ many ? STORE_VIF_FE_QUEUE_EVENT_CHANNEL : STORE_VIF_FE_EVENT_CHANNEL, q->port, i };
    return 3;
}

static int publish(struct netfront *n)
{
    struct xenbus_key keys[3 * NET_QUEUES + 8];
    const bool csum = n->wish.csum || n->wish.gso, gso = n->wish.gso;
    unsigned k = 0;

    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_REQUEST_RX_COPY, 1, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_RX_NOTIFY, 1, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_SG, 1, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_NO_CSUM_OFFLOAD, !csum, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_IPV6_CSUM_OFFLOAD, csum, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_GSO_TCPV4, gso, 0 };
    keys[k++] = (struct xenbus_key){ STORE_VIF_FE_FEATURE_GSO_TCPV6, gso, 0 };
    if (n->nr_queues > 1)               /* after a resume maybe one, in place of what is there */
        keys[k++] = (struct xenbus_key){ STORE_VIF_FE_MULTI_QUEUE_NUM_QUEUES, n->nr_wired, 0 };
    for (unsigned i = 0; i < n->nr_wired; i++)
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

static unsigned bounded(unsigned value, unsigned least, unsigned most)
{
    return value < least ? least : value > most ? most : value;
}

/* What the back end offers before we connect, of at most @queues queues. */
static void negotiate(struct netfront *n, unsigned queues)
{
    uint64_t most = xenbus_back_number(&n->bus, STORE_VIF_BE_MULTI_QUEUE_MAX_QUEUES, 1, 1024);

    n->nr_wired = bounded(queues, 1, most < 1 ? 1 : (unsigned)most);
    n->sg = xenbus_back_number(&n->bus, STORE_VIF_BE_FEATURE_SG, 0, 1) == 1;
    n->gso4 = xenbus_back_number(&n->bus, STORE_VIF_BE_FEATURE_GSO_TCPV4, 0, 1) == 1;
    n->gso6 = xenbus_back_number(&n->bus, STORE_VIF_BE_FEATURE_GSO_TCPV6, 0, 1) == 1;
}

static int alloc_queues(struct netfront *n)
{
    const unsigned slots = bounded(n->wish.slots, 2, NET_TX_SLOTS);
    int rc = 0;

    n->queues = pv_pages_alloc(queue_pages(n));
    if (n->queues == NULL)
        return -XEN_ENOMEM;
    for (unsigned i = 0; rc == 0 && i < n->nr_queues; i++)
        rc = alloc_queue(&n->queues[i], slots);
    return rc;
}

static int connect(struct netfront *n)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < n->nr_wired; i++)
        rc = wire_queue(n, &n->queues[i]);
    return rc == 0 ? publish(n) : rc;
}

int netfront_open(struct netfront *n, struct xs *xs, struct pv_grants *grants, unsigned id,
                  const struct net_wish *wish)
{
    int rc;

    memset(n, 0, sizeof(*n));
    n->grants = grants;
    n->id = id;
    n->wish = *wish;
    rc = xenbus_open(&n->bus, xs, "vif", id);
    if (rc == 0)
        rc = read_mac(n);
    if (rc != 0)
        return rc;
    negotiate(n, bounded(wish->queues, 1, NET_QUEUES));
    n->nr_queues = n->nr_wired;
    rc = alloc_queues(n);
    if (rc == 0)
        rc = connect(n);
    if (rc != 0) {
        xenbus_close(&n->bus);
        release_all(n);
    }
    return rc;
}

/* What was given to the back end of another domain is gone with it. */
static void forget(struct net_queue *q)
{
    q->port = 0;
    q->tx_ref = q->rx_ref = 0;
    memset(q->tx_refs, 0, sizeof(q->tx_refs));
    memset(q->rx_refs, 0, sizeof(q->rx_refs));
}

static int reconnect(struct netfront *n)
{
    int rc = xenbus_open(&n->bus, n->bus.xs, "vif", n->id);

    if (rc != 0)
        return rc;
    negotiate(n, n->nr_queues);
    return connect(n);
}

int netfront_resume(struct netfront *n)
{
    int rc;

    for (unsigned i = 0; i < n->nr_queues; i++)
        forget(&n->queues[i]);
    rc = reconnect(n);
    for (unsigned i = 0; rc != 0 && i < n->nr_queues; i++)
        n->queues[i].tx.broken = n->queues[i].rx.broken = true;
    return rc;
}

int netfront_close(struct netfront *n)
{
    xenbus_close(&n->bus);
    return release_all(n);
}
