/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network responder. Claim: a tiny guest answers ARP, ping, UDP (echo, any port) and TCP (tcp.h) over a PV interface
 * with as many queues as the back end gives it, a thread each, until it is asked to stop through control/shutdown or
 * for seconds=N; saved, restored or migrated meanwhile it goes on answering.
 *
 *   ip=A.B.C.D  address (default 10.0.0.2); vif=N; queues=N, slots=N as in struct net_wish; kib=N: size of /data
 *   plain       no checksum and no segmentation work for the other side
 */
#include "harness.h"
#include "control.h"
#include "ip.h"
#include "port.h"
#include "suspend.h"
#include "tcp.h"
#include "thread.h"

static struct netfront net;
static struct ip_stack ip;
static bool stop;
static int broken;

static bool send_frame(void *arg, unsigned queue, const uint8_t *frame, size_t len, const struct net_info *info)
{
    (void)arg;
    return net_send(&net, queue, frame, len, info) == 0;
}

static void receive(void *arg, unsigned queue, const uint8_t *data, size_t len, const struct net_info *info)
{
    (void)arg;
    ip_input(&ip, queue, data, len, info);
}

/* UDP: whatever comes is sent back. */
static void echo(struct ip_stack *s, const struct ip_peer *from, const uint8_t *data, size_t len, const struct net_info *info)
{
    static uint8_t out[2048];

    (void)info;
    if (len > sizeof(out) - ETH - IP_HEAD) {
        s->dropped++;
        return;
    }
    memcpy(out + UDP_TEXT, data + UDP_HEAD, len - UDP_HEAD);
    ip_udp(s, from, (uint16_t)ip_get(data + 2, 2), (uint16_t)ip_get(data, 2), out, len - UDP_HEAD);
}

/* One queue: what came in a turn is answered with one notification. */
static void serve(void *arg)
{
    unsigned q = (unsigned)(uintptr_t)arg;

    while (!stop && broken == 0) {
        int n = net_poll(&net, q, 64, receive, NULL);

        if (n < 0)
            broken = n;
        net_kick(&net, q);
        if (n == 0)
            thread_wait(net.queues[q].port, time_now() + 50 * MS);
        else
            thread_yield();
    }
}

static void describe(void)
{
    ip.sg = net.sg;
    ip.gso = net.gso4 && net.sg && !cmdline_has("plain");
    printf("net: %u queues, sg %d, gso %d %d, address %x, up after %lu us\n", net.nr_queues, net.sg, net.gso4, net.gso6,
           ip.address, time_now() / 1000);
    ip_announce(&ip);
    net_kick(&net, 0);
}

/* True when it is time to go. */
static bool obey_toolstack(void)
{
    static unsigned resumes;
    enum control request = control_poll();

    if (request != CONTROL_SUSPEND)
        return request != CONTROL_NONE;
    int rc = guest_suspend();
    CHECK(rc >= 0, "suspend: %d", rc);
    if (rc == 0) {
        int up = netfront_resume(&net);

        CHECK(up == 0, "connecting again: %d", up);
        describe();
    }
    printf("resumed: %d (%u)\n", rc, ++resumes);
    return false;
}

static void make_document(void)
{
    size_t len = cmdline_number("kib", 64) << 10;
    uint64_t *text = page_alloc_run((unsigned)((len + PAGE_SIZE - 1) / PAGE_SIZE)), state = 1;

    for (size_t i = 0; text != NULL && i < len / 8; i++)
        text[i] = random_next(&state);
    if (text != NULL)
        tcp_serve((const uint8_t *)text, len);
}

static void serve_all(void)
{
    uint64_t end = time_now() + cmdline_number("seconds", 1000000) * SECOND;
    struct thread *threads[NET_QUEUES];

    for (unsigned q = 0; q < net.nr_queues; q++) {
        threads[q] = thread_start(serve, (void *)(uintptr_t)q);
        CHECK(threads[q] != NULL, "no memory for a thread");
    }
    while (!stop && broken == 0) {
        stop = obey_toolstack() || time_now() >= end;
        tcp_tick(&ip);
        for (unsigned q = 0; q < net.nr_queues; q++)
            net_kick(&net, q);
        thread_wait(port_store()->port, time_now() + 50 * MS);
    }
    stop = true;
    for (unsigned q = 0; q < net.nr_queues; q++)
        if (threads[q] != NULL)
            thread_join(threads[q]);
    CHECK(broken == 0, "the back end lied: %d", broken);
}

void guest_test(void)
{
    const struct net_wish wish = { .queues = (unsigned)cmdline_number("queues", 1),
                                   .slots = (unsigned)cmdline_number("slots", 64),
                                   .csum = !cmdline_has("plain"), .gso = !cmdline_has("plain") };

    item("connect");
    if (is_initial_domain() || cmdline_has("nostore") || port_store() == NULL) {
        item_skip("no XenStore");
        return;
    }
    mm_extend(start_info->nr_pages);
    make_document();
    int rc = netfront_open(&net, port_store(), port_grants(), (unsigned)cmdline_number("vif", 0), &wish);
    if (rc == -XEN_ENOENT) {
        item_skip("no interface");
        return;
    }
    CHECK(rc == 0, "connecting the interface: %d", rc);
    if (rc != 0)
        return;
    memcpy(ip.mac, net.mac, 6);
    ip.address = ip_parse("ip=", 10U << 24 | 2);
    ip.send = send_frame;
    ip.udp_input = echo;
    ip.tcp_input = tcp_input;
    describe();
    item("serve");
    serve_all();
    printf("net: arp %lu, icmp %lu, udp %lu, tcp %lu, dropped %lu\n", ip.arp, ip.icmp, ip.udp, ip.tcp, ip.dropped);
    printf("tcp: %lu connections, %lu requests, sent %lu, took %lu, long segments out %lu in %lu, blank sums in %lu, "
           "resent %lu\n", tcp_stats.connections, tcp_stats.requests, tcp_stats.sent, tcp_stats.received,
           tcp_stats.gso_out, tcp_stats.gso_in, tcp_stats.blank_in, tcp_stats.resent);
    for (unsigned q = 0; q < net.nr_queues; q++)
        printf("queue %u: %lu frames out, %lu in, %lu and %lu errors\n", q, net.queues[q].tx_frames,
               net.queues[q].rx_frames, net.queues[q].tx_errors, net.queues[q].rx_errors);
    printf("free: %lu of %lu pages\n", page_free_count(), start_info->nr_pages);
    item("close");
    rc = netfront_close(&net);
    CHECK(rc == 0 || rc == -XEN_EBUSY, "close: %d", rc);
}
