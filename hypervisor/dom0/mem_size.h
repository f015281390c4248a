/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem_size.h - how much memory Dom0 gets
 *
 * The syntax is Xen's: dom0_mem= is a list of [min:|max:]SIZE separated by commas, SIZE being BYTES with suffix
 * B K M G T (default K), a fraction PERCENT% of what is available, BYTES+PERCENT%, or -BYTES: all but that.
 */
#ifndef PARAVANE_MEM_SIZE_H
#define PARAVANE_MEM_SIZE_H

#include "types.h"

struct dom0_mem {
    uint64_t pages;             /* given at boot, never more than available */
    uint64_t max_pages;         /* ceiling for ballooning; ~0: none */
};

/*
 * @text may be NULL: then all of @avail pages but a sixteenth, at most 128 MiB, is given. -EINVAL for text that
 * is not understood.
 */
MUST_CHECK int dom0_mem_parse(const char *text, uint64_t avail, struct dom0_mem *out);

#endif
