/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP, IPv4 heads, ICMP echo; owns no state but counters. */
#include "ip.h"

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

bool ip_udp(struct ip_stack *s, const struct ip_peer *to, uint16_t port, uint16_t peer_port, uint8_t *out, size_t len)
{
    uint8_t *o = out + ETH + IP_HEAD;

    ip_put(o, port, 2);
    ip_put(o + 2, peer_port, 2);
    ip_put(o + 4, (uint32_t)(UDP_HEAD + len), 2);
    ip_put(o + 6, 0, 2);                /* no checksum: allowed over IPv4 */
    return ip_output(s, to, out, 17, UDP_HEAD + len, NULL);
}

/* To the guest's own handler of that protocol, whose packets @count counts. */
static void hand_on(struct ip_stack *s, ip_handler_t handler, uint64_t *count, const struct ip_peer *from,
                    const uint8_t *data, size_t len, const struct net_info *info)
{
    if (handler == NULL) {
        s->dropped++;
        return;
    }
    ++*count;
    handler(s, from, data, len, info);
}

/* Length of the UDP packet at @data, its head included, or 0 if it is not whole. */
static size_t udp_len(const uint8_t *data, size_t len)
{
    size_t size = len < UDP_HEAD ? 0 : ip_get(data + 4, 2);

    return size < UDP_HEAD || size > len ? 0 : size;
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
        size_t size = udp_len(ip + head, total - head);

        hand_on(s, size > 0 ? s->udp_input : NULL, &s->udp, &from, ip + head, size, info);
    } else if (ip[9] == 6) {
        hand_on(s, s->tcp_input, &s->tcp, &from, ip + head, total - head, info);
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

static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };

void ip_find(struct ip_stack *s, uint32_t address)
{
    uint8_t wanted[4];

    ip_put(wanted, address, 4);
    arp_send(s, 0, 1, everybody, wanted);
}

void ip_announce(struct ip_stack *s)
{
    ip_find(s, s->address);
}

static void arp(struct ip_stack *s, unsigned queue, const uint8_t *frame)
{
    if (ip_get(frame + 38, 4) != s->address)
        return;
    if (ip_get(frame + 20, 2) == 1) {
        s->arp++;
        arp_send(s, queue, 2, frame + 22, frame + 28);
    } else if (ip_get(frame + 20, 2) == 2) {
        s->found = (struct ip_peer){ .address = ip_get(frame + 28, 4), .queue = queue };
        memcpy(s->found.mac, frame + 22, 6);
    }
}

void ip_input(struct ip_stack *s, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info)
{
    if (len < ETH + 28) {
        s->dropped++;
    } else if (ip_get(frame + 12, 2) == 0x0806) {
        arp(s, queue, frame);
    } else if (ip_get(frame + 12, 2) == 0x0800) {
        ipv4(s, queue, frame, len, info);
    } else {
        s->dropped++;
    }
}

uint32_t ip_parse(const char *key, uint32_t otherwise)
{
    const char *p = (const char *)start_info->cmd_line;
    size_t n = strlen(key);

    for (; *p != '\0'; p++) {
        if (strncmp(p, key, n) != 0)
            continue;
        uint32_t v = 0;
        p += n;
        for (unsigned i = 0; i < 4; i++) {
            v = v << 8 | (uint32_t)(parse_number(&p) & 255);
            if (*p == '.')
                p++;
        }
        return v;
    }
    return otherwise;
}
