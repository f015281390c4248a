/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP, IPv4 heads, ICMP echo and UDP echo; owns no state but counters. */
#include "ip.h"
#include "tcp.h"

uint32_t ip_get(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;

    while (n-- > 0)
        v = v << 8 | *p++;
    return v;
}

void ip_put(uint8_t *p, uint32_t v, unsigned n)
{
    while (n-- > 0) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}

uint32_t ip_sum(const uint8_t *p, size_t len, uint32_t start)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        start += ip_get(p + i, 2);
    if (len & 1)
        start += (uint32_t)p[len - 1] << 8;
    return start;
}

uint16_t ip_fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)s;
}

bool ip_output(struct ip_stack *s, const struct ip_peer *to, uint8_t *out, uint8_t protocol, size_t len,
               const struct net_info *info)
{
    uint8_t *ip = out + ETH;

    memcpy(out, to->mac, 6);
    memcpy(out + 6, s->mac, 6);
    ip_put(out + 12, 0x0800, 2);
    memset(ip, 0, IP_HEAD);
    ip[0] = 0x45;
    ip_put(ip + 2, (uint32_t)(IP_HEAD + len), 2);
    ip[8] = 64;
    ip[9] = protocol;
    ip_put(ip + 12, s->address, 4);
    ip_put(ip + 16, to->address, 4);
    ip_put(ip + 10, (uint16_t)~ip_fold(ip_sum(ip, IP_HEAD, 0)), 2);
    return s->send(s->send_arg, to->queue, out, ETH + IP_HEAD + len, info);
}

static void icmp(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len)
{
    static uint8_t out[2048];
    uint8_t *o = out + ETH + IP_HEAD;

    if (len < 8 || data[0] != 8 || len > sizeof(out) - ETH - IP_HEAD) {
        s->dropped++;
        return;
    }
    memcpy(o, data, len);
    o[0] = 0;
    ip_put(o + 2, 0, 2);
    ip_put(o + 2, (uint16_t)~ip_fold(ip_sum(o, len, 0)), 2);
    s->icmp++;
    ip_output(s, from, out, 1, len, NULL);
}

/* UDP: whatever comes is sent back. */
static void udp(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len)
{
    static uint8_t out[2048];
    uint8_t *o = out + ETH + IP_HEAD;
    size_t size = len < 8 ? 0 : ip_get(data + 4, 2);

    if (size < 8 || size > len || size > sizeof(out) - ETH - IP_HEAD) {
        s->dropped++;
        return;
    }
    memcpy(o, data, size);
    memcpy(o, data + 2, 2);
    memcpy(o + 2, data, 2);
    ip_put(o + 6, 0, 2);                /* no checksum: allowed over IPv4 */
    s->udp++;
    ip_output(s, from, out, 17, size, NULL);
}

static void ipv4(struct ip_stack *s, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info)
{
    const uint8_t *ip = frame + ETH;
    size_t head = (size_t)(ip[0] & 15) * 4, total = ip_get(ip + 2, 2);
    struct ip_peer from = { .address = ip_get(ip + 12, 4), .queue = queue };

    if (head < IP_HEAD || ip[0] >> 4 != 4 || total < head || total > len - ETH || ip_get(ip + 16, 4) != s->address ||
        (ip_get(ip + 6, 2) & 0x3fff) != 0) {
        s->dropped++;
        return;
    }
    memcpy(from.mac, frame + 6, 6);
    if (ip[9] == 1) {
        icmp(s, &from, ip + head, total - head);
    } else if (ip[9] == 17) {
        udp(s, &from, ip + head, total - head);
    } else if (ip[9] == 6) {
        s->tcp++;
        tcp_input(s, &from, ip + head, total - head, info);
    } else {
        s->dropped++;
    }
}

static void arp_send(struct ip_stack *s, unsigned queue, unsigned op, const uint8_t *to_mac, const uint8_t *to_ip)
{
    uint8_t out[60] = { 0 };

    memcpy(out, to_mac, 6);
    memcpy(out + 6, s->mac, 6);
    ip_put(out + 12, 0x0806, 2);
    ip_put(out + 14, 0x00010800, 4);
    ip_put(out + 18, 0x0604, 2);
    ip_put(out + 20, op, 2);
    memcpy(out + 22, s->mac, 6);
    ip_put(out + 28, s->address, 4);
    memcpy(out + 32, to_mac, 6);
    memcpy(out + 38, to_ip, 4);
    s->send(s->send_arg, queue, out, sizeof(out), NULL);
}

void ip_announce(struct ip_stack *s)
{
    static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
    uint8_t self[4];

    ip_put(self, s->address, 4);
    arp_send(s, 0, 1, everybody, self);
}

void ip_input(struct ip_stack *s, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info)
{
    if (len < ETH + 28) {
        s->dropped++;
    } else if (ip_get(frame + 12, 2) == 0x0806) {
        if (ip_get(frame + 20, 2) == 1 && ip_get(frame + 38, 4) == s->address) {
            s->arp++;
            arp_send(s, queue, 2, frame + 22, frame + 28);
        }
    } else if (ip_get(frame + 12, 2) == 0x0800) {
        ipv4(s, queue, frame, len, info);
    } else {
        s->dropped++;
    }
}
