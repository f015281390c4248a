/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * codec.h - zlib and zstd over one buffer
 *
 * A packer or unpacker keeps its state between calls; one thread uses it at a time.
 */
#ifndef VANE_CODEC_H
#define VANE_CODEC_H

#include <stddef.h>
#include <stdint.h>

struct packer;
struct unpacker;

/* @codec: PACKED_ZLIB or PACKED_ZSTD. @level 0: the default. NULL: out of memory. */
struct packer *packer_new(uint32_t codec, int level);
void packer_free(struct packer *p);
/* The room @n bytes may need. */
size_t packer_bound(const struct packer *p, size_t n);
/* The packed size, or 0: out of memory. */
size_t packer_pack(struct packer *p, void *to, size_t room, const void *from, size_t n);

struct unpacker *unpacker_new(void);
void unpacker_free(struct unpacker *u);
/* 0 when @n bytes unpack to exactly @want bytes; -EINVAL, -ENOMEM. Never writes past @want. */
int unpacker_unpack(struct unpacker *u, uint32_t codec, void *to, size_t want, const void *from, size_t n);

#endif
