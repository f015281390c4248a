/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The front ends against an honest peer, and against single, exact lies. */
#include "../unit.h"
#include "peer.h"

#include <stdlib.h>

static struct xs xs;
static struct pv_grants grants;

static void begin(void)
{
    peer_reset();
    peer_xs(&xs);
    pv_grants_init(&grants);
}

/* ---- ring ---- */

static void test_ring_counts(void)
{
    static uint8_t page[PV_PAGE_SIZE] __attribute__((aligned(4096)));
    struct pv_ring r;
    struct blkif_request entry;

    pv_ring_init(&r, page, 1, sizeof(struct blkif_request));
    CU_ASSERT_EQUAL(r.size, 32);
    CU_ASSERT_EQUAL(pv_ring_free(&r), 32);
    for (unsigned i = 0; i < 32; i++)
        memset(pv_ring_request(&r), (int)i, sizeof(entry));
    CU_ASSERT_EQUAL(pv_ring_free(&r), 0);
    CU_ASSERT_TRUE(pv_ring_push(&r));
    CU_ASSERT_EQUAL(r.shared->req_prod, 32);
    CU_ASSERT_EQUAL(pv_ring_responses(&r), 0);
    r.shared->rsp_prod = 5;
    CU_ASSERT_EQUAL(pv_ring_responses(&r), 5);
    CU_ASSERT_EQUAL(pv_ring_take(&r, &entry, sizeof(entry)), 0);
    CU_ASSERT_EQUAL(pv_ring_free(&r), 1);
    r.shared->req_event = 100;
    pv_ring_request(&r);
    CU_ASSERT_FALSE(pv_ring_push(&r));
}

static void test_ring_wraps(void)
{
    static uint8_t page[PV_PAGE_SIZE] __attribute__((aligned(4096)));
    struct pv_ring r;
    uint8_t entry[8];

    pv_ring_init(&r, page, 1, 8);
    CU_ASSERT_EQUAL(r.size, 256);
    r.req_prod = r.rsp_cons = r.shared->req_prod = r.shared->rsp_prod = 0xfffffffe;
    for (unsigned i = 0; i < 600; i++) {
        CU_ASSERT_EQUAL(pv_ring_free(&r), 256);
        *(uint64_t *)pv_ring_request(&r) = i;
        pv_ring_push(&r);
        r.shared->rsp_prod++;
        CU_ASSERT_EQUAL(pv_ring_responses(&r), 1);
        pv_ring_take(&r, entry, sizeof(entry));
        CU_ASSERT_EQUAL(*(uint64_t *)(void *)entry, i);
    }
}

/* When the other side is asked to tell us: after so many answers, but never after more than are due. */
static void test_ring_event(void)
{
    static uint8_t page[PV_PAGE_SIZE] __attribute__((aligned(4096)));
    struct pv_ring r;

    pv_ring_init(&r, page, 1, sizeof(struct blkif_request));
    CU_ASSERT_FALSE(pv_ring_rearm(&r, 16));
    CU_ASSERT_EQUAL(r.shared->rsp_event, 1);
    for (unsigned i = 0; i < 5; i++)
        pv_ring_request(&r);
    pv_ring_push(&r);
    CU_ASSERT_FALSE(pv_ring_rearm(&r, 1));
    CU_ASSERT_EQUAL(r.shared->rsp_event, 1);
    CU_ASSERT_FALSE(pv_ring_rearm(&r, 3));
    CU_ASSERT_EQUAL(r.shared->rsp_event, 3);
    CU_ASSERT_FALSE(pv_ring_rearm(&r, 16));
    CU_ASSERT_EQUAL(r.shared->rsp_event, 5);
    r.shared->rsp_prod = 1;
    CU_ASSERT_TRUE(pv_ring_rearm(&r, 16));
}

static void test_ring_lying_index(void)
{
    static uint8_t page[PV_PAGE_SIZE] __attribute__((aligned(4096)));
    static const uint32_t wrong[] = { 2, 33, 1000, 0x80000000, 0xffffffff };
    struct pv_ring r;

    for (unsigned i = 0; i < 5; i++) {
        pv_ring_init(&r, page, 1, sizeof(struct blkif_request));
        pv_ring_request(&r);
        pv_ring_push(&r);
        r.shared->rsp_prod = wrong[i];
        CU_ASSERT_EQUAL(pv_ring_responses(&r), -XEN_EIO);
        r.shared->rsp_prod = 1;
        CU_ASSERT_EQUAL(pv_ring_responses(&r), -XEN_EIO);       /* broken stays broken */
        CU_ASSERT_EQUAL(pv_ring_free(&r), 0);
    }
}

