/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fifo.h - the state of a domain on the FIFO ABI; private to fifo.c and fifo_setup.c
 *
 *   I1  Every access to the guest's pages, and every pointer to one, is under `lock`. Whoever takes pages away clears the
 *       pointers under it first, so nobody is still looking when their references go.
 *   I2  In use (evtchn_fifo()): some vCPU has a control block. Not in use: no page is held, every tail is 0.
 *   I3  A tail is 0 or a port whose word exists (pages only grow while in use).
 *   I4  Allocated once for all vCPUs the domain can have, before it is used (XSA-107); freed with the port table, because
 *       a delivery may have read the pointer just before a reset. It then finds no word.
 */
#ifndef PARAVANE_EVENT_FIFO_H
#define PARAVANE_EVENT_FIFO_H

#include "event/evtchn.h"

#define FIFO_WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define FIFO_ARRAY_PAGES (MAX_EVTCHNS / FIFO_WORDS_PER_PAGE)
_Static_assert(MAX_EVTCHNS == EVTCHN_FIFO_NR_CHANNELS, "ABI");

/* A vCPU's queues. The guest knows their heads, we their tails. */
struct fifo_vcpu {
    struct evtchn_fifo_control_block *control;          /* in a page of the guest's, or NULL */
    uint32_t tail[EVTCHN_FIFO_MAX_QUEUES];              /* the port linked last; 0: none */
};

struct evtchn_fifo {
    spinlock_t lock;            /* RANK_FIFO: an interrupt may raise an event */
    /* under lock */
    unsigned pages;
    event_word_t *array[FIFO_ARRAY_PAGES];
    struct fifo_vcpu vcpu[];    /* max_vcpus */
};

/* Lock held. The word of @port, or NULL: the guest has given no page for it. */
static inline event_word_t *fifo_word(const struct evtchn_fifo *f, uint32_t port)
{
    return port < f->pages * FIFO_WORDS_PER_PAGE
        ? &f->array[port / FIFO_WORDS_PER_PAGE][port % FIFO_WORDS_PER_PAGE] : NULL;
}

#endif
