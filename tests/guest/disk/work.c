/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One queue's work. A worker touches its own queue and block only, so workers may run on different vCPUs. */
#include "work.h"

static void fail(struct worker *w, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(w->why, sizeof(w->why), format, ap);
    va_end(ap);
    w->failed = true;
}

static uint64_t hash(const uint8_t *data, size_t len)
{
    const uint64_t *words = (const void *)data;
    uint64_t h = 0x9e3779b97f4a7c15UL;

    for (size_t i = 0; i < len / 8; i++)
        h = (h ^ words[i]) * 0xff51afd7ed558ccdUL, h ^= h >> 29;
    return h;
}

/* First sector of block @k. It lies where no neighbour of k does: an odd stride modulo a power of two. */
static uint64_t place(uint64_t k)
{
    return ((k * 0x9e3779b1UL) & (work.blocks - 1)) * (work.block_size / BLK_SECTOR);
}

bool work_init(uint64_t bytes)
{
    const struct blkfront *b = &work.disk;

    work.nr = b->nr_queues;
    work.block_size = b->max_segments * PAGE_SIZE;
    for (work.blocks = 1; work.blocks * 2 * work.block_size <= bytes &&
                          work.blocks * 2 * (work.block_size / BLK_SECTOR) <= b->sectors;)
        work.blocks *= 2;
    for (unsigned q = 0; q < work.nr; q++) {
        work.workers[q] = (struct worker){ .queue = q, .block = page_alloc_run(b->max_segments) };
        if (work.workers[q].block == NULL)
            return false;
    }
    return true;
}

/* Block @k of a chain: its number, the hash of the one before, the round, and bytes that depend on both. */
static void fill(uint8_t *block, uint64_t k, uint64_t before, uint64_t round)
{
    uint64_t *words = (void *)block, state = k * 2654435761UL + round + 1;

    words[0] = k;
    words[1] = before;
    words[2] = round;
    for (size_t i = 3; i < work.block_size / 8; i++)
        words[i] = random_next(&state);
}

void work_write(void *arg)
{
    struct worker *w = arg;
    uint64_t before = 0;
    int rc = 0;

    w->round++;
    for (uint64_t k = w->queue; rc == 0 && k < work.blocks; k += work.nr) {
        fill(w->block, k, before, w->round);
        before = hash(w->block, work.block_size);
        rc = blk_write(&work.disk, w->queue, place(k), w->block, work.block_size);
        if (rc != 0)
            fail(w, "write of block %lu: %d", k, rc);
    }
    if (rc == 0 && work.disk.flush)
        rc = blk_flush(&work.disk, w->queue);
    if (rc != 0 && !w->failed)
        fail(w, "flush: %d", rc);
    w->done = true;
}

void work_verify(void *arg)
{
    struct worker *w = arg;
    const uint64_t *words = (const void *)w->block;
    uint64_t before = 0, round = 0;

    for (uint64_t k = (w->queue + 1) % work.nr; !w->failed && k < work.blocks; k += work.nr) {
        memset(w->block, 0xee, work.block_size);
        int rc = blk_read(&work.disk, w->queue, place(k), w->block, work.block_size);
        if (before == 0)
            round = words[2];
        if (rc != 0 || words[0] != k || words[1] != before || words[2] != round)
            fail(w, "block %lu: rc %d, says block %lu of round %lu, chain %s", k, rc, words[0], words[2],
                 words[1] == before ? "whole" : "broken");
        before = hash(w->block, work.block_size);
    }
    w->done = true;
}

/* Start requests until the queue is full or the share is done: how many were started, or -errno. */
static int start_some(struct worker *w, uint64_t *next)
{
    int id, rc, n = 0;

    while (*next < work.blocks && (id = blk_get(&work.disk, w->queue)) >= 0) {
        if (work.op == BLKIF_OP_WRITE)
            memcpy(work.disk.queues[w->queue].requests[id].pages, w->block, work.block_size);
        rc = blk_start(&work.disk, w->queue, id, work.op, *next * (work.block_size / BLK_SECTOR), work.block_size);
        if (rc != 0) {
            blk_put(&work.disk, w->queue, id);
            return rc;
        }
        *next += work.nr;
        n++;
    }
    if (n > 0)
        blk_kick(&work.disk, w->queue);
    return n;
}

/* Give back what is done: how many, or the first error. */
static int end_some(struct worker *w, uint64_t *busy)
{
    struct blk_queue *q = &work.disk.queues[w->queue];
    int n = 0, rc = blk_poll(&work.disk, w->queue);

    for (unsigned id = 0; rc >= 0 && id < work.disk.depth; id++) {
        if (!(*busy & (1UL << id)) || !q->requests[id].done)
            continue;
        rc = q->requests[id].status;
        if (work.op == BLKIF_OP_READ)
            memcpy(w->block, q->requests[id].pages, work.block_size);
        *busy &= ~(1UL << id);
        blk_put(&work.disk, w->queue, (int)id);
        n++;
    }
    return rc < 0 ? rc : n;
}

void work_stream(void *arg)
{
    struct worker *w = arg;
    struct blk_queue *q = &work.disk.queues[w->queue];
    uint64_t next = w->queue, give_up = time_now() + 60 * SECOND, busy = 0;
    int rc = 0;

    blk_event_after(&work.disk, w->queue, work.disk.depth / 2);
    while (rc >= 0 && (next < work.blocks || busy != 0)) {
        rc = start_some(w, &next);
        busy = rc < 0 ? busy : q->ids.busy[0];
        if (rc >= 0)
            rc = end_some(w, &busy);
        if (rc == 0 && busy != 0)
            pv_wait(q->port, time_now() + 100 * MS);
        if (time_now() > give_up)
            rc = -XEN_ETIMEDOUT;
    }
    blk_event_after(&work.disk, w->queue, 1);
    if (rc >= 0 && work.op == BLKIF_OP_WRITE && work.disk.flush)
        rc = blk_flush(&work.disk, w->queue);
    if (rc < 0)
        fail(w, "stream: %d", rc);
    w->done = true;
}