static void test_ids(void)
{
    struct pv_ids ids;

    pv_ids_init(&ids, 3);
    CU_ASSERT_EQUAL(pv_ids_get(&ids), 0);
    CU_ASSERT_EQUAL(pv_ids_get(&ids), 1);
    CU_ASSERT_EQUAL(pv_ids_get(&ids), 2);
    CU_ASSERT_EQUAL(pv_ids_get(&ids), -XEN_ENOSPC);
    CU_ASSERT_FALSE(pv_ids_put(&ids, 3));
    CU_ASSERT_FALSE(pv_ids_put(&ids, ~0UL));
    CU_ASSERT_TRUE(pv_ids_put(&ids, 1));
    CU_ASSERT_FALSE(pv_ids_put(&ids, 1));
    CU_ASSERT_EQUAL(pv_ids_get(&ids), 1);
    CU_ASSERT_EQUAL(pv_ids_busy(&ids), 3);
}

static void test_grants(void)
{
    begin();
    void *page = pv_pages_alloc(1);
    int ref = pv_grant_give(&grants, 7, pv_frame(page), true);

    CU_ASSERT_TRUE(ref >= PV_GRANTS_RESERVED);
    CU_ASSERT_EQUAL(grants.table[ref].flags, GTF_permit_access | GTF_readonly);
    CU_ASSERT_EQUAL(grants.table[ref].domid, 7);
    grants.table[ref].flags |= GTF_reading;
    CU_ASSERT_EQUAL(pv_grant_end(&grants, (grant_ref_t)ref), -XEN_EBUSY);
    CU_ASSERT_NOT_EQUAL(grants.table[ref].flags, 0);
    grants.table[ref].flags = GTF_permit_access;
    CU_ASSERT_EQUAL(pv_grant_end(&grants, (grant_ref_t)ref), 0);
    pv_pages_free(page, 1);
    while (pv_grant_give(&grants, 7, 1, false) > 0)
        ;
    CU_ASSERT_EQUAL(grants.nr_free, 0);
    CU_ASSERT_EQUAL(pv_grant_give(&grants, 7, 1UL << 32, false), -XEN_ENOSPC);
}

/* ---- XenStore ---- */

static void test_xs_basics(void)
{
    char buf[XS_TEXT], tiny[4];
    struct xs_event e;
    uint32_t tx;
    uint64_t n;

    begin();
    CU_ASSERT_EQUAL(xs_write(&xs, 0, "a/b", "hello"), 0);
    CU_ASSERT_EQUAL(xs_read(&xs, 0, "a/b", buf, sizeof(buf)), 5);
    CU_ASSERT_STRING_EQUAL(buf, "hello");
    CU_ASSERT_EQUAL(xs_read(&xs, 0, "a/b", tiny, sizeof(tiny)), -XEN_ENOSPC);
    CU_ASSERT_EQUAL(xs_read(&xs, 0, "nothing", buf, sizeof(buf)), -XEN_ENOENT);
    CU_ASSERT_EQUAL(xs_transaction_start(&xs, &tx), 0);
    CU_ASSERT_EQUAL(tx, 17);
    CU_ASSERT_EQUAL(xs_transaction_end(&xs, tx, true), 0);
    CU_ASSERT_EQUAL(xs_watch(&xs, "a/b", "mine"), 0);
    CU_ASSERT_EQUAL(xs_next_event(&xs, &e, pv_now()), 0);
    CU_ASSERT_STRING_EQUAL(e.path, "a/b");
    CU_ASSERT_STRING_EQUAL(e.token, "mine");
    CU_ASSERT_EQUAL(xs_next_event(&xs, &e, pv_now()), -XEN_ETIMEDOUT);
    CU_ASSERT_TRUE(xs_number("18446744073709551", &n));
    CU_ASSERT_FALSE(xs_number("99999999999999999999999", &n));
    CU_ASSERT_FALSE(xs_number("12a", &n));
    CU_ASSERT_FALSE(xs_number("", &n));
    CU_ASSERT_FALSE(xs_number("-1", &n));
}

static void test_xs_long_value(void)
{
    static char value[XENSTORE_PAYLOAD_MAX + 10];

    begin();
    memset(value, 'x', sizeof(value) - 1);
    CU_ASSERT_EQUAL(xs_write(&xs, 0, "a", value), -XEN_ENOSPC);
    CU_ASSERT_FALSE(xs.broken);
}

static void test_xs_broken_ring(void)
{
    char buf[16];

    begin();
    xs.ring->rsp_prod = xs.ring->rsp_cons + XENSTORE_RING_SIZE + 1;
    CU_ASSERT_EQUAL(xs_read(&xs, 0, "a", buf, sizeof(buf)), -XEN_EIO);
    CU_ASSERT_TRUE(xs.broken);
    begin();
    xs.ring->req_cons = xs.ring->req_prod + 1;
    CU_ASSERT_EQUAL(xs_write(&xs, 0, "a", "b"), -XEN_EIO);
}

