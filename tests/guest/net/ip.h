/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip.h - just enough IPv4 to be talked to: ARP, ICMP echo, UDP echo, and HTTP over a TCP that serves one small
 * page per connection
 *
 * Packaged lwIP was left aside: Debian ships its headers and a hosted shared library, not sources that fit a
 * freestanding build. Everything a peer sends is length-checked against the frame before use.
 */
#ifndef IP_H
#define IP_H

#include "runtime.h"

struct ip_stack {
    uint8_t mac[6];
    uint32_t address;                   /* host order */
    void (*send)(void *arg, const uint8_t *frame, size_t len);
    void *send_arg;
    uint64_t arp, icmp, udp, tcp, http, dropped;
};

/* Handle one frame; answers go out through s->send. */
void ip_input(struct ip_stack *s, const uint8_t *frame, size_t len);
/* Tell the network who has our address. */
void ip_announce(struct ip_stack *s);

#endif
