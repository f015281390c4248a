/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xz.h - unpack an .xz file: LZMA2, with or without the x86 filter, checked by CRC32 or not at all
 *
 * That is what kernels are compressed with; Linux's own boot code understands no more.
 */
#ifndef PARAVANE_XZ_H
#define PARAVANE_XZ_H

#include "types.h"

/* As payload_unpack(). */
MUST_CHECK int xz_unpack(const uint8_t *in, uint64_t size, uint8_t *out, uint64_t out_size, uint64_t *done, const char **why);

#endif
