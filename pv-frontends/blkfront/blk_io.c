/* SPDX-License-Identifier: MIT */
/*
 * Requests of a disk: from blk_start() to its answer. Owns what blk_request says about a request under way, so that
 * blk_reissue() can ask it again on a new ring. Invariants B1, B2 are in blkfront.h.
 */
#include "blk_io.h"

#define REQUEST_TIMEOUT 30000000000UL

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

static struct blkif_request_segment segment(const struct blk_request *r, unsigned i)
{
    size_t left = r->len - (size_t)i * PV_PAGE_SIZE, here = left < PV_PAGE_SIZE ? left : PV_PAGE_SIZE;

    return (struct blkif_request_segment){ .gref = r->refs[i], .last_sect = (uint8_t)(here / BLK_SECTOR - 1) };
}

static void put_discard(void *slot, const struct blk_request *r, uint16_t handle, unsigned id)
{
    *(struct blkif_request_discard *)slot = (struct blkif_request_discard){
        .operation = BLKIF_OP_DISCARD, .handle = handle, .id = id, .sector_number = r->sector,
        .nr_sectors = r->len / BLK_SECTOR };
}

static void put_direct(void *slot, const struct blk_request *r, uint16_t handle, unsigned id, unsigned segments)
{
    struct blkif_request *req = slot;

    req->operation = r->op;
    req->nr_segments = (uint8_t)segments;
    req->handle = handle;
    req->id = id;
    req->sector_number = r->sector;
    for (unsigned i = 0; i < segments; i++)
        req->seg[i] = segment(r, i);
}

static void put_indirect(void *slot, const struct blk_request *r, uint16_t handle, unsigned id, unsigned segments)
{
    struct blkif_request_indirect *req = slot;
    struct blkif_request_segment *list = (void *)r->indirect;

    *req = (struct blkif_request_indirect){
        .operation = BLKIF_OP_INDIRECT, .indirect_op = r->op, .nr_segments = (uint16_t)segments, .handle = handle,
        .id = id, .sector_number = r->sector, .indirect_grefs = { r->indirect_ref } };
    for (unsigned i = 0; i < segments; i++)
        list[i] = segment(r, i);
}

