/* SPDX-License-Identifier: MIT */
/*
 * Connecting a disk, leaving it, and connecting it again after a resume. Owns the queues' rings, data pages and
 * grants. Invariants B3, B4 are in blkfront.h.
 */
#include "blk_io.h"

#define NO_REF 0U

static int give(struct blkfront *b, const void *page, grant_ref_t *ref)
{
    int rc = pv_grant_give(b->grants, b->bus.back_domid, pv_frame(page), false);

    if (rc > 0)
        *ref = (grant_ref_t)rc;
    return rc > 0 ? 0 : rc;
}

/* Take @ref back and free @page with it; a page the back end still maps is never given to anybody again. */
static int take_back(struct blkfront *b, grant_ref_t *ref)
{
    int rc = *ref == NO_REF ? 0 : pv_grant_end(b->grants, *ref);

    if (rc == 0)
        *ref = NO_REF;
    return rc;
}

static int release_request(struct blkfront *b, struct blk_request *r)
{
    int rc = 0;

    for (unsigned i = 0; i < r->nr_pages; i++)
        rc |= take_back(b, &r->refs[i]);
    rc |= take_back(b, &r->indirect_ref);
    if (rc != 0)
        return -XEN_EBUSY;
    if (r->pages != NULL)
        pv_pages_free(r->pages, r->nr_pages);
    if (r->indirect != NULL)
        pv_pages_free(r->indirect, 1);
    r->pages = r->indirect = NULL;
    return 0;
}

static int release_queue(struct blkfront *b, unsigned i)
{
    struct blk_queue *q = &b->queues[i];
    int rc = 0;

    for (unsigned id = 0; id < BLK_DEPTH; id++)
        rc |= release_request(b, &q->requests[id]);
    if (take_back(b, &q->ring_ref) != 0)
        rc = -XEN_EBUSY;
    else if (q->ring_page != NULL)
        pv_pages_free(q->ring_page, 1);
    if (q->port != 0 && i < b->nr_rings)
        pv_evtchn_close(q->port);
    q->port = 0;
    q->ring_page = NULL;
    return rc == 0 ? 0 : -XEN_EBUSY;
}

static unsigned queue_pages(void)
{
    return (unsigned)((sizeof(struct blk_queue) * BLK_QUEUES + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);
}

static int release_all(struct blkfront *b)
{
    int rc = 0;

    for (unsigned i = 0; b->queues != NULL && i < b->nr_queues; i++)
        rc |= release_queue(b, i);
    if (rc == 0 && b->queues != NULL) {
        pv_pages_free(b->queues, queue_pages());
        b->queues = NULL;
    }
    return rc == 0 ? 0 : -XEN_EBUSY;
}

static int alloc_request(struct blk_request *r, unsigned pages)
{
    r->done = true;                     /* B1: nothing may answer what was never asked */
    r->pages = pv_pages_alloc(pages);
    if (r->pages == NULL)
        return -XEN_ENOMEM;
    r->nr_pages = pages;
    if (pages <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return 0;
    r->indirect = pv_pages_alloc(1);
    return r->indirect == NULL ? -XEN_ENOMEM : 0;
}

static int alloc_queue(struct blk_queue *q, unsigned pages)
{
    int rc = 0;

    q->ring_page = pv_pages_alloc(1);
    if (q->ring_page == NULL)
        return -XEN_ENOMEM;
    pv_ring_init(&q->ring, q->ring_page, 1, sizeof(struct blkif_request));
    pv_ids_init(&q->ids, q->ring.size < BLK_DEPTH ? q->ring.size : BLK_DEPTH);
    for (unsigned i = 0; rc == 0 && i < q->ids.size; i++)
        rc = alloc_request(&q->requests[i], pages);
    return rc;
}

static int alloc_queues(struct blkfront *b)
{
    int rc = 0;

    b->queues = pv_pages_alloc(queue_pages());
    if (b->queues == NULL)
        return -XEN_ENOMEM;
    for (unsigned i = 0; rc == 0 && i < b->nr_queues; i++)
        rc = alloc_queue(&b->queues[i], b->max_segments);
    b->depth = b->queues[0].ids.size;
    return rc;
}

static int give_request(struct blkfront *b, struct blk_request *r)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < r->nr_pages; i++)
        rc = give(b, r->pages + (size_t)i * PV_PAGE_SIZE, &r->refs[i]);
    /* Writable although only read: a back end that keeps its mappings maps every page for writing. */
    return rc == 0 && r->indirect != NULL ? give(b, r->indirect, &r->indirect_ref) : rc;
}

