/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lzma2.h - decode LZMA2 data straight into the place where it belongs
 *
 * Our own decoder, because Dom0's kernel is most of the time a boot takes: the output buffer is the dictionary, so
 * nothing is copied twice, and the inner loop fits one page of code. liblzma is the oracle of its test and fuzzer.
 */
#ifndef PARAVANE_LZMA2_H
#define PARAVANE_LZMA2_H

#include "types.h"

struct lzma2_probs;

/*
 * Decode chunks from [*in, in_end) to @out until the end marker. *@in moves behind it, *@done gets the length.
 * @work: lzma2_work_size() bytes, 8-byte aligned. False: corrupt, truncated, or larger than @out_size.
 */
MUST_CHECK bool lzma2_decode(void *work, const uint8_t **in, const uint8_t *in_end, uint8_t *out, uint64_t out_size,
                             uint64_t *done);
size_t lzma2_work_size(void);

#endif
