/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32 by table. Owns the table, made at the first use. */
#include "crc32.h"

uint32_t crc32(uint32_t crc, const uint8_t *p, size_t len)
{
    static uint32_t by_byte[256];

    for (uint32_t i = 0; by_byte[255] == 0 && i < 256; i++) {
        uint32_t v = i;

        for (unsigned k = 0; k < 8; k++)
            v = v >> 1 ^ (v & 1 ? 0xedb88320U : 0);
        by_byte[i] = v;
    }
    crc = ~crc;
    while (len-- > 0)
        crc = by_byte[(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}
