/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xz_heap.c - memory for the hypervisor's xz decoder (hypervisor/include/heap.h) in a process */
#include <stdlib.h>

#include "../../hypervisor/include/heap.h"

void *heap_alloc(size_t size)
{
    return calloc(1, size);
}

void heap_free(void *p)
{
    free(p);
}
