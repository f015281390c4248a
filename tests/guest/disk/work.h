/* SPDX-License-Identifier: GPL-2.0-or-later */
/* work.h - what the disk exerciser does through one queue; each function runs for all workers at once */
#ifndef WORK_H
#define WORK_H

#include "blkfront.h"
#include "harness.h"

struct worker {
    unsigned queue;
    uint8_t *block;                     /* one request's data */
    uint64_t round;                     /* of the chain last written */
    volatile bool done;
    bool failed;
    char why[160];
};

struct work {
    struct blkfront disk;
    unsigned nr;                        /* workers: one for each queue */
    uint64_t blocks;                    /* of one request each; worker q has blocks q, q + nr, ... */
    size_t block_size;
    uint8_t op;                         /* of work_stream() */
    struct worker workers[BLK_QUEUES];
};
extern struct work work;

/* Divide at most @bytes of the open disk among the workers. */
bool work_init(uint64_t bytes);

/* Write the next round's chain of worker @arg, and flush. */
void work_write(void *arg);
/* Follow the chain that belongs to the next worker. */
void work_verify(void *arg);
/* Read or write the worker's share with all requests of the queue under way at once: every block is copied to or from the
 * worker's own, as blk_read() and blk_write() do; what was written is flushed. */
void work_stream(void *arg);

#endif