static void test_xs_wrong_head(void)
{
    static const struct xsd_sockmsg heads[] = {
        { .type = XS_READ, .req_id = 77, .len = 0 },
        { .type = XS_READ, .req_id = 1, .len = XENSTORE_PAYLOAD_MAX + 1 },
        { .type = XS_READ, .req_id = 1, .len = 0xffffffff },
        { .type = XS_WRITE, .req_id = 1, .len = 0 },
    };
    char buf[16];

    for (unsigned i = 0; i < 4; i++) {
        begin();
        memcpy(xs.ring->rsp, &heads[i], sizeof(heads[i]));
        xs.ring->rsp_prod = sizeof(heads[i]);
        CU_ASSERT_EQUAL(xs_read(&xs, 0, "a", buf, sizeof(buf)), -XEN_EIO);
        CU_ASSERT_EQUAL(xs_write(&xs, 0, "a", "b"), -XEN_EIO);
    }
}

static void test_xs_event_flood(void)
{
    struct xs_event e;
    unsigned n = 0;

    begin();
    CU_ASSERT_EQUAL(xs_watch(&xs, "w", "t"), 0);
    for (unsigned i = 0; i < XS_EVENTS + 8; i++) {
        struct xsd_sockmsg head = { .type = XS_WATCH_EVENT, .len = 4 };
        const char *bytes = (const char *)&head;
        for (unsigned k = 0; k < sizeof(head); k++)
            xs.ring->rsp[MASK_XENSTORE_IDX(xs.ring->rsp_prod++)] = bytes[k];
        for (unsigned k = 0; k < 4; k++)
            xs.ring->rsp[MASK_XENSTORE_IDX(xs.ring->rsp_prod++)] = "w\0t"[k];
    }
    char buf[8];
    CU_ASSERT_EQUAL(xs_read(&xs, 0, "none", buf, sizeof(buf)), -XEN_ENOENT);
    CU_ASSERT_TRUE(xs_events_lost(&xs));
    while (xs_next_event(&xs, &e, 0) == 0)
        n++;
    CU_ASSERT_EQUAL(n, XS_EVENTS);
}

/* ---- disk ---- */

static void test_disk(void)
{
    static uint8_t out[40 * 4096], in[40 * 4096];
    struct blkfront b;

    begin();
    unsigned before = peer_pages_in_use();
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 1, 32), 0);
    CU_ASSERT_EQUAL(b.sectors, PEER_DISK_SECTORS);
    CU_ASSERT_EQUAL(b.max_segments, 32);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 31 + (i >> 12));
    CU_ASSERT_EQUAL(blk_write(&b, 0, 16, out, sizeof(out)), 0);
    CU_ASSERT_EQUAL(memcmp(peer_disk() + 16 * 512, out, sizeof(out)), 0);
    CU_ASSERT_EQUAL(blk_read(&b, 0, 16, in, sizeof(in)), 0);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(blk_read(&b, 0, 17, in, 512), 0);
    CU_ASSERT_EQUAL(memcmp(in, out + 512, 512), 0);
    CU_ASSERT_EQUAL(blk_flush(&b, 0), 0);
    CU_ASSERT_EQUAL(blk_discard(&b, 0, 0, 8), 0);
    CU_ASSERT_EQUAL(blk_read(&b, 0, PEER_DISK_SECTORS, in, 512), -XEN_EINVAL);
    CU_ASSERT_EQUAL(blk_read(&b, 0, ~0UL, in, 512), -XEN_EINVAL);
    CU_ASSERT_EQUAL(blk_write(&b, 0, PEER_DISK_SECTORS - 1, out, 1024), -XEN_EINVAL);
    CU_ASSERT_EQUAL(blk_read(&b, 0, 0, in, 100), -XEN_EINVAL);
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    CU_ASSERT_EQUAL(peer_pages_in_use(), before);
}

static void test_disk_queues(void)
{
    static uint8_t out[8192], in[8192];
    struct blkfront b;

    begin();
    unsigned before = peer_pages_in_use();
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 9, 12), 0);
    CU_ASSERT_EQUAL(b.nr_queues, BLK_QUEUES);
    CU_ASSERT_STRING_EQUAL(peer_get("device/vbd/51712/multi-queue-num-queues"), "4");
    for (unsigned q = 0; q < b.nr_queues; q++) {
        memset(out, (int)q + 1, sizeof(out));
        CU_ASSERT_EQUAL(blk_write(&b, q, q * 64, out, sizeof(out)), 0);
        CU_ASSERT_EQUAL(blk_flush(&b, q), 0);
    }
    for (unsigned q = 0; q < b.nr_queues; q++) {
        memset(out, (int)q + 1, sizeof(out));
        CU_ASSERT_EQUAL(blk_read(&b, (q + 1) % b.nr_queues, q * 64, in, sizeof(in)), 0);
        CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    }
    for (unsigned q = 0; q < b.nr_queues; q++)
        CU_ASSERT_EQUAL(b.queues[q].answered, 3);
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    CU_ASSERT_EQUAL(peer_pages_in_use(), before);
    begin();
    peer_put("/b/vbd/multi-queue-max-queues", "3");
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 4, 1), 0);
    CU_ASSERT_EQUAL(b.nr_queues, 3);
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
}

