/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * etherswitch FOLDER PORT... - an Ethernet switch between QEMU's datagram sockets (switch.py)
 *
 * A frame is a datagram. PORT's frames come to FOLDER/PORT.switch and go to FOLDER/PORT.host, where a machine may be, not
 * be yet, or be again. It learns on which port an address is from who sends, and sends a frame to that port alone: so a
 * guest that moved without telling anybody is not found, as on real networks.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORTS 8
#define ADDRESSES 256
#define FRAME 10240                     /* jumbo frames too */
#define QUEUE 1024                      /* frames; what comes to a full queue is dropped */

struct port {
    int in, out;
    struct sockaddr_un there;
    struct waiting {
        uint8_t *frame;
        size_t n;
    } queue[QUEUE];
    unsigned first, count;
};

static struct port ports[PORTS];
static unsigned n_ports;
static struct {
    uint8_t mac[6];
    unsigned port;
} known[ADDRESSES];
static unsigned n_known;

static void die(const char *what)
{
    fprintf(stderr, "etherswitch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_un address(const char *folder, const char *port, const char *end)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s.%s", folder, port, end) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        die(folder);
    }
    return a;
}

static int datagrams(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    return fd;
}

static void open_port(struct port *p, const char *folder, const char *name)
{
    struct sockaddr_un here = address(folder, name, "switch");

    p->in = datagrams();
    p->out = datagrams();
    p->there = address(folder, name, "host");
    if (bind(p->in, (struct sockaddr *)&here, sizeof(here)) < 0)
        die(here.sun_path);
}

static void learn(const uint8_t mac[6], unsigned port)
{
    unsigned i = 0;

    if (mac[0] & 1)
        return;
    while (i < n_known && memcmp(known[i].mac, mac, 6) != 0)
        i++;
    if (i == ADDRESSES)
        return;                         /* a full table only means that its frames go everywhere */
    if (i == n_known)
        n_known++;
    memcpy(known[i].mac, mac, 6);
    known[i].port = port;
}

/* The port of @mac, or PORTS. */
static unsigned find(const uint8_t mac[6])
{
    for (unsigned i = 0; i < n_known; i++)
        if (memcmp(known[i].mac, mac, 6) == 0)
            return known[i].port;
    return PORTS;
}

/* 0 when it is sent, or there is nobody; -1 when it has to wait. */
static int put(struct port *p, const uint8_t *frame, size_t n)
{
    for (int again = 0; again < 2; again++) {
        if (send(p->out, frame, n, 0) >= 0)
            return 0;
        if (errno == EAGAIN || errno == ENOBUFS)
            return -1;
        if (connect(p->out, (struct sockaddr *)&p->there, sizeof(p->there)) < 0)        /* it starts, or has started again */
            return 0;
    }
    return 0;
}

static void empty(struct port *p)
{
    while (p->count && put(p, p->queue[p->first].frame, p->queue[p->first].n) == 0) {
        free(p->queue[p->first].frame);
        p->first = (p->first + 1) % QUEUE;
        p->count--;
    }
}

static void send_to(struct port *p, const uint8_t *frame, size_t n)
{
    struct waiting *w = &p->queue[(p->first + p->count) % QUEUE];

    if ((p->count == 0 && put(p, frame, n) == 0) || p->count == QUEUE)
        return;
    w->frame = malloc(n);
    if (!w->frame)
        die("malloc");
    memcpy(w->frame, frame, n);
    w->n = n;
    p->count++;
}

static void take(unsigned from)
{
    static uint8_t frame[FRAME];
    ssize_t n;

    for (int burst = 0; burst < 64 && (n = recv(ports[from].in, frame, sizeof(frame), 0)) >= 0; burst++) {
        unsigned to;

        if (n < 14)
            continue;
        learn(frame + 6, from);
        to = find(frame);
        for (unsigned i = 0; i < n_ports; i++)
            if (i != from && (to == PORTS || to == i))
                send_to(&ports[i], frame, (size_t)n);
    }
}

int main(int argc, char **argv)
{
    struct pollfd p[2 * PORTS];

    if (argc < 3 || argc > 2 + PORTS) {
        fprintf(stderr, "usage: etherswitch FOLDER PORT... (%d at most)\n", PORTS);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        open_port(&ports[n_ports++], argv[1], argv[i]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        for (unsigned i = 0; i < n_ports; i++) {
            p[2 * i] = (struct pollfd){ ports[i].in, POLLIN, 0 };
            p[2 * i + 1] = (struct pollfd){ ports[i].count ? ports[i].out : -1, POLLOUT, 0 };
        }
        if (poll(p, 2 * n_ports, -1) < 0 && errno != EINTR)
            die("poll");
        for (unsigned i = 0; i < n_ports; i++) {
            if (p[2 * i + 1].revents)
                empty(&ports[i]);
            if (p[2 * i].revents)
                take(i);
        }
    }
}
