/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console ring with anything in it: what is read and written stays within the ring and the buffer. */
#include "pvconsole.h"
#include "scribble.h"

#include <stdlib.h>

void fuzz_one(struct world *w)
{
    struct pv_console c = { pv_pages_alloc(1), 1 };
    char text[700] = { 0 };

    (void)w;
    scribble_pages(&(struct scribble_page){ c.ring, 0 }, 1);
    peer_replace(scribble);
    do {
        const size_t n = 1 + scribble_byte() * 2u;
        char *exact = malloc(n);

        if (pv_console_read(&c, exact, n) > n || pv_console_write(&c, text, sizeof(text)) > sizeof(text))
            abort();
        free(exact);
        /* The indices are behind both rings, where few writes land. */
        c.ring->in_prod += scribble_byte();
        c.ring->out_cons += scribble_byte();
    } while (scribble());
}