/* Requests under way when the domain is saved are asked again of the back end it finds. */
static void test_disk_resume(void)
{
    struct blkfront b;
    int ids[2][3];

    begin();
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 2, 16), 0);
    peer_put("/b/vbd/state", "2");                              /* nobody answers from here on */
    for (unsigned q = 0; q < 2; q++)
        for (unsigned i = 0; i < 3; i++) {
            ids[q][i] = blk_get(&b, q);
            memset(b.queues[q].requests[ids[q][i]].pages, (int)(q * 3 + i + 1), 16 * 4096);
            CU_ASSERT_EQUAL(blk_start(&b, q, ids[q][i], BLKIF_OP_WRITE, (q * 3 + i) * 128, 16 * 4096), 0);
        }
    blk_kick(&b, 0);
    int discarded = blk_get(&b, 1);
    CU_ASSERT_EQUAL(blk_start_discard(&b, 1, discarded, 1000, 8), 0);
    peer_new_domain(&xs, &grants);
    CU_ASSERT_EQUAL_FATAL(blkfront_resume(&b), 0);
    for (unsigned q = 0; q < 2; q++)
        for (unsigned i = 0; i < 3; i++) {
            CU_ASSERT_EQUAL(blk_wait(&b, q, ids[q][i]), 0);
            blk_put(&b, q, ids[q][i]);
            CU_ASSERT_EQUAL(peer_disk()[(q * 3 + i) * 128 * 512], q * 3 + i + 1);
            CU_ASSERT_EQUAL(peer_disk()[((q * 3 + i) * 128 + 127) * 512], q * 3 + i + 1);
        }
    CU_ASSERT_EQUAL(blk_wait(&b, 1, discarded), 0);
    blk_put(&b, 1, discarded);
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
}

/* What request @n of the tests below writes, and where: few places, so that many requests fit a small disk. */
#define LESS_PAGES 30U
static uint8_t *less_place(unsigned n)
{
    return peer_disk() + n % 8 * LESS_PAGES * 4096;
}

static int less_write(struct blkfront *b, unsigned q, unsigned n)
{
    int id = blk_get(b, q);

    for (unsigned page = 0; id >= 0 && page < LESS_PAGES; page++)
        memset(b->queues[q].requests[id].pages + page * 4096, (int)(n % 8 * 31 + page + 1), 4096);
    if (id >= 0)
        CU_ASSERT_EQUAL(blk_start(b, q, id, BLKIF_OP_WRITE, n % 8 * LESS_PAGES * 8, LESS_PAGES * 4096), 0);
    return id;
}

static void less_verify(unsigned n)
{
    for (unsigned page = 0; page < LESS_PAGES; page++) {
        CU_ASSERT_EQUAL(less_place(n)[page * 4096], n % 8 * 31 + page + 1);
        CU_ASSERT_EQUAL(less_place(n)[page * 4096 + 4095], n % 8 * 31 + page + 1);
    }
}