/* Give the back end what it needs of a queue: the pages, an empty ring, a port. */
static int wire_queue(struct blkfront *b, unsigned i)
{
    struct blk_queue *q = &b->queues[i];
    int port, rc = 0;

    for (unsigned id = 0; rc == 0 && id < q->ids.size; id++)
        rc = give_request(b, &q->requests[id]);
    if (rc != 0)
        return rc;
    if (i >= b->nr_rings) {                     /* B4: carried by a ring that is wired already */
        q->port = b->queues[i % b->nr_rings].port;
        return 0;
    }
    pv_ring_init(&q->ring, q->ring_page, 1, sizeof(struct blkif_request));
    q->crowded = false;
    q->turn = 0;
    q->patience = 1;
    rc = give(b, q->ring_page, &q->ring_ref);
    if (rc != 0)
        return rc;
    port = pv_evtchn_alloc(b->bus.back_domid);
    if (port < 0)
        return port;
    q->port = (evtchn_port_t)port;
    return 0;
}

/* The keys of one queue, at the device's top when there is only one. */
static unsigned queue_keys(const struct blkfront *b, unsigned i, struct xenbus_key *keys)
{
    bool many = b->nr_rings > 1;

    keys[0] = (struct xenbus_key){ many ? STORE_VBD_FE_QUEUE_RING_REF : STORE_VBD_FE_RING_REF,
                                   b->queues[i].ring_ref, i };
    keys[1] = (struct xenbus_key){ many ? STORE_VBD_FE_QUEUE_EVENT_CHANNEL : STORE_VBD_FE_EVENT_CHANNEL,
                                   b->queues[i].port, i };
    return 2;
}

static int publish(struct blkfront *b)
{
    struct xenbus_key keys[2 * BLK_QUEUES + 3];
    unsigned n = 0;

    keys[n++] = (struct xenbus_key){ STORE_VBD_FE_PROTOCOL, STORE_PROTOCOL_X86_64_ABI, 0 };
    keys[n++] = (struct xenbus_key){ STORE_VBD_FE_FEATURE_PERSISTENT, 1, 0 };
    if (b->nr_queues > 1)               /* after a resume maybe one, in place of what is there */
        keys[n++] = (struct xenbus_key){ STORE_VBD_FE_MULTI_QUEUE_NUM_QUEUES, b->nr_rings, 0 };
    for (unsigned i = 0; i < b->nr_rings; i++)
        n += queue_keys(b, i, keys + n);
    return xenbus_connect(&b->bus, keys, n, XenbusStateInitialised);
}

/* What the back end offers before we connect: how many of @wanted queues, */
static unsigned offered_queues(struct blkfront *b, unsigned wanted)
{
    uint64_t most = xenbus_back_number(&b->bus, STORE_VBD_BE_MULTI_QUEUE_MAX_QUEUES, 1, 1024);

    return wanted <= most ? wanted : most < 1 ? 1 : (unsigned)most;
}

/* and of @wanted pages in a request. */
static unsigned offered_pages(struct blkfront *b, unsigned wanted)
{
    uint64_t indirect = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_MAX_INDIRECT_SEGMENTS, 0, 1U << 20);

    b->indirect = indirect > BLKIF_MAX_SEGMENTS_PER_REQUEST;
    if (wanted <= BLKIF_MAX_SEGMENTS_PER_REQUEST || wanted <= indirect)
        return wanted;
    return b->indirect ? (unsigned)indirect : BLKIF_MAX_SEGMENTS_PER_REQUEST;
}

