/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network. Heartbeats: "hb BOOT SEQUENCE MONO_NS REAL_NS STEPS BLOCK ERRORS" to the witness, every `beat` milliseconds; two
 * copies of one guest would send the same numbers twice. "ping X" is answered with "pong X", "rate N" obeyed.
 */
#include "traveller.h"

#define OUR_PORT 7

static struct ip_stack ip;
static char boot[20];                   /* of this guest, from its start to its end */
static uint32_t witness;
static uint16_t witness_port;

/* False: there is no room for it now. */
static bool say(const struct ip_peer *to, uint16_t port, const char *text, size_t len)
{
    static uint8_t out[512];

    if (len > sizeof(out) - UDP_TEXT)
        return false;
    memcpy(out + UDP_TEXT, text, len);
    return ip_udp(&ip, to, OUR_PORT, port, out, len);
}

static void hear(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len, const struct net_info *info)
{
    char text[64];
    const char *number = text + 5;
    size_t n = len - UDP_HEAD < sizeof(text) - 1 ? len - UDP_HEAD : sizeof(text) - 1;

    (void)s, (void)info;
    memcpy(text, data + UDP_HEAD, n);
    text[n] = '\0';
    if (strncmp(text, "ping ", 5) == 0) {
        text[1] = 'o';
        say(from, (uint16_t)ip_get(data, 2), text, n);
    } else if (strncmp(text, "rate ", 5) == 0) {
        traveller.rate = parse_number(&number);
    }
}

/* Time of day. Two hosts agree on it to the second; a guest that keeps a clock of its own does not let it fall. */
static uint64_t time_of_day(void)
{
    static uint64_t latest;
    uint64_t now = time_wall();

    latest = now > latest ? now : latest;
    return latest;
}

/* A number is used up when its frame is in the ring: the witness misses those that were lost behind it. */
static bool beat(void)
{
    static uint64_t sequence;
    char text[200];
    int n = snprintf(text, sizeof(text), "hb %s %lu %lu %lu %lu %lu %lu", boot, sequence + 1, time_now(), time_of_day(),
                     traveller.steps, traveller.block, traveller.errors);
    bool said = say(&ip.found, witness_port, text, (size_t)n);

    sequence += said;
    return said;
}

static bool send_frame(void *arg, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info)
{
    (void)arg;
    return net_send(&traveller.net, queue, frame, len, info) == 0;
}

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    (void)arg;
    ip_input(&ip, queue, data, len, info);
}

void heart_init(void)
{
    memcpy(ip.mac, traveller.net.mac, sizeof(ip.mac));
    ip.address = ip_parse("ip=", 10U << 24 | 2);
    ip.send = send_frame;
    ip.udp_input = hear;
    witness = ip_parse("to=", 10U << 24 | 1);
    witness_port = (uint16_t)cmdline_number("port", 7);
    snprintf(boot, sizeof(boot), "%lx", time_wall());
}

/* What is due at @now goes out: the next time to look. */
static uint64_t speak(uint64_t due, uint64_t now, uint64_t every)
{
    if (now < due)
        return due;
    if (ip.found.address == 0) {
        ip_find(&ip, witness);
        return now + 100 * MS;
    }
    if (!beat())
        return now + MS;
    return due + every > now ? due + every : now + every;
}

void heart_work(void *arg)
{
    const uint64_t every = cmdline_number("beat", 20) * MS;
    uint64_t due = time_now();
    bool was_away = true;

    (void)arg;
    while (!traveller.stop) {
        if (traveller.away) {
            was_away = true;
            rest(MS);
            continue;
        }
        if (was_away)
            ip_announce(&ip);
        was_away = false;
        if (net_poll(&traveller.net, 0, 64, receive, NULL) < 0) {
            bad("the network's back end lied");
            return;
        }
        due = speak(due, time_now(), every);
        net_kick(&traveller.net, 0);
        thread_wait(traveller.net.queues[0].port, due);
    }
}