/* Two full queues move to a back end with one ring and no indirect requests: 64 requests in 192 parts through 32 slots. */
static void test_disk_resume_to_less(void)
{
    struct blkfront b;
    int ids[2][BLK_DEPTH];
    uint8_t sector[512];

    begin();
    unsigned before = peer_pages_in_use();
    peer_put("/b/vbd/multi-queue-max-queues", "2");
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 2, LESS_PAGES), 0);
    CU_ASSERT_EQUAL(b.part_pages, LESS_PAGES);
    peer_put("/b/vbd/state", "2");                              /* nobody answers from here on */
    for (unsigned n = 0; n < 2 * BLK_DEPTH; n++)
        ids[n % 2][n / 2] = less_write(&b, n % 2, n);
    peer_new_domain(&xs, &grants);
    peer_put("/b/vbd/multi-queue-max-queues", "1");
    peer_put("/b/vbd/feature-max-indirect-segments", "0");
    CU_ASSERT_EQUAL_FATAL(blkfront_resume(&b), 0);
    CU_ASSERT_EQUAL(b.nr_rings, 1);
    CU_ASSERT_EQUAL(b.nr_queues, 2);
    CU_ASSERT_EQUAL(b.part_pages, BLKIF_MAX_SEGMENTS_PER_REQUEST);
    CU_ASSERT_EQUAL(b.max_segments, LESS_PAGES);                /* for the caller nothing has changed */
    CU_ASSERT_EQUAL(b.queues[0].port, b.queues[1].port);
    CU_ASSERT_STRING_EQUAL(peer_get("device/vbd/51712/multi-queue-num-queues"), "1");
    for (unsigned n = 2 * BLK_DEPTH; n-- > 0;) {                /* the last ones first */
        CU_ASSERT_EQUAL(blk_wait(&b, n % 2, ids[n % 2][n / 2]), 0);
        blk_put(&b, n % 2, ids[n % 2][n / 2]);
    }
    for (unsigned n = 0; n < 8; n++)
        less_verify(n);
    CU_ASSERT_EQUAL(b.queues[0].answered, BLK_DEPTH);
    CU_ASSERT_EQUAL(b.queues[1].answered, BLK_DEPTH);
    /* New requests go on in the same way, and full again to a back end that takes more. */
    memset(peer_disk(), 0, LESS_PAGES * 4096);
    int id = less_write(&b, 1, 0);
    blk_kick(&b, 1);
    CU_ASSERT_EQUAL(blk_wait(&b, 1, id), 0);
    blk_put(&b, 1, id);
    less_verify(0);
    CU_ASSERT_EQUAL(blk_flush(&b, 1), 0);
    CU_ASSERT_EQUAL(blk_read(&b, 1, 8, sector, 512), 0);
    CU_ASSERT_EQUAL(sector[0], 2);
    memset(peer_disk(), 0, LESS_PAGES * 4096);
    id = less_write(&b, 1, 0);
    peer_new_domain(&xs, &grants);
    peer_put("/b/vbd/multi-queue-max-queues", "4");
    peer_put("/b/vbd/feature-max-indirect-segments", "256");
    CU_ASSERT_EQUAL_FATAL(blkfront_resume(&b), 0);
    CU_ASSERT_EQUAL(b.nr_rings, 2);
    CU_ASSERT_EQUAL(b.part_pages, LESS_PAGES);
    CU_ASSERT_EQUAL(blk_wait(&b, 1, id), 0);
    blk_put(&b, 1, id);
    less_verify(0);
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    CU_ASSERT_EQUAL(peer_pages_in_use(), before);
}

/* One part of a request fails: the request fails, when its last part is answered. */
static void test_disk_part_fails(void)
{
    struct blkfront b;

    begin();
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 1, LESS_PAGES), 0);
    peer_put("/b/vbd/state", "2");
    int id = less_write(&b, 0, 0);
    peer_new_domain(&xs, &grants);
    peer_put("/b/vbd/feature-max-indirect-segments", "0");
    CU_ASSERT_EQUAL_FATAL(blkfront_resume(&b), 0);
    struct blk_request *r = &b.queues[0].requests[id];
    CU_ASSERT_EQUAL(r->nr_parts, 3);
    CU_ASSERT_EQUAL(blk_wait(&b, 0, id), 0);
    peer_put("/b/vbd/state", "2");                              /* now answer by hand */
    CU_ASSERT_EQUAL(blk_start(&b, 0, id, BLKIF_OP_WRITE, 0, LESS_PAGES * 4096), 0);
    blk_kick(&b, 0);
    struct blkif_response *rsp = (void *)b.queues[0].ring.shared->entries;
    const size_t step = sizeof(struct blkif_request);
    for (unsigned part = 0; part < 3; part++) {
        struct blkif_response one = { .id = (uint64_t)id << 8 | (2 - part), .operation = BLKIF_OP_WRITE,
                                      .status = part == 1 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY };
        CU_ASSERT_FALSE(r->done);
        memcpy((uint8_t *)rsp + (3 + part) * step, &one, sizeof(one));
        b.queues[0].ring.shared->rsp_prod++;
        CU_ASSERT_EQUAL(blk_poll(&b, 0), 1);
    }
    CU_ASSERT_TRUE(r->done);
    CU_ASSERT_EQUAL(r->status, -XEN_EIO);
    blk_put(&b, 0, id);
    peer_put("/b/vbd/state", "4");
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
}

static void test_disk_queue_full(void)
{
    struct blkfront b;
    int ids[BLK_DEPTH];

    begin();
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 1, 4), 0);
    for (unsigned i = 0; i < b.depth; i++) {
        ids[i] = blk_get(&b, 0);
        CU_ASSERT_EQUAL(blk_start(&b, 0, ids[i], BLKIF_OP_READ, i * 8, 4096), 0);
    }
    CU_ASSERT_EQUAL(blk_get(&b, 0), -XEN_ENOSPC);
    blk_kick(&b, 0);
    for (unsigned i = b.depth; i-- > 0;) {
        CU_ASSERT_EQUAL(blk_wait(&b, 0, ids[i]), 0);
        blk_put(&b, 0, ids[i]);
    }
    CU_ASSERT_EQUAL(blkfront_close(&b), 0);
}

