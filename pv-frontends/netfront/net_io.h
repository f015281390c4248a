/* SPDX-License-Identifier: MIT */
/* net_io.h - between netfront.c, which makes and breaks connections, and net_io.c, which uses them */
#ifndef PV_NET_IO_H
#define PV_NET_IO_H

#include "netfront.h"

/* Offer page @slot of @q for a frame to come; pv_ring_push() is the caller's. */
void net_post(struct net_queue *q, unsigned slot);

#endif
