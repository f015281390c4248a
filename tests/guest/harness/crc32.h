/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crc32.h - the checksum of zlib's crc32() */
#ifndef CRC32_H
#define CRC32_H

#include "runtime.h"

/* @crc: of what came before, 0 at the start. */
uint32_t crc32(uint32_t crc, const uint8_t *p, size_t len);

#endif
