/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disk. Block k holds k, the checksum of block k - 1 and its own; it is flushed before k is reported. An earlier block
 * is read back each time. The witness reads the image in the end.
 */
#include "crc32.h"
#include "traveller.h"

#define MAGIC 0x4b4f4c4256415250UL
#define BLOCK_SECTORS (PAGE_SIZE / BLK_SECTOR)

struct block {
    uint64_t magic, number;
    uint32_t before, own;               /* checksums; own is computed with own = 0 */
    uint64_t fill[(PAGE_SIZE - 24) / 8];
};

static struct block *new, *old;
static uint64_t room;                   /* blocks */

bool disk_init(void)
{
    new = page_alloc();
    old = page_alloc();
    room = traveller.disk.sectors / BLOCK_SECTORS;
    return new != NULL && old != NULL && room > 0;
}

static uint32_t checksum(struct block *b)
{
    const uint32_t kept = b->own;

    b->own = 0;
    uint32_t sum = crc32(0, (const uint8_t *)b, sizeof(*b));
    b->own = kept;
    return sum;
}

static void write_block(uint64_t k, uint32_t before)
{
    struct blkfront *d = &traveller.disk;

    *new = (struct block){ .magic = MAGIC, .number = k, .before = before };
    for (unsigned i = 0; i < ARRAY_SIZE(new->fill); i++)
        new->fill[i] = k * (i + 1);
    new->own = checksum(new);
    int rc = blk_write(d, 0, k % room * BLOCK_SECTORS, new, PAGE_SIZE);
    if (rc == 0 && d->flush)
        rc = blk_flush(d, 0);
    if (rc != 0)
        bad("disk: block %lu was not written: %d", k, rc);
    else
        traveller.block = k;
}

static void read_block(uint64_t k)
{
    int rc = blk_read(&traveller.disk, 0, k % room * BLOCK_SECTORS, old, PAGE_SIZE);

    if (rc != 0)
        bad("disk: block %lu cannot be read: %d", k, rc);
    else if (old->number != k || old->own != checksum(old))
        bad("disk: block %lu reads as %lu", k, old->number);
}

void disk_work(void *arg)
{
    const uint64_t pause = cmdline_number("disk_ms", 50) * MS;
    uint32_t before = 0;

    (void)arg;
    for (uint64_t k = 1; !traveller.stop && traveller.errors == 0; k++) {
        write_block(k, before);
        before = new->own;
        read_block(k - k * 2654435761U % (k < room ? k : room));
        rest(pause);
    }
}
