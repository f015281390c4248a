/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scribble.h - what the fuzzers of front ends have in common: the world of an input, and a back end that writes
 * anything, anywhere it can
 *
 * The fuzzer's input is a list of things to do, some of them each time the front end waits or sends an event. What
 * a back end can do to a front end is all here: write to any page that is shared with it, and map or unmap what was
 * granted. When the input is used up it does nothing more, and the front end must come to an end.
 */
#ifndef SCRIBBLE_H
#define SCRIBBLE_H

#include "peer.h"

/* An honest peer to begin with. The input's first byte is for the fuzzer to choose by; the others are scribble()'s. */
struct world {
    struct xs xs;
    struct pv_grants grants;
    uint8_t choice;
};

/* The fuzzer's part: called for each input. The peer takes away what it leaves. */
void fuzz_one(struct world *w);

struct scribble_page {
    void *page;
    uint32_t entry_size;                /* of a ring with struct pv_sring; 0: plain memory */
};

/* The shared pages from now on. */
void scribble_pages(const struct scribble_page *pages, unsigned n);
/* One turn: false when the input is used up. */
bool scribble(void);
/* The same behind the honest daemon's turn: a back end for peer_replace(). */
bool scribble_back_end(void);

/* The next byte of the input, 0 at its end; up to @size of them; and all that are left. */
uint8_t scribble_byte(void);
size_t scribble_bytes(void *to, size_t size);
const uint8_t *scribble_rest(size_t *size);

#endif
