/* SPDX-License-Identifier: MIT */
/* The block protocol. Owns the queues' rings, data pages and grants. Invariants B1, B2 are in blkfront.h. */
#include "blkfront.h"

#define REQUEST_TIMEOUT 30000000000UL
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

static int release_queue(struct blkfront *b, struct blk_queue *q)
{
    int rc = 0;

    for (unsigned i = 0; i < BLK_DEPTH; i++)
        rc |= release_request(b, &q->requests[i]);
    if (take_back(b, &q->ring_ref) != 0)
        rc = -XEN_EBUSY;
    else if (q->ring_page != NULL)
        pv_pages_free(q->ring_page, 1);
    if (q->port != 0)
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
        rc |= release_queue(b, &b->queues[i]);
    if (rc == 0 && b->queues != NULL) {
        pv_pages_free(b->queues, queue_pages());
        b->queues = NULL;
    }
    return rc == 0 ? 0 : -XEN_EBUSY;
}

static int make_request(struct blkfront *b, struct blk_request *r, unsigned pages)
{
    int rc = 0;

    r->done = true;                     /* B1: nothing may answer what was never asked */
    r->pages = pv_pages_alloc(pages);
    if (r->pages == NULL)
        return -XEN_ENOMEM;
    r->nr_pages = pages;
    for (unsigned i = 0; rc == 0 && i < pages; i++)
        rc = give(b, r->pages + (size_t)i * PV_PAGE_SIZE, &r->refs[i]);
    if (rc != 0 || pages <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
        return rc;
    r->indirect = pv_pages_alloc(1);
    /* Writable although only read: a back end that keeps its mappings maps every page for writing. */
    return r->indirect == NULL ? -XEN_ENOMEM : give(b, r->indirect, &r->indirect_ref);
}

static int make_queue(struct blkfront *b, struct blk_queue *q, unsigned pages)
{
    int port, rc;

    q->ring_page = pv_pages_alloc(1);
    if (q->ring_page == NULL)
        return -XEN_ENOMEM;
    pv_ring_init(&q->ring, q->ring_page, 1, sizeof(struct blkif_request));
    pv_ids_init(&q->ids, q->ring.size < BLK_DEPTH ? q->ring.size : BLK_DEPTH);
    rc = give(b, q->ring_page, &q->ring_ref);
    for (unsigned i = 0; rc == 0 && i < q->ids.size; i++)
        rc = make_request(b, &q->requests[i], pages);
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
    bool many = b->nr_queues > 1;

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
    if (b->nr_queues > 1)
        keys[n++] = (struct xenbus_key){ STORE_VBD_FE_MULTI_QUEUE_NUM_QUEUES, b->nr_queues, 0 };
    for (unsigned i = 0; i < b->nr_queues; i++)
        n += queue_keys(b, i, keys + n);
    return xenbus_connect(&b->bus, keys, n, XenbusStateInitialised);
}

/* What the back end offers before we connect. */
static void negotiate(struct blkfront *b, unsigned queues, unsigned pages)
{
    uint64_t most = xenbus_back_number(&b->bus, STORE_VBD_BE_MULTI_QUEUE_MAX_QUEUES, 1, 1024);
    uint64_t indirect = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_MAX_INDIRECT_SEGMENTS, 0, 1U << 20);

    b->nr_queues = queues < 1 ? 1 : queues > BLK_QUEUES ? BLK_QUEUES : queues;
    if (b->nr_queues > most)
        b->nr_queues = most < 1 ? 1 : (unsigned)most;
    b->max_segments = pages < 1 ? 1 : pages > BLK_SEGMENTS ? BLK_SEGMENTS : pages;
    b->indirect = indirect > BLKIF_MAX_SEGMENTS_PER_REQUEST;
    if (b->max_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST && b->max_segments > indirect)
        b->max_segments = b->indirect ? (unsigned)indirect : BLKIF_MAX_SEGMENTS_PER_REQUEST;
    b->persistent = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_PERSISTENT, 0, 1) == 1;
}

static int read_geometry(struct blkfront *b)
{
    uint64_t info = xenbus_back_number(&b->bus, STORE_VBD_BE_INFO, 0, UINT32_MAX);

    /* "sectors" counts units of 512 bytes whatever sector-size says. */
    b->sectors = xenbus_back_number(&b->bus, STORE_VBD_BE_SECTORS, 0, UINT64_MAX / BLK_SECTOR);
    b->sector_size = (uint32_t)xenbus_back_number(&b->bus, STORE_VBD_BE_SECTOR_SIZE, BLK_SECTOR, 65536);
    b->read_only = (info & VDISK_READONLY) != 0;
    b->flush = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_FLUSH_CACHE, 0, 1) == 1;
    b->discard = xenbus_back_number(&b->bus, STORE_VBD_BE_FEATURE_DISCARD, 0, 1) == 1;
    if (b->sector_size < BLK_SECTOR || (b->sector_size & (b->sector_size - 1)) != 0 || b->sectors == 0)
        return -XEN_EINVAL;
    return 0;
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
    negotiate(b, queues, pages_each);
    b->queues = pv_pages_alloc(queue_pages());
    if (b->queues == NULL)
        rc = -XEN_ENOMEM;
    for (unsigned i = 0; rc == 0 && i < b->nr_queues; i++)
        rc = make_queue(b, &b->queues[i], b->max_segments);
    if (rc == 0)
        b->depth = b->queues[0].ids.size;
    if (rc == 0)
        rc = publish(b);
    if (rc == 0)
        rc = read_geometry(b);
    if (rc == 0)
        rc = xenbus_set_state(&b->bus, XenbusStateConnected);
    if (rc != 0) {
        xenbus_close(&b->bus);
        release_all(b);
    }
    return rc;
}

