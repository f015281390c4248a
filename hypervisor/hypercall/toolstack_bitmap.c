/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * toolstack_bitmap.c - sets of CPUs or nodes in the tools' buffers
 *
 * ABI: xen.h struct xenctl_bitmap: little-endian bytes, nr_bits of them counted. The length is compared with a constant
 * of ours before anything else (XSA-56, 84).
 */
#include "hypercall/toolstack.h"

#define MAX_BITS 8192u          /* generous for any machine; bounds what one call may zero */

static unsigned byte_count(const struct xenctl_bitmap *b)
{
    return (b->nr_bits + 7) / 8;
}

int toolstack_bitmap_in(const struct xenctl_bitmap *b, uint64_t *bits)
{
    uint64_t raw = 0;

    if (b->nr_bits > MAX_BITS)
        return -EINVAL;
    if (guest_copy_in(&raw, gva((uint64_t)b->bitmap.p), MIN(byte_count(b), sizeof(raw))) != 0)
        return -EFAULT;
    *bits = b->nr_bits < 64 ? raw & ((1UL << b->nr_bits) - 1) : raw;
    return 0;
}

int toolstack_bitmap_out(const struct xenctl_bitmap *b, uint64_t bits)
{
    const unsigned size = byte_count(b), known = (unsigned)MIN(size, sizeof(bits));
    const gva_t buffer = gva((uint64_t)b->bitmap.p);

    if (b->nr_bits > MAX_BITS)
        return -EINVAL;
    if (b->nr_bits < 64)
        bits &= (1UL << b->nr_bits) - 1;
    if (guest_copy_out(buffer, &bits, known) != 0)
        return -EFAULT;
    return size > known ? guest_clear(gva(buffer.n + known), size - known) : 0;
}
