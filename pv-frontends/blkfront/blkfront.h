/* SPDX-License-Identifier: MIT */
/*
 * blkfront.h - a PV disk
 *
 * Queues (rings) are used by one thread of control each; the caller picks one by number. Data pages belong to
 * the library: a request reads from or writes to a buffer of up to blkfront.max_segments pages that stays
 * granted for the life of the device (persistent grants: G1 cannot bite, and the back end may keep its
 * mappings), so callers copy in and out with blk_read()/blk_write(), or use the pages of a request in place.
 *
 *   B1  an answer is matched to a part of a request under way by id, once, and its operation must be that request's.
 *   B2  whatever the back end answers, data lands only in the pages of that request.
 *   B3  a request is under way until it was answered, also over a resume: the new back end is asked again. Reads,
 *       writes of the same data, flushes and discards may be done twice.
 *   B4  a request is asked in one part, in a ring of its queue's own; only after a resume beside a back end that takes
 *       fewer pages or queues may it have several, and wait for room in a ring it shares with other queues.
 *
 * The back end can write to a request's pages at any time: who reads data in place reads what may still change.
 */
#ifndef PV_BLKFRONT_H
#define PV_BLKFRONT_H

#include "ring.h"
#include "xenbus.h"
#include <xen/io/blkif.h>

#define BLK_QUEUES 4
#define BLK_SECTOR 512U
#define BLK_SEGMENTS 32U                /* pages a request may have; more than 11 need indirect requests */
#define BLK_DEPTH 32U                   /* requests under way in a queue */

struct blk_request {
    uint8_t op;
    bool done;
    uint64_t sector;
    size_t len;                         /* bytes of the disk it is about */
    uint8_t nr_parts, nr_asked;         /* parts, and how many of them have been put into a ring */
    uint8_t open;                       /* bit n: part n is asked and not answered */
    int status;                         /* 0 or -errno when done; meanwhile, of the parts answered so far */
    unsigned nr_pages;
    uint8_t *pages;                     /* nr_pages * 4096 bytes, granted */
    grant_ref_t refs[BLK_SEGMENTS];
    uint8_t *indirect;                  /* one page of segment descriptions */
    grant_ref_t indirect_ref;
};

struct blk_queue {
    struct pv_ring ring;
    struct pv_ids ids;
    evtchn_port_t port;                 /* of the ring that carries this queue's requests */
    void *ring_page;
    grant_ref_t ring_ref;
    bool crowded;                       /* requests wait for room in this ring ... */
    unsigned turn;                      /* ... the one that has waited longest: queue * depth + id */
    unsigned patience;                  /* answers that one event may stand for */
    uint64_t answered;                  /* requests, since the disk was opened */
    struct blk_request requests[BLK_DEPTH];
};

struct blkfront {
    struct xenbus_device bus;
    struct pv_grants *grants;
    unsigned id, nr_queues;
    unsigned nr_rings;                  /* queue q is carried by ring q % nr_rings: its own, but for B4 */
    unsigned depth;                     /* requests per queue */
    unsigned max_segments;              /* pages a request can carry */
    unsigned part_pages;                /* pages of it this back end takes at a time */
    uint64_t sectors;                   /* of 512 bytes */
    uint32_t sector_size;
    bool read_only, flush, discard, indirect, persistent;
    struct blk_queue *queues;
};

/* Connect disk @id (its XenStore number, 51712 for xvda) with up to @queues queues: 0 or -errno; on failure
 * nothing stays granted. @pages_each: pages per request (1..BLK_SEGMENTS). */
int blkfront_open(struct blkfront *b, struct xs *xs, struct pv_grants *grants, unsigned id, unsigned queues,
                  unsigned pages_each);
/* Wait for what is under way, disconnect, take all grants back: 0, or -EBUSY when the back end keeps some
 * (their pages are leaked on purpose). */
int blkfront_close(struct blkfront *b);

/*
 * After a suspend, in another domain, with a new grant pool and store connection at the old addresses: connect again.
 * Requests under way are asked again (B3); who waits for one just waits on. A back end that takes fewer pages gets them
 * in parts. One that takes fewer queues makes queues share a ring (nr_rings): these then belong to one thread of control,
 * or to threads that never interrupt each other. After any error all requests fail with -EIO and the disk can only be
 * closed.
 */
int blkfront_resume(struct blkfront *b);

/* A free request of queue @q: its id, or -ENOSPC. Fill its pages for a write. */
int blk_get(struct blkfront *b, unsigned q);
/* Start @op on @len bytes at sector @sector (len: multiple of 512, within the request's pages; 0 for flush): 0,
 * -EROFS, -EINVAL (beyond the disk), -EOPNOTSUPP, -EIO (ring broken). The back end is told at blk_kick(). */
int blk_start(struct blkfront *b, unsigned q, int id, uint8_t op, uint64_t sector, size_t len);
int blk_start_discard(struct blkfront *b, unsigned q, int id, uint64_t sector, uint64_t count);
void blk_kick(struct blkfront *b, unsigned q);
/* Take the answers in the ring of queue @q: how many, or -EIO when the back end lied. */
int blk_poll(struct blkfront *b, unsigned q);
/* For who keeps many requests of queue @q under way: from the next poll on an event comes only after @n answers, or when
 * all that was asked is answered. A single request is waited for longer then; 1 is what a queue begins with. */
void blk_event_after(struct blkfront *b, unsigned q, unsigned n);
/* Wait until request @id is done and give its status; the request stays the caller's until blk_put(). */
int blk_wait(struct blkfront *b, unsigned q, int id);
void blk_put(struct blkfront *b, unsigned q, int id);

/* All in one, on queue @q: 0 or -errno. */
int blk_read(struct blkfront *b, unsigned q, uint64_t sector, void *data, size_t len);
int blk_write(struct blkfront *b, unsigned q, uint64_t sector, const void *data, size_t len);
int blk_flush(struct blkfront *b, unsigned q);
int blk_discard(struct blkfront *b, unsigned q, uint64_t sector, uint64_t count);

#endif
