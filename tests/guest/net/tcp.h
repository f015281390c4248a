/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.h - TCP for a server in a tiny guest: passive opens, in-order data, one answer from memory, go-back-N
 *
 *   port 80   HTTP: "/" is a line of text, "/data" the document given to tcp_serve()
 *   port 9    takes what comes and throws it away; port 10 too, and prints how much and its CRC-32 at the end
 *
 * It is the load for the network front end, not a stack for the Internet: no options but the MSS, no congestion
 * control, segments out of order are dropped (the sender repeats them).
 */
#ifndef TCP_H
#define TCP_H

#include "ip.h"

struct tcp_stats {
    uint64_t connections, requests, sent, received, gso_out, gso_in, blank_in, resent;
};
extern struct tcp_stats tcp_stats;

/* What "/data" is. */
void tcp_serve(const uint8_t *document, size_t len);
void tcp_input(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len,
               const struct net_info *info);
/* Send again what was not answered; call it some twenty times a second. */
void tcp_tick(struct ip_stack *s);

#endif
