/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small TCP server. Owns the table of connections and one buffer for a segment that goes out.
 *
 * A connection's answer is a head and a body, both in memory, so what is not acknowledged is sent again from there:
 * "sent" goes back to "acked". Sequence numbers are counted from 0 at our SYN: 1 is the first byte of the answer.
 */
#include "tcp.h"
#include "crc32.h"

#define CONNECTIONS 16U
#define FIN 1U
#define SYN 2U
#define RST 4U
#define PSH 8U
#define ACK 16U
#define TCP_HEAD 20U
#define WINDOW 65535U
#define OUR_SEQ 0x10000000U
#define RESEND (250 * MS)
#define LARGEST 62780U                  /* of a segment that the interface cuts: fits an IP packet with its heads */

struct connection {
    struct ip_peer peer;
    uint16_t peer_port, port;           /* port 0: unused */
    uint32_t next;                      /* sequence number we expect */
    uint32_t mss, window;
    char head[128];
    uint32_t head_len, answer_len;      /* bytes; answer_len counts the head too */
    uint32_t acked, sent, highest;      /* of the answer: got by the peer; sent; ever sent */
    bool ends, ended;                   /* a FIN follows the answer; the peer's came */
    uint32_t received, crc;
    uint64_t resend_at, used;
};

struct tcp_stats tcp_stats;
static struct connection table[CONNECTIONS];
static uint8_t out[ETH + IP_HEAD + TCP_HEAD + LARGEST];
static const uint8_t *document;
static size_t document_len;
static const char hello[] = "hello from a tiny\n";

void tcp_serve(const uint8_t *data, size_t len)
{
    document = data;
    document_len = len;
}

/* ---- sending ---- */

static bool segment(struct ip_stack *s, const struct connection *c, uint32_t seq, unsigned flags, size_t len)
{
    struct net_info info = { .csum_blank = true };
    uint8_t *o = out + ETH + IP_HEAD, addresses[8];

    memset(o, 0, TCP_HEAD);
    ip_put(o, c->port, 2);
    ip_put(o + 2, c->peer_port, 2);
    ip_put(o + 4, OUR_SEQ + seq, 4);
    ip_put(o + 8, c->next, 4);
    o[12] = TCP_HEAD / 4 << 4;
    o[13] = (uint8_t)flags;
    ip_put(o + 14, WINDOW, 2);
    /* "Blank" holds the sum of the pseudo head: who completes it adds the rest. */
    ip_put(addresses, s->address, 4);
    ip_put(addresses + 4, c->peer.address, 4);
    ip_put(o + 16, ip_fold(ip_sum(addresses, 8, 6 + TCP_HEAD + (uint32_t)len)), 2);
    if (len > c->mss) {
        info.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        info.gso_size = (uint16_t)c->mss;
        tcp_stats.gso_out++;
    }
    return ip_output(s, &c->peer, out, 6, TCP_HEAD + len, &info);
}

/* @len bytes of the answer from @at on, into the segment. */
static void copy_answer(const struct connection *c, uint32_t at, size_t len)
{
    const uint8_t *body = c->answer_len == c->head_len + sizeof(hello) - 1 ? (const uint8_t *)hello : document;
    uint8_t *o = out + ETH + IP_HEAD + TCP_HEAD;

    if (at < c->head_len) {
        size_t n = c->head_len - at < len ? c->head_len - at : len;

        memcpy(o, c->head + at, n);
        o += n;
        len -= n;
        at = c->head_len;
    }
    memcpy(o, body + (at - c->head_len), len);
}

/* Send what the window allows; the FIN goes with the last byte. */
static void push(struct ip_stack *s, struct connection *c)
{
    const uint32_t longest = s->gso && s->sg ? LARGEST - LARGEST % c->mss : c->mss;

    while (c->sent < c->answer_len && c->sent - c->acked < c->window) {
        uint32_t n = c->answer_len - c->sent, room = c->window - (c->sent - c->acked);

        n = n < longest ? n : longest;
        /* Whole segments only, unless it is the end, or all the window there is. */
        if (n > room)
            n = room >= c->mss ? room - room % c->mss : c->sent == c->acked ? room : 0;
        if (n == 0)
            break;
        bool last = c->sent + n == c->answer_len;
        copy_answer(c, c->sent, n);
        if (!segment(s, c, 1 + c->sent, ACK | (last ? PSH | FIN : 0), n))
            break;                      /* no room in the ring: the next acknowledgement or tick goes on */
        c->sent += n;
        c->highest = c->sent > c->highest ? c->sent : c->highest;
        tcp_stats.sent += n;
        c->ends = last;
    }
    c->resend_at = time_now() + RESEND;
}

void tcp_tick(struct ip_stack *s)
{
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &table[i];

        if (c->port == 0 || c->acked >= c->answer_len + c->ends || time_now() < c->resend_at)
            continue;
        tcp_stats.resent++;
        c->resend_at = time_now() + RESEND;
        if (c->answer_len == 0) {
            segment(s, c, 1, ACK | FIN, 0);
            continue;
        }
        if (c->acked == c->answer_len)
            c->acked--;                 /* only the FIN is missing: it goes with the last byte */
        c->sent = c->acked;
        push(s, c);
    }
}

/* ---- receiving ---- */

static struct connection *find(const struct ip_peer *from, uint16_t peer_port, uint16_t port)
{
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (table[i].port == port && table[i].peer_port == peer_port && table[i].peer.address == from->address)
            return &table[i];
    return NULL;
}

