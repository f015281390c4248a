/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.h - small helpers without a better home; all total functions */
#ifndef PARAVANE_LIB_H
#define PARAVANE_LIB_H

#include "types.h"

/* Copy with truncation, always terminated when size > 0. Returns false when it did not fit. */
bool str_copy(char *dst, size_t size, const char *src);
/* Parse decimal, 0x hex; stops at the first other character, *@end tells where. Saturates at ~0. */
uint64_t parse_u64(const char *s, const char **end);
/* As parse_u64 with a suffix B K M G T (default unit @dflt_shift bits). */
uint64_t parse_size(const char *s, const char **end, unsigned dflt_shift);

/* A set of disjoint closed intervals of uint64_t, sorted. Allocates from the heap. */
struct rangeset;
struct rangeset *rangeset_create(void);
void rangeset_destroy(struct rangeset *r);
int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last);        /* 0 or -ENOMEM */
int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last);
bool rangeset_contains(const struct rangeset *r, uint64_t first, uint64_t last);
bool rangeset_overlaps(const struct rangeset *r, uint64_t first, uint64_t last);
bool rangeset_empty(const struct rangeset *r);

#endif
