/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disk exerciser. Claim: what is written to a PV disk comes back: a chain of blocks, each holding the hash of the
 * one before, is written in a scattered order, flushed, and followed from its first block to its last.
 *
 *   disk=N      XenStore number of the disk (51712 = xvda)
 *   mib=N       size of the chain (default 8, at most the disk)
 *   rounds=N    how often (default 2); queues=N, pages=N as in blkfront_open()
 *   leave       the chain is the last thing written; keep: only verify what such a run has left
 */
#include "harness.h"
#include "blkfront.h"
#include "port.h"

static struct blkfront disk;
static uint64_t blocks;                 /* of one request each */
static size_t block_size;
static uint8_t *block;

static uint64_t hash(const uint8_t *data, size_t len)
{
    const uint64_t *w = (const void *)data;
    uint64_t h = 0x9e3779b97f4a7c15UL;

    for (size_t i = 0; i < len / 8; i++)
        h = (h ^ w[i]) * 0xff51afd7ed558ccdUL, h ^= h >> 29;
    return h;
}

/* The k-th block of the chain lies where no neighbour of k does: an odd stride modulo a power of two. */
static uint64_t place(uint64_t k)
{
    return (k * 0x9e3779b1UL) & (blocks - 1);
}

static void fill(uint64_t k, uint64_t before, uint64_t round)
{
    uint64_t *w = (void *)block, state = k * 2654435761UL + round + 1;

    for (size_t i = 3; i < block_size / 8; i++)
        w[i] = random_next(&state);
    w[0] = k;
    w[1] = before;
    w[2] = round;
}

static bool write_chain(uint64_t round)
{
    uint64_t before = 0;

    for (uint64_t k = 0; k < blocks; k++) {
        fill(k, before, round);
        before = hash(block, block_size);
        int rc = blk_write(&disk, place(k) * (block_size / BLK_SECTOR), block, block_size);
        if (rc != 0) {
            item_fail("write of block %lu: %d", k, rc);
            return false;
        }
    }
    int rc = disk.flush ? blk_flush(&disk) : 0;
    CHECK(rc == 0, "flush: %d", rc);
    return rc == 0;
}

static bool verify_chain(void)
{
    uint64_t before = 0, round = 0;

    for (uint64_t k = 0; k < blocks; k++) {
        uint64_t *w = (void *)block;

        memset(block, 0xee, block_size);
        int rc = blk_read(&disk, place(k) * (block_size / BLK_SECTOR), block, block_size);
        if (k == 0)
            round = w[2];
        if (rc != 0 || w[0] != k || w[1] != before || w[2] != round) {
            item_fail("block %lu: rc %d, says block %lu of round %lu, chain %s", k, rc, w[0], w[2],
                      w[1] == before ? "whole" : "broken");
            return false;
        }
        before = hash(block, block_size);
    }
    return true;
}

/* All requests of a queue at once: throughput, and answers in any order. */
static void stream(uint8_t op)
{
    uint64_t sector = 0, bytes = 0, start = time_now();
    const uint64_t end = blocks * (block_size / BLK_SECTOR);
    int ids[BLK_DEPTH];

    while (sector < end) {
        unsigned n = 0;

        while (n < disk.depth && sector < end && (ids[n] = blk_get(&disk, 0)) >= 0) {
            if (blk_start(&disk, 0, ids[n], op, sector, block_size) != 0) {
                blk_put(&disk, 0, ids[n]);
                break;
            }
            sector += block_size / BLK_SECTOR;
            bytes += block_size;
            n++;
        }
        if (n == 0) {
            item_fail("no request could be started at sector %lu", sector);
            return;
        }
        blk_kick(&disk, 0);
        for (unsigned i = 0; i < n; i++) {
            int rc = blk_wait(&disk, 0, ids[i]);
            CHECK(rc == 0, "request %u: %d", i, rc);
            blk_put(&disk, 0, ids[i]);
        }
    }
    uint64_t took = time_now() - start;
    printf("blk-throughput %s: %lu KiB in %lu us, %lu KiB/s\n", op == BLKIF_OP_READ ? "read" : "write", bytes >> 10,
           took / 1000, (bytes >> 10) * SECOND / (took + 1));
}

static void limits(void)
{
    item("limits");
    RC(blk_read(&disk, disk.sectors, block, 512), -XEN_EINVAL);
    RC(blk_read(&disk, ~0UL, block, 512), -XEN_EINVAL);
    RC(blk_read(&disk, 0, block, 100), -XEN_EINVAL);
    RC(blk_read(&disk, disk.sectors - 1, block, 1024), -XEN_EINVAL);
    if (disk.discard)
        RC(blk_discard(&disk, 0, block_size / BLK_SECTOR), 0);
}

void guest_test(void)
{
    unsigned id = (unsigned)cmdline_number("disk", 51712);

    item("connect");
    mm_extend(2048);
    if (is_initial_domain() || cmdline_has("nostore") || port_store() == NULL) {
        item_skip("no XenStore");
        return;
    }
    int rc = blkfront_open(&disk, port_store(), port_grants(), id, (unsigned)cmdline_number("queues", 1),
                           (unsigned)cmdline_number("pages", 32));
    if (rc == -XEN_ENOENT) {
        item_skip("no disk %u", id);
        return;
    }
    CHECK(rc == 0, "connecting the disk: %d", rc);
    if (rc != 0)
        return;
    block_size = disk.max_segments * PAGE_SIZE;
    block = page_alloc_run(disk.max_segments);
    for (blocks = 1; blocks * 2 * block_size <= cmdline_number("mib", 8) << 20 &&
                     blocks * 2 * (block_size / BLK_SECTOR) <= disk.sectors;)
        blocks *= 2;
    printf("disk %u: %lu sectors, %u queues, %u pages a request, flush %d, discard %d, persistent %d, %lu blocks\n", id,
           disk.sectors, disk.nr_queues, disk.max_segments, disk.flush, disk.discard, disk.persistent, blocks);
    item("chain");
    for (uint64_t round = 1; round <= cmdline_number("rounds", 2); round++)
        if ((!cmdline_has("keep") && !write_chain(round)) || !verify_chain())
            break;
    if (!cmdline_has("keep") && !cmdline_has("leave")) {
        item("stream");
        stream(BLKIF_OP_WRITE);
        stream(BLKIF_OP_READ);
        limits();
    }
    item("close");
    rc = blkfront_close(&disk);
    CHECK(rc == 0 || rc == -XEN_EBUSY, "close: %d", rc);
}
