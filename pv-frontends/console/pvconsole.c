/* SPDX-License-Identifier: MIT */
/* Both directions of the console ring; owns our index of each. */
#include "pvconsole.h"

size_t pv_console_write(struct pv_console *c, const char *text, size_t len)
{
    const uint32_t size = sizeof(c->ring->out);
    XENCONS_RING_IDX prod = c->ring->out_prod, used = prod - pv_read_once(c->ring->out_cons);
    size_t done = 0;

    pv_mb();                            /* the reader is done with a byte before we reuse its place */
    while (used < size && done < len) {
        c->ring->out[MASK_XENCONS_IDX(prod++, c->ring->out)] = text[done++];
        used++;
    }
    pv_wmb();
    pv_write_once(c->ring->out_prod, prod);
    pv_evtchn_send(c->port);
    return done;
}

size_t pv_console_read(struct pv_console *c, char *buf, size_t size)
{
    XENCONS_RING_IDX cons = c->ring->in_cons, waiting = pv_read_once(c->ring->in_prod) - cons;
    size_t done = 0;

    if (waiting > sizeof(c->ring->in))
        waiting = 0;
    pv_rmb();
    while (done < waiting && done < size)
        buf[done++] = c->ring->in[MASK_XENCONS_IDX(cons++, c->ring->in)];
    if (done == 0)
        return 0;
    pv_mb();
    pv_write_once(c->ring->in_cons, cons);
    pv_evtchn_send(c->port);
    return done;
}
