/* SPDX-License-Identifier: MIT */
/*
 * Requests of a disk: from blk_start() to its answer. Owns what blk_request says about a request under way, so that
 * blk_reissue() can ask it again on a new ring. Invariants B1, B2, B4 are in blkfront.h.
 */
#include "blk_io.h"

#define REQUEST_TIMEOUT 30000000000UL

static struct blk_queue *carrier(struct blkfront *b, unsigned q)
{
    return &b->queues[q % b->nr_rings];
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

/* ---- asking ---- */

/* What the back end is told to answer with: which queue, request and part this is. */
static uint64_t part_id(unsigned qn, unsigned id, unsigned part)
{
    return (uint64_t)qn << 16 | id << 8 | part;
}

static unsigned pages_of(const struct blk_request *r)
{
    return (unsigned)((r->len + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE);
}

static struct blkif_request_segment segment(const struct blk_request *r, unsigned page)
{
    size_t left = r->len - (size_t)page * PV_PAGE_SIZE, here = left < PV_PAGE_SIZE ? left : PV_PAGE_SIZE;

    return (struct blkif_request_segment){ .gref = r->refs[page], .last_sect = (uint8_t)(here / BLK_SECTOR - 1) };
}

static void put_discard(const struct blkfront *b, void *slot, const struct blk_request *r, uint64_t id)
{
    *(struct blkif_request_discard *)slot = (struct blkif_request_discard){
        .operation = BLKIF_OP_DISCARD, .handle = (uint16_t)b->id, .id = id, .sector_number = r->sector,
        .nr_sectors = r->len / BLK_SECTOR };
}

/* @n pages from page @first on. */
static void put_direct(const struct blkfront *b, void *slot, const struct blk_request *r, uint64_t id, unsigned first,
                       unsigned n)
{
    struct blkif_request *req = slot;

    req->operation = r->op;
    req->nr_segments = (uint8_t)n;
    req->handle = (uint16_t)b->id;
    req->id = id;
    req->sector_number = r->sector + (uint64_t)first * (PV_PAGE_SIZE / BLK_SECTOR);
    for (unsigned i = 0; i < n; i++)
        req->seg[i] = segment(r, first + i);
}

/* A request has one page for its list, so only one that is asked in one part can be indirect. */
static void put_indirect(const struct blkfront *b, void *slot, const struct blk_request *r, uint64_t id, unsigned n)
{
    struct blkif_request_indirect *req = slot;
    struct blkif_request_segment *list = (void *)r->indirect;

    *req = (struct blkif_request_indirect){
        .operation = BLKIF_OP_INDIRECT, .indirect_op = r->op, .nr_segments = (uint16_t)n, .handle = (uint16_t)b->id,
        .id = id, .sector_number = r->sector, .indirect_grefs = { r->indirect_ref } };
    for (unsigned i = 0; i < n; i++)
        list[i] = segment(r, i);
}

static void put_part(struct blkfront *b, struct pv_ring *ring, struct blk_request *r, unsigned qn, unsigned id)
{
    const unsigned part = r->nr_asked++, first = part * b->part_pages, left = pages_of(r) - first;
    const unsigned n = left < b->part_pages ? left : b->part_pages;
    void *slot = pv_ring_request(ring);

    r->open |= (uint8_t)(1U << part);
    if (r->op == BLKIF_OP_DISCARD)
        put_discard(b, slot, r, part_id(qn, id, part));
    else if (n <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
        put_direct(b, slot, r, part_id(qn, id, part), first, n);
    else
        put_indirect(b, slot, r, part_id(qn, id, part), n);
}

/* Put what is not yet asked of request @id into the ring: false if room ran out. */
static bool ask(struct blkfront *b, unsigned qn, unsigned id)
{
    struct blk_request *r = &b->queues[qn].requests[id];
    struct pv_ring *ring = &carrier(b, qn)->ring;

    while (!r->done && r->nr_asked < r->nr_parts) {
        if (pv_ring_free(ring) == 0)
            return false;
        put_part(b, ring, r, qn, id);
    }
    return true;
}

/* Put what waits for room into ring @ring, beginning with who has waited longest. */
static void ask_waiting(struct blkfront *b, unsigned ring)
{
    struct blk_queue *c = &b->queues[ring];
    const unsigned all = b->nr_queues * b->depth, start = c->turn;

    for (unsigned i = 0; i < all; i++) {
        const unsigned at = (start + i) % all, qn = at / b->depth;

        if (qn % b->nr_rings == ring && !ask(b, qn, at % b->depth)) {
            c->turn = at;
            return;
        }
    }
    c->crowded = false;
}

/* Make a request of what @r describes, in as many parts as the back end needs. */
static void begin(const struct blkfront *b, struct blk_request *r)
{
    r->nr_parts = 1;
    if (r->op != BLKIF_OP_DISCARD && r->len > 0)
        r->nr_parts = (uint8_t)((pages_of(r) + b->part_pages - 1) / b->part_pages);
    r->nr_asked = r->open = 0;
    r->status = 0;
    r->done = false;
}

static void start(struct blkfront *b, unsigned qn, unsigned id)
{
    struct blk_queue *c = carrier(b, qn);

    begin(b, &b->queues[qn].requests[id]);
    if (c->crowded || !ask(b, qn, id))          /* nobody overtakes those who wait */
        c->crowded = true;
}

void blk_reissue(struct blkfront *b)
{
    for (unsigned qn = 0; qn < b->nr_queues; qn++)
        for (unsigned id = 0; id < b->depth; id++)
            if (!b->queues[qn].requests[id].done)
                begin(b, &b->queues[qn].requests[id]);
    for (unsigned ring = 0; ring < b->nr_rings; ring++) {
        b->queues[ring].crowded = true;
        ask_waiting(b, ring);
        blk_kick(b, ring);
    }
}

/* What all requests have in common. */
static int check(struct blkfront *b, unsigned qn, uint8_t op, uint64_t sector, uint64_t count)
{
    if (carrier(b, qn)->ring.broken)
        return -XEN_EIO;
    if (check_range(b, sector, count) != 0)
        return -XEN_EINVAL;
    return op != BLKIF_OP_READ && b->read_only ? -XEN_EROFS : 0;
}

int blk_start(struct blkfront *b, unsigned qn, int id, uint8_t op, uint64_t sector, size_t len)
{
    struct blk_request *r = &b->queues[qn].requests[id];
    const bool flush = op == BLKIF_OP_FLUSH_DISKCACHE;
    int rc = check(b, qn, op, sector, len / BLK_SECTOR);

    if (rc != 0)
        return rc;
    if (len % BLK_SECTOR != 0 || len > (size_t)r->nr_pages * PV_PAGE_SIZE || (len == 0) != flush)
        return -XEN_EINVAL;
    if ((flush && !b->flush) || (op != BLKIF_OP_READ && op != BLKIF_OP_WRITE && !flush))
        return -XEN_EOPNOTSUPP;
    r->op = op;
    r->sector = sector;
    r->len = len;
    start(b, qn, (unsigned)id);
    return 0;
}

int blk_start_discard(struct blkfront *b, unsigned qn, int id, uint64_t sector, uint64_t count)
{
    struct blk_request *r = &b->queues[qn].requests[id];
    int rc = check(b, qn, BLKIF_OP_DISCARD, sector, count);

    if (rc == 0 && !b->discard)
        rc = -XEN_EOPNOTSUPP;
    if (rc != 0)
        return rc;
    r->op = BLKIF_OP_DISCARD;
    r->sector = sector;
    r->len = count * BLK_SECTOR;        /* cannot wrap: the disk's sectors are bounded by it */
    start(b, qn, (unsigned)id);
    return 0;
}

void blk_kick(struct blkfront *b, unsigned q)
{
    struct blk_queue *c = carrier(b, q);

    if (pv_ring_push(&c->ring))
        pv_evtchn_send(c->port);
}

/* ---- answers ---- */

static int error_of(int16_t status)
{
    return status == BLKIF_RSP_OKAY ? 0 : status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP : -XEN_EIO;
}

/* One answer from ring @ring. B1: it must name a part that was asked there and not answered yet. */
static int answer(struct blkfront *b, unsigned ring, const struct blkif_response *rsp)
{
    const uint64_t qn = rsp->id >> 16, id = rsp->id >> 8 & 0xff, part = rsp->id & 0xff;
    struct blk_request *r;

    if (qn >= b->nr_queues || qn % b->nr_rings != ring || id >= b->depth || part >= 8)
        return -XEN_EIO;
    r = &b->queues[qn].requests[id];
    if (!(r->open & 1U << part))
        return -XEN_EIO;
    /* The operation of an indirect request comes back as either. */
    if (rsp->operation != r->op && rsp->operation != BLKIF_OP_INDIRECT)
        return -XEN_EIO;
    r->open &= (uint8_t)~(1U << part);
    if (r->status == 0)
        r->status = error_of(rsp->status);
    r->done = r->open == 0 && r->nr_asked == r->nr_parts;
    b->queues[qn].answered += r->done;
    return 0;
}

int blk_poll(struct blkfront *b, unsigned qn)
{
    const unsigned ring = qn % b->nr_rings;
    struct blk_queue *c = &b->queues[ring];
    int done = 0;

    do {
        int n = pv_ring_responses(&c->ring);

        if (n < 0)
            return n;
        for (; n > 0; n--, done++) {
            struct blkif_response rsp;

            pv_ring_take(&c->ring, &rsp, sizeof(rsp));
            if (answer(b, ring, &rsp) != 0) {
                c->ring.broken = true;
                return -XEN_EIO;
            }
        }
    } while (pv_ring_rearm(&c->ring, c->patience));
    if (c->ring.broken)
        return -XEN_EIO;
    if (c->crowded) {
        ask_waiting(b, ring);
        blk_kick(b, ring);
    }
    return done;
}

void blk_event_after(struct blkfront *b, unsigned q, unsigned n)
{
    carrier(b, q)->patience = n > 1 && b->nr_rings == b->nr_queues ? n : 1;
}

void blk_drain(struct blkfront *b, unsigned ring)
{
    uint64_t give_up = pv_now() + REQUEST_TIMEOUT;
    struct blk_queue *c = &b->queues[ring];

    c->patience = 1;
    while ((c->ring.req_prod != c->ring.rsp_cons || c->crowded) && blk_poll(b, ring) >= 0 && pv_now() < give_up)
        if (c->ring.req_prod != c->ring.rsp_cons)
            pv_wait(c->port, pv_now() + 10000000);
}

int blk_wait(struct blkfront *b, unsigned q, int id)
{
    struct blk_request *r = &b->queues[q].requests[id];
    /* Who shares a ring may have its answer taken, and the event, by another. */
    const uint64_t nap = b->nr_rings < b->nr_queues ? 1000000 : 100000000;
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
            pv_wait(b->queues[q].port, pv_now() + nap);
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