/* A place for a new connection: the one longest unused goes. */
static struct connection *make(void)
{
    struct connection *oldest = &table[0];

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        if (table[i].port == 0)
            return &table[i];
        if (table[i].used < oldest->used)
            oldest = &table[i];
    }
    return oldest;
}

/* The MSS option of a SYN, or what every host must take. */
static uint32_t offered_mss(const uint8_t *tcp, size_t head)
{
    for (size_t i = TCP_HEAD; i + 1 < head && tcp[i] != 0;) {
        if (tcp[i] == 1) {
            i++;
            continue;
        }
        if (tcp[i] == 2 && tcp[i + 1] == 4 && i + 4 <= head) {
            uint32_t mss = ip_get(tcp + i + 2, 2);

            return mss < 536 ? 536 : mss > 1460 ? 1460 : mss;
        }
        if (tcp[i + 1] < 2)
            break;
        i += tcp[i + 1];
    }
    return 536;
}

static void open(struct ip_stack *s, const struct ip_peer *from, const uint8_t *tcp, size_t head)
{
    uint16_t peer_port = (uint16_t)ip_get(tcp, 2), port = (uint16_t)ip_get(tcp + 2, 2);
    struct connection *c = find(from, peer_port, port);

    if (c == NULL)
        c = make();
    *c = (struct connection){ .peer = *from, .peer_port = peer_port, .port = port, .next = ip_get(tcp + 4, 4) + 1,
                              .mss = offered_mss(tcp, head), .window = ip_get(tcp + 14, 2), .used = time_now() };
    tcp_stats.connections++;
    segment(s, c, 0, SYN | ACK, 0);
}

static void refuse(struct ip_stack *s, const struct ip_peer *from, const uint8_t *tcp, size_t text)
{
    struct connection c = { .peer = *from, .peer_port = (uint16_t)ip_get(tcp, 2), .mss = 536,
                            .port = (uint16_t)ip_get(tcp + 2, 2), .next = ip_get(tcp + 4, 4) + (uint32_t)text };

    c.next += (tcp[13] & (SYN | FIN)) != 0;
    segment(s, &c, ip_get(tcp + 8, 4) - OUR_SEQ, RST | ACK, 0);
}

/* The first bytes of a client are its request; the rest of it, if any, is not looked at. */
static void answer_request(struct connection *c, const uint8_t *text, size_t len)
{
    static const char get_data[] = "GET /data";
    bool data = len >= sizeof(get_data) - 1 && memcmp(text, get_data, sizeof(get_data) - 1) == 0 && document != NULL;
    size_t body = data ? document_len : sizeof(hello) - 1;

    c->head_len = (uint32_t)snprintf(c->head, sizeof(c->head), "HTTP/1.0 200 OK\r\nContent-Length: %lu\r\n"
                                     "Connection: close\r\n\r\n", body);
    c->answer_len = c->head_len + (uint32_t)body;
    tcp_stats.requests++;
}

static void take_text(struct connection *c, const uint8_t *text, size_t len)
{
    if (c->port == 80 && c->answer_len == 0)
        answer_request(c, text, len);
    if (c->port == 10)
        c->crc = crc32(c->crc, text, len);
    c->received += (uint32_t)len;
    tcp_stats.received += len;
}

static void take_ack(struct connection *c, uint32_t ack)
{
    uint32_t done = ack - OUR_SEQ - 1;  /* bytes of the answer, and one for the FIN */

    if (done > c->acked && done <= c->highest + c->ends)
        c->acked = done;
    if (c->sent < c->acked)             /* we had gone back too far */
        c->sent = c->acked < c->answer_len ? c->acked : c->answer_len;
}

static void hang_up(struct ip_stack *s, struct connection *c)
{
    c->next++;
    if (!c->ended && c->port == 10)
        printf("tcp: took %u bytes, CRC-32 %08x\n", c->received, c->crc);
    c->ended = true;
    if (c->answer_len == 0) {
        segment(s, c, 1, ACK | FIN, 0);
        c->ends = true;
    } else {
        segment(s, c, 1 + c->sent + c->ends, ACK, 0);
    }
}

void tcp_input(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len,
               const struct net_info *info)
{
    size_t head = len < TCP_HEAD ? 0 : (size_t)(data[12] >> 4) * 4, text = len - head;
    struct connection *c;

    if (head < TCP_HEAD || head > len) {
        s->dropped++;
        return;
    }
    uint16_t port = (uint16_t)ip_get(data + 2, 2);
    unsigned flags = data[13];
    tcp_stats.gso_in += info->gso_type != XEN_NETIF_GSO_TYPE_NONE;
    tcp_stats.blank_in += info->csum_blank;
    if ((flags & (SYN | RST)) == SYN && (port == 80 || port == 9 || port == 10)) {
        open(s, from, data, head);
        return;
    }
    c = find(from, (uint16_t)ip_get(data, 2), port);
    if (c == NULL || (flags & RST)) {
        if (!(flags & RST))
            refuse(s, from, data, text);
        else if (c != NULL)
            c->port = 0;
        return;
    }
    c->used = time_now();
    c->peer = *from;
    c->window = ip_get(data + 14, 2);
    if (flags & ACK)
        take_ack(c, ip_get(data + 8, 4));
    bool in_order = ip_get(data + 4, 4) == c->next;
    if (in_order && text > 0) {
        take_text(c, data + head, text);
        c->next += (uint32_t)text;
    }
    if (in_order && (flags & FIN))
        hang_up(s, c);
    else if (text > 0 || (flags & FIN))
        segment(s, c, 1 + c->sent + c->ends, ACK, 0);
    push(s, c);
}