static unsigned bounded(unsigned value, unsigned most)
{
    return value < 1 ? 1 : value > most ? most : value;
}

/* What it says of the disk, and offers, once it has looked at ours. */
static int read_disk(struct blkfront *b)
{
    uint64_t info = xenbus_back_number(&b->bus, STORE_VBD_BE_INFO, 0, UINT32_MAX);

    /* "sectors" counts units of 512 bytes whatever sector-size says. */
    b->sectors = xenbus_back_number(&b->bus, STORE_VBD_BE_SECTORS, 0, UINT64_MAX / BLK_SECTOR);
    b->sector_size = (uint32_t)xenbus_back_number(&b->bus, STORE_VBD_BE_SECTOR_SIZE, BLK_SECTOR, 65536);
    b->read_only = (info & VDISK_READONLY) != 0;
    b->persistent = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_PERSISTENT, 0, 1) == 1;
    b->flush = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_FLUSH_CACHE, 0, 1) == 1;
    b->discard = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_DISCARD, 0, 1) == 1;
    if (b->sector_size < BLK_SECTOR || (b->sector_size & (b->sector_size - 1)) != 0 || b->sectors == 0)
        return -XEN_EINVAL;
    return 0;
}

/* From pages to a connected disk. */
static int connect(struct blkfront *b)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < b->nr_queues; i++)
        rc = wire_queue(b, i);
    if (rc == 0)
        rc = publish(b);
    if (rc == 0)
        rc = read_disk(b);
    return rc == 0 ? xenbus_set_state(&b->bus, XenbusStateConnected) : rc;
}

int blkfront_open(struct blkfront *b, struct xs *xs, struct pv_grants *grants, unsigned id, unsigned queues,
                  unsigned pages_each)
{
    int rc;

    memset(b, 0, sizeof(*b));
    b->grants = grants;
    b->id = id;
    rc = xenbus_open(&b->bus, xs, "vbd", id);
    if (rc != 0)
        return rc;
    b->nr_queues = b->nr_rings = offered_queues(b, bounded(queues, BLK_QUEUES));
    b->max_segments = b->part_pages = offered_pages(b, bounded(pages_each, BLK_SEGMENTS));
    rc = alloc_queues(b);
    if (rc == 0)
        rc = connect(b);
    if (rc != 0) {
        xenbus_close(&b->bus);
        release_all(b);
    }
    return rc;
}

/* What was given to the back end of another domain is gone with it. */
static void forget(struct blk_queue *q)
{
    q->port = 0;
    q->ring_ref = NO_REF;
    for (unsigned i = 0; i < BLK_DEPTH; i++) {
        memset(q->requests[i].refs, 0, sizeof(q->requests[i].refs));
        q->requests[i].indirect_ref = NO_REF;
    }
}

static int reconnect(struct blkfront *b)
{
    int rc = xenbus_open(&b->bus, b->bus.xs, "vbd", b->id);

    if (rc != 0)
        return rc;
    b->nr_rings = offered_queues(b, b->nr_queues);
    b->part_pages = offered_pages(b, b->max_segments);
    if (b->part_pages < b->max_segments)        /* in parts, then: each named directly */
        b->part_pages = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    return connect(b);
}

int blkfront_resume(struct blkfront *b)
{
    int rc;

    for (unsigned i = 0; i < b->nr_queues; i++)
        forget(&b->queues[i]);
    rc = reconnect(b);
    if (rc == 0)
        blk_reissue(b);                         /* B3 */
    for (unsigned i = 0; rc != 0 && i < b->nr_queues; i++)
        b->queues[i].ring.broken = true;
    return rc;
}

int blkfront_close(struct blkfront *b)
{
    for (unsigned i = 0; i < b->nr_rings; i++)
        blk_drain(b, i);
    xenbus_close(&b->bus);
    return release_all(b);
}
