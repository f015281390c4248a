/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network responder. Claim: a tiny guest answers ARP, ping, UDP (echo, any port) and HTTP (port 80) over a PV
 * interface, and shuts down when asked through control/shutdown or after seconds=N.
 *
 *   ip=A.B.C.D  address (default 10.0.0.2); vif=N; queues=N
 */
#include "harness.h"
#include "ip.h"
#include "netfront.h"
#include "port.h"

static struct netfront net;
static struct ip_stack ip;

static uint32_t parse_address(const char *key, uint32_t otherwise)
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

static void send_frame(void *arg, const uint8_t *frame, size_t len)
{
    (void)arg;
    if (net_send(&net, 0, frame, len, NULL) == 0)
        net_kick(&net, 0);
}

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    (void)arg;
    (void)queue;
    (void)info;
    ip_input(&ip, data, len);
}

/* What the toolstack wants of us: true when it is time to go. */
static bool asked_to_stop(void)
{
    struct xs_event event;
    char text[32];

    if (xs_next_event(port_store(), &event, 0) != 0 || strcmp(event.token, "shutdown") != 0)
        return false;
    if (xs_read(port_store(), 0, "control/shutdown", text, sizeof(text)) <= 0)
        return false;
    printf("asked to %s\n", text);
    xs_write(port_store(), 0, "control/shutdown", "");
    return true;
}

void guest_test(void)
{
    item("connect");
    if (is_initial_domain() || cmdline_has("nostore") || port_store() == NULL) {
        item_skip("no XenStore");
        return;
    }
    int rc = netfront_open(&net, port_store(), port_grants(), (unsigned)cmdline_number("vif", 0),
                           (unsigned)cmdline_number("queues", 1), (unsigned)cmdline_number("slots", 64));
    if (rc == -XEN_ENOENT) {
        item_skip("no interface");
        return;
    }
    CHECK(rc == 0, "connecting the interface: %d", rc);
    if (rc != 0)
        return;
    memcpy(ip.mac, net.mac, 6);
    ip.address = parse_address("ip=", 10U << 24 | 2);
    ip.send = send_frame;
    printf("net: %u queues, sg %d, gso %d %d, address %x, up after %lu us\n", net.nr_queues, net.sg, net.gso4, net.gso6,
           ip.address, time_now() / 1000);
    xs_watch(port_store(), "control/shutdown", "shutdown");
    ip_announce(&ip);
    item("serve");
    uint64_t end = time_now() + cmdline_number("seconds", 1000000) * SECOND;
    while (time_now() < end && !asked_to_stop()) {
        for (unsigned q = 0; q < net.nr_queues; q++) {
            rc = net_poll(&net, q, 64, receive, NULL);
            if (rc < 0) {
                item_fail("queue %u: %d", q, rc);
                return;
            }
        }
        if (rc == 0)
            pv_wait(net.queues[0].port, time_now() + 20 * MS);
    }
    printf("net: arp %lu, icmp %lu, udp %lu, tcp %lu, http %lu, dropped %lu\n", ip.arp, ip.icmp, ip.udp, ip.tcp, ip.http,
           ip.dropped);
    item("close");
    rc = netfront_close(&net);
    CHECK(rc == 0 || rc == -XEN_EBUSY, "close: %d", rc);
}