static void test_disk_answers_that_were_not_asked(void)
{
    static const uint64_t wrong_ids[] = { 1, 31, 32, 1000, ~0UL };

    for (unsigned i = 0; i < 5; i++) {
        struct blkfront b;

        begin();
        CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 1, 1), 0);
        peer_put("/b/vbd/state", "2");                          /* the honest back end looks away */
        int id = blk_get(&b, 0);
        CU_ASSERT_EQUAL(id, 0);
        CU_ASSERT_EQUAL(blk_start(&b, 0, id, BLKIF_OP_READ, 0, 512), 0);
        blk_kick(&b, 0);
        struct blkif_response rsp = { .id = wrong_ids[i], .operation = BLKIF_OP_READ };
        memcpy(b.queues[0].ring.shared->entries, &rsp, sizeof(rsp));
        b.queues[0].ring.shared->rsp_prod = 1;
        CU_ASSERT_EQUAL(blk_wait(&b, 0, id), -XEN_EIO);
        CU_ASSERT_EQUAL(blk_get(&b, 0) >= 0 ? blk_start(&b, 0, 1, BLKIF_OP_READ, 0, 512) : 0, -XEN_EIO);
    }
}

static void test_disk_back_end_keeps_mappings(void)
{
    struct blkfront b;
    uint8_t sector[512];

    begin();
    peer_keep_mappings(true);
    CU_ASSERT_EQUAL_FATAL(blkfront_open(&b, &xs, &grants, 51712, 1, 2), 0);
    CU_ASSERT_EQUAL(blk_read(&b, 0, 0, sector, 512), 0);
    /* What is still mapped must not be freed (the peer aborts if it is). */
    CU_ASSERT_EQUAL(blkfront_close(&b), -XEN_EBUSY);
    CU_ASSERT_NOT_EQUAL(peer_grants_in_use(), 0);
}

static void test_disk_nonsense_from_the_store(void)
{
    static const char *const keys[][2] = {
        { "/b/vbd/sector-size", "0" }, { "/b/vbd/sector-size", "3000" }, { "/b/vbd/sectors", "0" },
        { "/b/vbd/sectors", "-5" }, { "/b/vbd/sector-size", "1" },
    };

    for (unsigned i = 0; i < 5; i++) {
        struct blkfront b;

        begin();
        peer_put(keys[i][0], keys[i][1]);
        int rc = blkfront_open(&b, &xs, &grants, 51712, 1, 2);
        CU_ASSERT(rc < 0 || strcmp(keys[i][0], "/b/vbd/sector-size") == 0);
        if (rc == 0)
            CU_ASSERT_EQUAL(b.sector_size, 512);
        if (rc == 0)
            blkfront_close(&b);
        CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    }
    struct blkfront b;
    begin();
    peer_put("device/vbd/51712/backend-id", "70000");
    CU_ASSERT_EQUAL(blkfront_open(&b, &xs, &grants, 51712, 1, 2), -STORE_ERANGE);
    begin();
    CU_ASSERT_EQUAL(blkfront_open(&b, &xs, &grants, 1, 1, 2), -XEN_ENOENT);
}

/* ---- network ---- */

struct got {
    unsigned frames;
    size_t len;
    uint8_t data[NET_FRAME_MAX];
};

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    struct got *g = arg;

    (void)queue;
    (void)info;
    g->frames++;
    g->len = len;
    memcpy(g->data, data, len);
}

