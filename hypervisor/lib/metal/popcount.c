/* SPDX-License-Identifier: GPL-2.0-or-later */
/* popcount.c - what gcc calls for __builtin_popcountl where it may not assume the instruction */
#include "types.h"

int __popcountdi2(uint64_t v);
int __popcountdi2(uint64_t v)
{
    int n = 0;
    for (; v; v &= v - 1)
        n++;
    return n;
}
