/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A responder, not a stack: it keeps no state per peer. TCP works because a server that sends one short answer can
 * put all it must remember into its sequence numbers: our initial number is fixed, so "acknowledged up to x" tells
 * how far a connection has come. Lost packets are repaired by the client's retransmission.
 */
#include "ip.h"

#define ETH 14U
#define OUR_SEQ 0x10000000U
#define FIN 1U
#define SYN 2U
#define RST 4U
#define PSH 8U
#define ACK 16U

static const char page_text[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n"
                                "Connection: close\r\n\r\nhello from a tiny\n";

static uint32_t get(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;

    while (n-- > 0)
        v = v << 8 | *p++;
    return v;
}

static void put(uint8_t *p, uint32_t v, unsigned n)
{
    while (n-- > 0) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t start)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        start += get(p + i, 2);
    if (len & 1)
        start += (uint32_t)p[len - 1] << 8;
    return start;
}

static uint16_t fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

/* Fill the Ethernet and IP heads of an answer to @in whose payload of @len bytes already lies at @out + 34. */
static void finish(struct ip_stack *s, const uint8_t *in, uint8_t *out, uint8_t protocol, size_t len)
{
    uint8_t *ip = out + ETH;

    memcpy(out, in + 6, 6);
    memcpy(out + 6, s->mac, 6);
    put(out + 12, 0x0800, 2);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put(ip + 2, (uint32_t)(20 + len), 2);
    ip[8] = 64;
    ip[9] = protocol;
    put(ip + 12, s->address, 4);
    memcpy(ip + 16, in + ETH + 12, 4);
    put(ip + 10, fold(sum(ip, 20, 0)), 2);
    s->send(s->send_arg, out, ETH + 20 + len);
}

static uint16_t pseudo_sum(const uint8_t *src, const uint8_t *dst, uint8_t protocol, const uint8_t *data, size_t len)
{
    uint32_t v = sum(src, 4, 0);

    v = sum(dst, 4, v) + protocol + (uint32_t)len;
    return fold(sum(data, len, v));
}

static void icmp(struct ip_stack *s, const uint8_t *in, const uint8_t *data, size_t len)
{
    static uint8_t out[2048];

    if (len < 8 || data[0] != 8 || len > sizeof(out) - ETH - 20) {
        s->dropped++;
        return;
    }
    memcpy(out + ETH + 20, data, len);
    out[ETH + 20] = 0;
    put(out + ETH + 22, 0, 2);
    put(out + ETH + 22, fold(sum(out + ETH + 20, len, 0)), 2);
    s->icmp++;
    finish(s, in, out, 1, len);
}

/* UDP: whatever comes is sent back. */
static void udp(struct ip_stack *s, const uint8_t *in, const uint8_t *data, size_t len)
{
    static uint8_t out[2048];
    uint8_t *o = out + ETH + 20;
    size_t size = len < 8 ? 0 : get(data + 4, 2);

    if (size < 8 || size > len || size > sizeof(out) - ETH - 20) {
        s->dropped++;
        return;
    }
    memcpy(o, data, size);
    memcpy(o, data + 2, 2);
    memcpy(o + 2, data, 2);
    put(o + 6, 0, 2);                   /* no checksum: allowed over IPv4 */
    s->udp++;
    finish(s, in, out, 17, size);
}

static void tcp_out(struct ip_stack *s, const uint8_t *in, const uint8_t *data, uint32_t seq, uint32_t ack,
                    unsigned flags, const char *text, size_t len)
{
    static uint8_t out[512];
    uint8_t *o = out + ETH + 20, self[4];

    memset(o, 0, 20);
    memcpy(o, data + 2, 2);
    memcpy(o + 2, data, 2);
    put(o + 4, seq, 4);
    put(o + 8, ack, 4);
    o[12] = 5 << 4;
    o[13] = (uint8_t)flags;
    put(o + 14, 8192, 2);
    memcpy(o + 20, text, len);
    put(self, s->address, 4);
    put(o + 16, pseudo_sum(self, in + ETH + 12, 6, o, 20 + len), 2);
    finish(s, in, out, 6, 20 + len);
}

static void tcp(struct ip_stack *s, const uint8_t *in, const uint8_t *data, size_t len)
{
    size_t head = len < 20 ? 0 : (size_t)(data[12] >> 4) * 4, text = len - head;

    if (head < 20 || head > len) {
        s->dropped++;
        return;
    }
    uint32_t seq = get(data + 4, 4), done = get(data + 8, 4) - OUR_SEQ;
    unsigned flags = data[13];
    s->tcp++;
    if (flags & RST)
        return;
    if (get(data + 2, 2) != 80) {
        tcp_out(s, in, data, get(data + 8, 4), seq + (uint32_t)text + ((flags & (SYN | FIN)) != 0), RST | ACK, "", 0);
    } else if (flags & SYN) {
        tcp_out(s, in, data, OUR_SEQ, seq + 1, SYN | ACK, "", 0);
    } else if (text > 0 && done == 1) {
        /* The first data of the client is its request, whatever it says. */
        s->http++;
        tcp_out(s, in, data, OUR_SEQ + 1, seq + (uint32_t)text, PSH | ACK | FIN, page_text, sizeof(page_text) - 1);
    } else if (flags & FIN) {
        tcp_out(s, in, data, OUR_SEQ + done, seq + (uint32_t)text + 1, ACK, "", 0);
    }
}

static void ipv4(struct ip_stack *s, const uint8_t *frame, size_t len)
{
    const uint8_t *ip = frame + ETH;
    size_t head = len < ETH + 20 ? 0 : (size_t)(ip[0] & 15) * 4, total = head == 0 ? 0 : get(ip + 2, 2);

    if (head < 20 || ip[0] >> 4 != 4 || total < head || total > len - ETH || get(ip + 16, 4) != s->address ||
        (get(ip + 6, 2) & 0x3fff) != 0) {
        s->dropped++;
        return;
    }
    if (ip[9] == 1)
        icmp(s, frame, ip + head, total - head);
    else if (ip[9] == 17)
        udp(s, frame, ip + head, total - head);
    else if (ip[9] == 6)
        tcp(s, frame, ip + head, total - head);
    else
        s->dropped++;
}

static void arp_send(struct ip_stack *s, unsigned op, const uint8_t *to_mac, const uint8_t *to_ip)
{
    uint8_t out[60] = { 0 };

    memcpy(out, to_mac, 6);
    memcpy(out + 6, s->mac, 6);
    put(out + 12, 0x0806, 2);
    put(out + 14, 0x00010800, 4);
    put(out + 18, 0x0604, 2);
    put(out + 20, op, 2);
    memcpy(out + 22, s->mac, 6);
    put(out + 28, s->address, 4);
    memcpy(out + 32, to_mac, 6);
    memcpy(out + 38, to_ip, 4);
    s->send(s->send_arg, out, sizeof(out));
}

void ip_announce(struct ip_stack *s)
{
    static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
    uint8_t self[4];

    put(self, s->address, 4);
    arp_send(s, 1, everybody, self);
}

void ip_input(struct ip_stack *s, const uint8_t *frame, size_t len)
{
    if (len < ETH + 28) {
        s->dropped++;
    } else if (get(frame + 12, 2) == 0x0806) {
        if (get(frame + 20, 2) == 1 && get(frame + 38, 4) == s->address) {
            s->arp++;
            arp_send(s, 2, frame + 22, frame + 28);
        }
    } else if (get(frame + 12, 2) == 0x0800) {
        ipv4(s, frame, len);
    } else {
        s->dropped++;
    }
}