static void test_net(void)
{
    static struct got got;
    static uint8_t frame[20000];
    static const uint8_t mac[6] = { 0, 0x16, 0x3e, 0x0a, 0x0b, 0x0c };
    struct netfront n;

    begin();
    unsigned before = peer_pages_in_use();
    CU_ASSERT_EQUAL_FATAL(netfront_open(&n, &xs, &grants, 0, &(struct net_wish){ .queues = 1, .slots = 64 }), 0);
    CU_ASSERT_EQUAL(memcmp(n.mac, mac, 6), 0);
    for (unsigned round = 0; round < 600; round++) {
        size_t len = 60 + round * 31 % 19000;

        for (size_t i = 0; i < len; i++)
            frame[i] = (uint8_t)(i ^ round);
        got.frames = 0;
        CU_ASSERT_EQUAL(net_send(&n, 0, frame, len, NULL), 0);
        net_kick(&n, 0);
        CU_ASSERT_EQUAL(net_poll(&n, 0, 10, receive, &got), 1);
        CU_ASSERT_EQUAL(got.len, len);
        CU_ASSERT_EQUAL(memcmp(got.data, frame, len), 0);
    }
    CU_ASSERT_EQUAL(net_send(&n, 0, frame, 0, NULL), -XEN_EINVAL);
    CU_ASSERT_EQUAL(net_send(&n, 0, frame, NET_FRAME_MAX + 1, NULL), -XEN_EINVAL);
    struct net_info gso = { .gso_type = XEN_NETIF_GSO_TYPE_TCPV4, .gso_size = 1400 };
    CU_ASSERT_EQUAL(net_send(&n, 0, frame, 9000, &gso), -XEN_EINVAL);        /* not offered */
    CU_ASSERT_EQUAL(netfront_close(&n), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    CU_ASSERT_EQUAL(peer_pages_in_use(), before);
}

static void test_net_queues_and_resume(void)
{
    static struct got got;
    static uint8_t frame[9000];
    struct netfront n;

    begin();
    unsigned before = peer_pages_in_use();
    CU_ASSERT_EQUAL_FATAL(netfront_open(&n, &xs, &grants, 0, &(struct net_wish){ .queues = 9, .slots = 32, .gso = true }), 0);
    CU_ASSERT_EQUAL(n.nr_queues, NET_QUEUES);
    CU_ASSERT_STRING_EQUAL(peer_get("device/vif/0/feature-gso-tcpv4"), "1");
    CU_ASSERT_STRING_EQUAL(peer_get("device/vif/0/feature-no-csum-offload"), "0");
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned q = 0; q < n.nr_queues; q++) {
            memset(frame, (int)(q * 16 + round), sizeof(frame));
            got.frames = 0;
            CU_ASSERT_EQUAL(net_send(&n, q, frame, sizeof(frame), NULL), 0);
            net_kick(&n, q);
            CU_ASSERT_EQUAL(net_poll(&n, q, 10, receive, &got), 1);
            CU_ASSERT_EQUAL(got.len, sizeof(frame));
            CU_ASSERT_EQUAL(memcmp(got.data, frame, sizeof(frame)), 0);
        }
        /* One that is never answered: lost, its page is free again after the resume. */
        peer_put("/b/vif/state", "2");
        CU_ASSERT_EQUAL(net_send(&n, 0, frame, 64, NULL), 0);
        peer_new_domain(&xs, &grants);
        CU_ASSERT_EQUAL_FATAL(netfront_resume(&n), 0);
        CU_ASSERT_EQUAL(pv_ids_busy(&n.queues[0].tx_ids), 0);
    }
    CU_ASSERT_EQUAL(netfront_close(&n), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    CU_ASSERT_EQUAL(peer_pages_in_use(), before);
}

/* A back end with one queue for four: the numbers stand for the same one. */
static void test_net_resume_to_less(void)
{
    static struct got got;
    static uint8_t frame[64];
    struct netfront n;

    begin();
    unsigned before = peer_pages_in_use();
    CU_ASSERT_EQUAL_FATAL(netfront_open(&n, &xs, &grants, 0, &(struct net_wish){ .queues = 4, .slots = 16 }), 0);
    for (unsigned offered = 1; offered <= 3; offered += 2) {
        peer_new_domain(&xs, &grants);
        peer_put("/b/vif/multi-queue-max-queues", offered == 1 ? "1" : "3");
        CU_ASSERT_EQUAL_FATAL(netfront_resume(&n), 0);
        CU_ASSERT_EQUAL(n.nr_queues, 4);
        CU_ASSERT_EQUAL(n.nr_wired, offered);
        for (unsigned q = 0; q < 4; q++) {
            memset(frame, (int)q + 1, sizeof(frame));
            got.frames = 0;
            CU_ASSERT_EQUAL(net_send(&n, q, frame, sizeof(frame), NULL), 0);
            net_kick(&n, q);
            CU_ASSERT_EQUAL(net_poll(&n, q, 10, receive, &got), 1);
            CU_ASSERT_EQUAL(memcmp(got.data, frame, sizeof(frame)), 0);
        }
    }
    CU_ASSERT_EQUAL(netfront_close(&n), 0);
    CU_ASSERT_EQUAL(peer_grants_in_use(), 0);
    CU_ASSERT_EQUAL(peer_pages_in_use(), before);
}

static void test_net_bad_pieces(void)
{
    static struct got got;
    static const struct netif_rx_response lies[] = {
        { .offset = 4096, .status = 1 }, { .offset = 1, .status = 4096 }, { .offset = 0xffff, .status = 0x7fff },
        { .offset = 0, .status = -1 },
    };

    for (unsigned i = 0; i < 4; i++) {
        struct netfront n;

        begin();
        CU_ASSERT_EQUAL_FATAL(netfront_open(&n, &xs, &grants, 0, &(struct net_wish){ .queues = 1, .slots = 16 }), 0);
        got.frames = 0;
        memcpy(n.queues[0].rx.shared->entries, &lies[i], sizeof(lies[i]));
        n.queues[0].rx.shared->rsp_prod = 1;
        CU_ASSERT_EQUAL(net_poll(&n, 0, 10, receive, &got), 0);
        CU_ASSERT_EQUAL(got.frames, 0);
        CU_ASSERT_EQUAL(n.queues[0].rx_errors, 1);
        CU_ASSERT_EQUAL(netfront_close(&n), 0);
    }
}

