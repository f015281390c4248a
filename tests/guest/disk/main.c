/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disk exerciser. Claim: what is written to a PV disk comes back, whichever queue carries it: chains of blocks, each
 * holding the hash of the one before, are written in a scattered order, a chain through each queue, flushed, and
 * followed from first to last through another queue. Suspended meanwhile, it goes on where it was.
 *
 *   disk=N      XenStore number of the disk (51712 = xvda)
 *   mib=N       size of all chains (default 8, at most the disk)
 *   rounds=N    how often (default 2); queues=N, pages=N as in blkfront_open()
 *   passes=N    how often all is written and read in order, as fast as it goes (default 1)
 *   leave       the chains are the last thing written; keep: only verify what such a run has left
 *
 * With as many vCPUs as queues every queue has a vCPU of its own, else a thread of vCPU 0.
 */
#include "control.h"
#include "harness.h"
#include "port.h"
#include "suspend.h"
#include "thread.h"
#include "work.h"

struct work work;

static bool each_has_a_cpu(void)
{
    return work.nr > 1 && smp_vcpu_count() >= work.nr && work.disk.nr_rings == work.nr;
}

static bool stop;                       /* asked to end after this round */

static void obey_toolstack(void)
{
    static unsigned resumes;
    enum control request = control_poll();

    if (request != CONTROL_SUSPEND) {
        stop = stop || request != CONTROL_NONE;
        return;
    }
    int rc = guest_suspend();
    CHECK(rc >= 0, "suspend: %d", rc);
    if (rc == 0)
        RC(blkfront_resume(&work.disk), 0);
    printf("resumed: %d (%u)\n", rc, ++resumes);
}

static void run_threads(void (*fn)(void *))
{
    struct thread *threads[BLK_QUEUES];
    unsigned done = 0;

    for (unsigned q = 0; q < work.nr; q++) {
        threads[q] = thread_start(fn, &work.workers[q]);
        if (threads[q] == NULL) {
            item_fail("no memory for a thread");
            return;
        }
    }
    while (done < work.nr) {
        obey_toolstack();
        thread_wait(port_store()->port, time_now() + 20 * MS);
        for (done = 0; done < work.nr && work.workers[done].done; done++)
            ;
    }
    for (unsigned q = 0; q < work.nr; q++)
        thread_join(threads[q]);
}

static void run_cpus(void (*fn)(void *))
{
    for (unsigned q = 1; q < work.nr; q++)
        RC(smp_start(q, fn, &work.workers[q]), 0);
    fn(&work.workers[0]);
    for (unsigned q = 1; q < work.nr; q++)
        CHECK(wait_for(!smp_is_up(q), 120 * SECOND), "vCPU %u does not end", q);
}

/* @fn for every worker at the same time: true if none failed. */
static bool all(void (*fn)(void *))
{
    bool good = true;

    for (unsigned q = 0; q < work.nr; q++)
        work.workers[q].done = false;
    if (each_has_a_cpu())
        run_cpus(fn);
    else
        run_threads(fn);
    for (unsigned q = 0; q < work.nr; q++) {
        CHECK(!work.workers[q].failed, "queue %u: %s", q, work.workers[q].why);
        good = good && !work.workers[q].failed;
    }
    return good;
}

static void stream(uint8_t op)
{
    uint64_t start = time_now(), bytes = work.blocks * work.block_size;

    work.op = op;
    all(work_stream);
    uint64_t took = time_now() - start;
    printf("blk-throughput %s: %lu KiB in %lu us, %lu KiB/s\n", op == BLKIF_OP_READ ? "read" : "write", bytes >> 10,
           took / 1000, (bytes >> 10) * SECOND / (took + 1));
}

static void limits(void)
{
    struct blkfront *b = &work.disk;
    uint8_t *block = work.workers[0].block;

    item("limits");
    RC(blk_read(b, 0, b->sectors, block, 512), -XEN_EINVAL);
    RC(blk_read(b, 0, ~0UL, block, 512), -XEN_EINVAL);
    RC(blk_read(b, 0, 0, block, 100), -XEN_EINVAL);
    RC(blk_read(b, 0, b->sectors - 1, block, 1024), -XEN_EINVAL);
}

/* The sectors between two that are discarded keep what they hold. */
static void discard(void)
{
    struct blkfront *b = &work.disk;
    uint8_t *block = work.workers[0].block;

    item("discard");
    if (!b->discard) {
        RC(blk_discard(b, 0, 0, 8), -XEN_EOPNOTSUPP);
        return;
    }
    memset(block, 0x5a, 3 * 4096);
    RC(blk_write(b, 0, 0, block, 3 * 4096), 0);
    RC(blk_discard(b, 0, 0, 8), 0);
    RC(blk_discard(b, 0, 16, 8), 0);
    RC(blk_discard(b, 0, b->sectors, 8), -XEN_EINVAL);
    RC(blk_read(b, 0, 8, block, 4096), 0);
    for (unsigned i = 0; i < 4096; i++)
        if (block[i] != 0x5a) {
            item_fail("byte %u between the discarded sectors is %x", i, block[i]);
            return;
        }
}

static bool connect(unsigned id)
{
    int rc = blkfront_open(&work.disk, port_store(), port_grants(), id, (unsigned)cmdline_number("queues", 1),
                           (unsigned)cmdline_number("pages", 32));

    if (rc == -XEN_ENOENT) {
        item_skip("no disk %u", id);
        return false;
    }
    CHECK(rc == 0, "connecting the disk: %d", rc);
    if (rc != 0)
        return false;
    if (!work_init((uint64_t)cmdline_number("mib", 8) << 20)) {
        item_fail("no memory for the workers");
        return false;
    }
    const struct blkfront *b = &work.disk;
    printf("disk %u: %lu sectors, %u queues on %u vCPUs, %u pages a request, indirect %d, persistent %d, flush %d, "
           "discard %d, %lu blocks\n", id, b->sectors, b->nr_queues, each_has_a_cpu() ? work.nr : 1, b->max_segments,
           b->indirect, b->persistent, b->flush, b->discard, work.blocks);
    return true;
}

void guest_test(void)
{
    item("connect");
    mm_extend(start_info->nr_pages);
    if (is_initial_domain() || cmdline_has("nostore") || port_store() == NULL) {
        item_skip("no XenStore");
        return;
    }
    if (!connect((unsigned)cmdline_number("disk", 51712)))
        return;
    item("chain");
    for (uint64_t round = 1; round <= cmdline_number("rounds", 2) && !stop; round++)
        if ((!cmdline_has("keep") && !all(work_write)) || !all(work_verify))
            break;
    if (!cmdline_has("keep") && !cmdline_has("leave")) {
        item("stream");
        for (uint64_t pass = 0; pass < cmdline_number("passes", 1); pass++) {
            stream(BLKIF_OP_WRITE);
            stream(BLKIF_OP_READ);
        }
        limits();
        discard();
    }
    for (unsigned q = 0; q < work.nr; q++)
        printf("queue %u: %lu requests\n", q, work.disk.queues[q].answered);
    item("close");
    int rc = blkfront_close(&work.disk);
    CHECK(rc == 0 || rc == -XEN_EBUSY, "close: %d", rc);
}