int blkfront_close(struct blkfront *b)
{
    uint64_t give_up = pv_now() + REQUEST_TIMEOUT;

    for (unsigned i = 0; i < b->nr_queues; i++)
        while (b->queues[i].ring.req_prod != b->queues[i].ring.rsp_cons && pv_now() < give_up) {
            if (blk_poll(b, i) < 0)
                break;
            pv_wait(b->queues[i].port, pv_now() + 10000000);
        }
    xenbus_close(&b->bus);
    return release_all(b);
}

int blk_get(struct blkfront *b, unsigned q)
{
    int id = pv_ids_get(&b->queues[q].ids);

    if (id >= 0)
        b->queues[q].requests[id].done = true;          /* not under way: nothing may answer it */
    return id;
}

void blk_put(struct blkfront *b, unsigned q, int id)
{
    pv_ids_put(&b->queues[q].ids, (uint64_t)id);
}

static int check_range(const struct blkfront *b, uint64_t sector, uint64_t count)
{
    uint64_t unit = b->sector_size / BLK_SECTOR;

    if (sector > b->sectors || count > b->sectors - sector || sector % unit != 0 || count % unit != 0)
        return -XEN_EINVAL;
    return 0;
}

static struct blkif_request_segment segment(const struct blk_request *r, unsigned i, size_t len)
{
    size_t left = len - (size_t)i * PV_PAGE_SIZE, here = left < PV_PAGE_SIZE ? left : PV_PAGE_SIZE;

    return (struct blkif_request_segment){ .gref = r->refs[i], .last_sect = (uint8_t)(here / BLK_SECTOR - 1) };
}