static void test_net_endless_frame(void)
{
    static struct got got;
    struct netfront n;

    begin();
    CU_ASSERT_EQUAL_FATAL(netfront_open(&n, &xs, &grants, 0, &(struct net_wish){ .queues = 1, .slots = 16 }), 0);
    struct netif_rx_response *rsp = (void *)n.queues[0].rx.shared->entries;
    for (unsigned i = 0; i < 16; i++)
        rsp[i] = (struct netif_rx_response){ .id = (uint16_t)i, .status = 4096, .flags = NETRXF_more_data };
    n.queues[0].rx.shared->rsp_prod = 16;
    CU_ASSERT_EQUAL(net_poll(&n, 0, 10, receive, &got), -XEN_EIO);
    CU_ASSERT_EQUAL(net_send(&n, 0, rsp, 64, NULL), 0);                      /* the other ring is whole */
    CU_ASSERT_EQUAL(netfront_close(&n), 0);
}

static void test_net_double_answer(void)
{
    struct netfront n;
    uint8_t frame[64] = { 0 };

    begin();
    CU_ASSERT_EQUAL_FATAL(netfront_open(&n, &xs, &grants, 0, &(struct net_wish){ .queues = 1, .slots = 16 }), 0);
    peer_put("/b/vif/state", "2");
    CU_ASSERT_EQUAL(net_send(&n, 0, frame, 64, NULL), 0);
    CU_ASSERT_EQUAL(net_send(&n, 0, frame, 64, NULL), 0);
    net_kick(&n, 0);
    struct netif_tx_request *slots = (void *)n.queues[0].tx.shared->entries;
    struct netif_tx_response rsp = { .id = 0, .status = NETIF_RSP_OKAY };
    memcpy(&slots[0], &rsp, sizeof(rsp));
    memcpy(&slots[1], &rsp, sizeof(rsp));
    n.queues[0].tx.shared->rsp_prod = 2;
    CU_ASSERT_EQUAL(net_poll(&n, 0, 1, receive, NULL), -XEN_EIO);
}

/* ---- console ---- */

#include "pvconsole.h"

static void test_console(void)
{
    static struct xencons_interface ring;
    struct pv_console c = { &ring, 1 };
    static char text[5000], buf[64];

    memset(text, 'a', sizeof(text));
    CU_ASSERT_EQUAL(pv_console_write(&c, text, sizeof(text)), sizeof(ring.out));
    CU_ASSERT_EQUAL(pv_console_write(&c, text, 1), 0);
    ring.out_cons += 10;
    CU_ASSERT_EQUAL(pv_console_write(&c, text, 100), 10);
    ring.out_cons = ring.out_prod + 50;                 /* a reader ahead of the writer */
    CU_ASSERT_EQUAL(pv_console_write(&c, text, 100), 0);
    memcpy(ring.in, "hello", 5);
    ring.in_prod = 5;
    CU_ASSERT_EQUAL(pv_console_read(&c, buf, 3), 3);
    CU_ASSERT_EQUAL(pv_console_read(&c, buf, sizeof(buf)), 2);
    CU_ASSERT_EQUAL(buf[0], 'l');
    ring.in_prod = ring.in_cons + sizeof(ring.in) + 1;
    CU_ASSERT_EQUAL(pv_console_read(&c, buf, sizeof(buf)), 0);
}

int main(void)
{
    static const struct unit_case cases[] = {
        UNIT(test_ring_counts), UNIT(test_ring_wraps), UNIT(test_ring_event),
        UNIT(test_ring_lying_index), UNIT(test_ids), UNIT(test_grants),
        UNIT(test_xs_basics), UNIT(test_xs_long_value), UNIT(test_xs_broken_ring), UNIT(test_xs_wrong_head),
        UNIT(test_xs_event_flood), UNIT(test_disk), UNIT(test_disk_queues), UNIT(test_disk_resume),
        UNIT(test_disk_resume_to_less), UNIT(test_disk_part_fails), UNIT(test_disk_queue_full),
        UNIT(test_disk_answers_that_were_not_asked), UNIT(test_disk_back_end_keeps_mappings),
        UNIT(test_disk_nonsense_from_the_store), UNIT(test_net), UNIT(test_net_queues_and_resume),
        UNIT(test_net_resume_to_less),
        UNIT(test_net_bad_pieces), UNIT(test_net_endless_frame),
        UNIT(test_net_double_answer), UNIT(test_console), { 0 }
    };

    return unit_main("pv-frontends", cases);
}
