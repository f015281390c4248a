/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scribble.h - a back end that writes anything, anywhere it can
 *
 * The fuzzer's input is a list of things to do, some of them each time the front end waits or sends an event. What
 * a back end can do to a front end is all here: write to any page that is shared with it, and map or unmap what was
 * granted. When the input is used up it does nothing more, and the front end must come to an end.
 */
#ifndef SCRIBBLE_H
#define SCRIBBLE_H

#include "peer.h"

struct scribble_page {
    void *page;
    uint32_t entry_size;                /* of a ring with struct pv_sring; 0: plain memory */
};

void scribble_begin(const uint8_t *data, size_t size);
/* The shared pages from now on. */
void scribble_pages(const struct scribble_page *pages, unsigned n);
/* One turn: false when the input is used up. */
bool scribble(void);

/* The next byte of the input, 0 at its end; and up to @size of them. */
uint8_t scribble_byte(void);
size_t scribble_bytes(void *to, size_t size);

#endif