static void fill_direct(void *slot, const struct blk_request *r, int id, uint16_t handle, uint64_t sector, size_t len)
{
    struct blkif_request *req = slot;
    unsigned n = (unsigned)((len + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);

    memset(req, 0, sizeof(*req));
    req->operation = r->op;
    req->nr_segments = (uint8_t)n;
    req->handle = handle;
    req->id = (uint64_t)id;
    req->sector_number = sector;
    for (unsigned i = 0; i < n; i++)
        req->seg[i] = segment(r, i, len);
}

static void fill_indirect(void *slot, const struct blk_request *r, int id, uint16_t handle, uint64_t sector, size_t len)
{
    struct blkif_request_indirect *req = slot;
    struct blkif_request_segment *list = (void *)r->indirect;
    unsigned n = (unsigned)((len + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);

    memset(req, 0, sizeof(*req));
    req->operation = BLKIF_OP_INDIRECT;
    req->indirect_op = r->op;
    req->nr_segments = (uint16_t)n;
    req->handle = handle;
    req->id = (uint64_t)id;
    req->sector_number = sector;
    req->indirect_grefs[0] = r->indirect_ref;
    for (unsigned i = 0; i < n; i++)
        list[i] = segment(r, i, len);
}

int blk_start(struct blkfront *b, unsigned q, int id, uint8_t op, uint64_t sector, size_t len)
{
    struct blk_queue *queue = &b->queues[q];
    struct blk_request *r = &queue->requests[id];
    const bool flush = op == BLKIF_OP_FLUSH_DISKCACHE;
    int rc = check_range(b, sector, len / BLK_SECTOR);

    if (queue->ring.broken)
        return -XEN_EIO;
    if (rc != 0 || len % BLK_SECTOR != 0 || len > (size_t)r->nr_pages * PV_PAGE_SIZE || (len == 0) != flush)
        return -XEN_EINVAL;
    if (op != BLKIF_OP_READ && b->read_only)
        return -XEN_EROFS;
    if ((flush && !b->flush) || (op != BLKIF_OP_READ && op != BLKIF_OP_WRITE && !flush))
        return -XEN_EOPNOTSUPP;
    if (pv_ring_free(&queue->ring) == 0)
        return -XEN_ENOSPC;
    r->op = op;
    r->done = false;
    if (len <= BLKIF_MAX_SEGMENTS_PER_REQUEST * (size_t)PV_PAGE_SIZE)
        fill_direct(pv_ring_request(&queue->ring), r, id, (uint16_t)b->id, sector, len);
    else
        fill_indirect(pv_ring_request(&queue->ring), r, id, (uint16_t)b->id, sector, len);
    return 0;
}

int blk_start_discard(struct blkfront *b, unsigned q, int id, uint64_t sector, uint64_t count)
{
    struct blk_queue *queue = &b->queues[q];
    struct blk_request *r = &queue->requests[id];
    int rc = check_range(b, sector, count);

    if (queue->ring.broken)
        return -XEN_EIO;
    if (rc != 0)
        return rc;
    if (b->read_only)
        return -XEN_EROFS;
    if (!b->discard)
        return -XEN_EOPNOTSUPP;
    if (pv_ring_free(&queue->ring) == 0)
        return -XEN_ENOSPC;
    r->op = BLKIF_OP_DISCARD;
    r->done = false;
    struct blkif_request_discard *req = pv_ring_request(&queue->ring);
    memset(req, 0, sizeof(struct blkif_request));
    req->operation = BLKIF_OP_DISCARD;
    req->handle = (uint16_t)b->id;
    req->id = (uint64_t)id;
    req->sector_number = sector;
    req->nr_sectors = count;
    return 0;
}

void blk_kick(struct blkfront *b, unsigned q)
{
    if (pv_ring_push(&b->queues[q].ring))
        pv_evtchn_send(b->queues[q].port);
}

static int answer(struct blk_queue *q, const struct blkif_response *rsp)
{
    struct blk_request *r;

    /* B1: an id we gave out, a request under way. The operation of an indirect request comes back as either. */
    if (rsp->id >= q->ids.size || q->requests[rsp->id].done)
        return -XEN_EIO;
    r = &q->requests[rsp->id];
    if (rsp->operation != r->op && rsp->operation != BLKIF_OP_INDIRECT)
        return -XEN_EIO;
    r->done = true;
    r->status = rsp->status == BLKIF_RSP_OKAY ? 0 : rsp->status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP : -XEN_EIO;
    return 0;
}

int blk_poll(struct blkfront *b, unsigned qn)
{
    struct blk_queue *q = &b->queues[qn];
    struct blkif_request entry;         /* answers are smaller, slots are not */
    int done = 0;

    do {
        int n = pv_ring_responses(&q->ring);

        if (n < 0)
            return n;
        for (; n > 0; n--, done++) {
            struct blkif_response rsp;

            pv_ring_take(&q->ring, &entry);
            memcpy(&rsp, &entry, sizeof(rsp));
            if (answer(q, &rsp) != 0) {
                q->ring.broken = true;
                return -XEN_EIO;
            }
        }
    } while (pv_ring_rearm(&q->ring));
    return q->ring.broken ? -XEN_EIO : done;
}

int blk_wait(struct blkfront *b, unsigned q, int id)
{
    struct blk_request *r = &b->queues[q].requests[id];
    uint64_t give_up = pv_now() + REQUEST_TIMEOUT;

    while (!r->done) {
        int n = blk_poll(b, q);

        if (n < 0)
            return n;
        if (r->done)
            break;
        if (pv_now() > give_up)
            return -XEN_ETIMEDOUT;
        if (n == 0)
            pv_wait(b->queues[q].port, pv_now() + 100000000);
    }
    return r->status;
}

/* One request on queue 0, from getting an id to giving it back. One that never ends keeps its id: its pages may
 * still be written. */
static int run_one(struct blkfront *b, uint8_t op, uint64_t sector, uint8_t *data, size_t len)
{
    int id = blk_get(b, 0);
    uint8_t *pages;
    int rc;

    if (id < 0)
        return id;
    pages = b->queues[0].requests[id].pages;
    if (op == BLKIF_OP_WRITE)
        memcpy(pages, data, len);
    rc = blk_start(b, 0, id, op, sector, len);
    if (rc == 0) {
        blk_kick(b, 0);
        rc = blk_wait(b, 0, id);
    }
    if (rc == 0 && op == BLKIF_OP_READ)
        memcpy(data, pages, len);
    if (b->queues[0].requests[id].done)
        blk_put(b, 0, id);
    return rc;
}

static int transfer(struct blkfront *b, uint8_t op, uint64_t sector, uint8_t *data, size_t len)
{
    const size_t most = (size_t)b->max_segments * PV_PAGE_SIZE;
    int rc = 0;

    while (rc == 0 && len > 0) {
        size_t n = len < most ? len : most;

        rc = run_one(b, op, sector, data, n);
        sector += n / BLK_SECTOR;
        data += n;
        len -= n;
    }
    return rc;
}

int blk_read(struct blkfront *b, uint64_t sector, void *data, size_t len)
{
    return transfer(b, BLKIF_OP_READ, sector, data, len);
}

int blk_write(struct blkfront *b, uint64_t sector, const void *data, size_t len)
{
    return transfer(b, BLKIF_OP_WRITE, sector, (uint8_t *)(uintptr_t)data, len);    /* only read from */
}

int blk_flush(struct blkfront *b)
{
    return run_one(b, BLKIF_OP_FLUSH_DISKCACHE, 0, NULL, 0);
}

int blk_discard(struct blkfront *b, uint64_t sector, uint64_t count)
{
    int id = blk_get(b, 0), rc;

    if (id < 0)
        return id;
    rc = blk_start_discard(b, 0, id, sector, count);
    if (rc == 0) {
        blk_kick(b, 0);
        rc = blk_wait(b, 0, id);
    }
    if (b->queues[0].requests[id].done)
        blk_put(b, 0, id);
    return rc;
}