/* Put request @id into the ring; it has room, for a ring has no fewer slots than a queue has requests. */
static void issue(struct blkfront *b, struct blk_queue *q, unsigned id)
{
    struct blk_request *r = &q->requests[id];
    unsigned segments = (unsigned)((r->len + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);
    void *slot = pv_ring_request(&q->ring);

    r->done = false;
    if (r->op == BLKIF_OP_DISCARD)
        put_discard(slot, r, (uint16_t)b->id, id);
    else if (segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
        put_direct(slot, r, (uint16_t)b->id, id, segments);
    else
        put_indirect(slot, r, (uint16_t)b->id, id, segments);
}

void blk_reissue(struct blkfront *b, unsigned qn)
{
    struct blk_queue *q = &b->queues[qn];

    for (unsigned id = 0; id < q->ids.size; id++)
        if (!q->requests[id].done)
            issue(b, q, id);
    blk_kick(b, qn);
}

/* What all requests have in common. */
static int check(const struct blkfront *b, const struct blk_queue *q, uint8_t op, uint64_t sector, uint64_t count)
{
    if (q->ring.broken)
        return -XEN_EIO;
    if (check_range(b, sector, count) != 0)
        return -XEN_EINVAL;
    if (op != BLKIF_OP_READ && b->read_only)
        return -XEN_EROFS;
    return pv_ring_free(&q->ring) == 0 ? -XEN_ENOSPC : 0;
}

int blk_start(struct blkfront *b, unsigned qn, int id, uint8_t op, uint64_t sector, size_t len)
{
    struct blk_queue *q = &b->queues[qn];
    struct blk_request *r = &q->requests[id];
    const bool flush = op == BLKIF_OP_FLUSH_DISKCACHE;
    int rc = check(b, q, op, sector, len / BLK_SECTOR);

    if (rc != 0)
        return rc;
    if (len % BLK_SECTOR != 0 || len > (size_t)r->nr_pages * PV_PAGE_SIZE || (len == 0) != flush)
        return -XEN_EINVAL;
    if ((flush && !b->flush) || (op != BLKIF_OP_READ && op != BLKIF_OP_WRITE && !flush))
        return -XEN_EOPNOTSUPP;
    r->op = op;
    r->sector = sector;
    r->len = len;
    issue(b, q, (unsigned)id);
    return 0;
}

int blk_start_discard(struct blkfront *b, unsigned qn, int id, uint64_t sector, uint64_t count)
{
    struct blk_queue *q = &b->queues[qn];
    struct blk_request *r = &q->requests[id];
    int rc = check(b, q, BLKIF_OP_DISCARD, sector, count);

    if (rc == 0 && !b->discard)
        rc = -XEN_EOPNOTSUPP;
    if (rc != 0)
        return rc;
    r->op = BLKIF_OP_DISCARD;
    r->sector = sector;
    r->len = count * BLK_SECTOR;        /* cannot wrap: the disk's sectors are bounded by it */
    issue(b, q, (unsigned)id);
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
    int done = 0;

    do {
        int n = pv_ring_responses(&q->ring);

        if (n < 0)
            return n;
        for (; n > 0; n--, done++) {
            struct blkif_response rsp;

            pv_ring_take(&q->ring, &rsp, sizeof(rsp));
            if (answer(q, &rsp) != 0) {
                q->ring.broken = true;
                return -XEN_EIO;
            }
            q->answered++;
        }
    } while (pv_ring_rearm(&q->ring));
    return q->ring.broken ? -XEN_EIO : done;
}

void blk_drain(struct blkfront *b, unsigned q)
{
    uint64_t give_up = pv_now() + REQUEST_TIMEOUT;
    struct pv_ring *ring = &b->queues[q].ring;

    while (ring->req_prod != ring->rsp_cons && blk_poll(b, q) >= 0 && pv_now() < give_up)
        if (ring->req_prod != ring->rsp_cons)
            pv_wait(b->queues[q].port, pv_now() + 10000000);
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

/* One request, from getting an id to giving it back. One that never ends keeps its id: its pages may still be
 * written. */
static int finish(struct blkfront *b, unsigned q, int id, int rc)
{
    if (rc == 0) {
        blk_kick(b, q);
        rc = blk_wait(b, q, id);
    }
    if (b->queues[q].requests[id].done)
        blk_put(b, q, id);
    return rc;
}

static int transfer(struct blkfront *b, unsigned q, uint8_t op, uint64_t sector, uint8_t *data, size_t len)
{
    int id = blk_get(b, q), rc;
    uint8_t *pages;

    if (id < 0)
        return id;
    pages = b->queues[q].requests[id].pages;
    if (op == BLKIF_OP_WRITE)
        memcpy(pages, data, len);
    rc = finish(b, q, id, blk_start(b, q, id, op, sector, len));
    if (rc == 0 && op == BLKIF_OP_READ)
        memcpy(data, pages, len);
    return rc;
}

static int transfer_all(struct blkfront *b, unsigned q, uint8_t op, uint64_t sector, uint8_t *data, size_t len)
{
    const size_t most = (size_t)b->max_segments * PV_PAGE_SIZE;
    int rc = 0;

    while (rc == 0 && len > 0) {
        size_t n = len < most ? len : most;

        rc = transfer(b, q, op, sector, data, n);
        sector += n / BLK_SECTOR;
        data += n;
        len -= n;
    }
    return rc;
}

int blk_read(struct blkfront *b, unsigned q, uint64_t sector, void *data, size_t len)
{
    return transfer_all(b, q, BLKIF_OP_READ, sector, data, len);
}

int blk_write(struct blkfront *b, unsigned q, uint64_t sector, const void *data, size_t len)
{
    return transfer_all(b, q, BLKIF_OP_WRITE, sector, (uint8_t *)(uintptr_t)data, len);     /* only read from */
}

int blk_flush(struct blkfront *b, unsigned q)
{
    int id = blk_get(b, q);

    return id < 0 ? id : finish(b, q, id, blk_start(b, q, id, BLKIF_OP_FLUSH_DISKCACHE, 0, 0));
}

int blk_discard(struct blkfront *b, unsigned q, uint64_t sector, uint64_t count)
{
    int id = blk_get(b, q);

    return id < 0 ? id : finish(b, q, id, blk_start_discard(b, q, id, sector, count));
}
