/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip.h - just enough IPv4 to be talked to: ARP both ways, ICMP echo; UDP and TCP go to the guest's own functions
 *
 * Packaged lwIP was left aside: Debian ships its headers and a hosted shared library, not sources that fit a
 * freestanding build. Everything a peer sends is length-checked against the frame before use.
 */
#ifndef IP_H
#define IP_H

#include "netfront.h"
#include "runtime.h"

#define ETH 14U                         /* bytes of an Ethernet head */
#define IP_HEAD 20U                     /* of the IP heads we send */
#define UDP_HEAD 8U
#define UDP_TEXT (ETH + IP_HEAD + UDP_HEAD)

/* Where an answer goes. */
struct ip_peer {
    uint8_t mac[6];
    uint32_t address;
    unsigned queue;                     /* the one its frames came in by */
};

struct ip_stack;
/* Takes a packet with its UDP or TCP head: @len bytes. */
typedef void (*ip_handler_t)(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len,
                             const struct net_info *info);

struct ip_stack {
    uint8_t mac[6];
    uint32_t address;                   /* host order */
    bool gso, sg;                       /* the interface takes long TCP segments; frames longer than a page */
    /* Send one frame on @queue; false: no room now. */
    bool (*send)(void *arg, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info);
    void *send_arg;
    ip_handler_t udp_input, tcp_input;  /* NULL: such packets are dropped */
    struct ip_peer found;               /* who answered ip_find() last; address 0: nobody yet */
    uint64_t arp, icmp, udp, tcp, dropped;
};

/* Handle one frame; answers go out through s->send. */
void ip_input(struct ip_stack *s, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info);
/* Tell the network who has our address. */
void ip_announce(struct ip_stack *s);
/* Ask who has @address, a neighbour's; the answer comes to s->found. */
void ip_find(struct ip_stack *s, uint32_t address);
/* The address A.B.C.D that stands behind @key ("ip=") on the command line, or @otherwise. */
uint32_t ip_parse(const char *key, uint32_t otherwise);
/* Send the packet of @protocol whose @len bytes lie at @out + ETH + IP_HEAD, the room before them being ours. */
bool ip_output(struct ip_stack *s, const struct ip_peer *to, uint8_t *out, uint8_t protocol, size_t len,
               const struct net_info *info);

/* The same for UDP: @len bytes of text from @port to @peer_port lie behind the room for three heads, UDP_TEXT. */
bool ip_udp(struct ip_stack *s, const struct ip_peer *to, uint16_t port, uint16_t peer_port, uint8_t *out, size_t len);

/* Big-endian numbers of @n bytes. */
uint32_t ip_get(const uint8_t *p, unsigned n);
void ip_put(uint8_t *p, uint32_t v, unsigned n);
/* The Internet checksum: add up, fold at the end. */
uint32_t ip_sum(const uint8_t *p, size_t len, uint32_t start);
uint16_t ip_fold(uint32_t sum);

#endif
