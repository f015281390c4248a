/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claim: event channels of every kind can be made, deliver exactly once, mask, unmask, and close. */
#include "harness.h"

static volatile unsigned hits[4096];

static void hit(evtchn_port_t port, void *arg)
{
    (void)arg;
    hits[port]++;
}

static int status_of(evtchn_port_t port)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = port };
    long rc = hc_event_channel_op(EVTCHNOP_status, &op);

    return rc < 0 ? (int)rc : (int)op.status;
}

static void ipi(void)
{
    item("ipi");
    int port = evtchn_bind_ipi(0);
    CHECK(port > 0, "bind_ipi: %d", port);
    if (port <= 0)
        return;
    evtchn_set_handler((evtchn_port_t)port, hit, NULL);
    for (unsigned i = 1; i <= 1000; i++) {
        evtchn_send((evtchn_port_t)port);
        CHECK(hits[port] == i, "%u sends, %u upcalls", i, hits[port]);
    }

    item("mask");
    evtchn_mask((evtchn_port_t)port);
    evtchn_send((evtchn_port_t)port);
    CHECK(hits[port] == 1000, "a masked port was delivered");
    CHECK(evtchn_is_pending((evtchn_port_t)port), "a masked port is not pending");
    evtchn_unmask((evtchn_port_t)port);
    CHECK(hits[port] == 1001, "unmask did not deliver: %u", hits[port]);

    item("upcall-mask");
    bool masked = event_save_mask();
    evtchn_send((evtchn_port_t)port);
    CHECK(hits[port] == 1001, "delivered while upcalls were masked");
    event_restore(masked);
    CHECK(hits[port] == 1002, "not delivered after upcalls were unmasked");
    CHECK(status_of((evtchn_port_t)port) == EVTCHNSTAT_ipi, "status %d", status_of((evtchn_port_t)port));
    RC(evtchn_close((evtchn_port_t)port), 0);
    CHECK(status_of((evtchn_port_t)port) == EVTCHNSTAT_closed, "status %d", status_of((evtchn_port_t)port));
}

static void loopback(void)
{
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };

    item("loopback");
    RC(hc_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), 0);
    CHECK(status_of(alloc.port) == EVTCHNSTAT_unbound, "status %d", status_of(alloc.port));
    RC(evtchn_send(alloc.port), 0);
    int other = evtchn_bind_interdomain(DOMID_SELF, alloc.port);
    CHECK(other > 0, "bind_interdomain: %d", other);
    if (other <= 0)
        return;
    CHECK(evtchn_is_pending((evtchn_port_t)other), "binding did not set the new port pending");
    evtchn_clear((evtchn_port_t)other);
    CHECK(status_of(alloc.port) == EVTCHNSTAT_interdomain, "status %d", status_of(alloc.port));
    evtchn_set_handler(alloc.port, hit, NULL);
    evtchn_set_handler((evtchn_port_t)other, hit, NULL);
    unsigned before = hits[alloc.port], before_other = hits[other];
    for (unsigned i = 0; i < 100; i++) {
        evtchn_send((evtchn_port_t)other);
        evtchn_send(alloc.port);
    }
    CHECK(hits[alloc.port] == before + 100 && hits[other] == before_other + 100, "%u and %u upcalls",
          hits[alloc.port] - before, hits[other] - before_other);

    item("close");
    RC(evtchn_close((evtchn_port_t)other), 0);
    CHECK(status_of(alloc.port) == EVTCHNSTAT_unbound, "after the peer closed: status %d", status_of(alloc.port));
    RC(evtchn_send(alloc.port), 0);
    RC(evtchn_close(alloc.port), 0);
    RC(evtchn_close(alloc.port), -XEN_EINVAL);
}

static void virq(void)
{
    item("virq");
    int port = evtchn_bind_virq(VIRQ_DEBUG, 0);
    CHECK(port > 0, "bind_virq: %d", port);
    if (port <= 0)
        return;
    CHECK(status_of((evtchn_port_t)port) == EVTCHNSTAT_virq, "status %d", status_of((evtchn_port_t)port));
    RC(evtchn_bind_virq(VIRQ_DEBUG, 0), -XEN_EEXIST);
    RC(evtchn_close((evtchn_port_t)port), 0);
}

static void many(void)
{
    static evtchn_port_t ports[64];
    unsigned n = 0;

    item("many-ports");
    while (n < ARRAY_SIZE(ports)) {
        int port = evtchn_bind_ipi(0);
        if (port <= 0)
            break;
        hits[port] = 0;
        evtchn_set_handler((evtchn_port_t)port, hit, NULL);
        ports[n++] = (evtchn_port_t)port;
    }
    CHECK(n == ARRAY_SIZE(ports), "only %u ports", n);
    bool masked = event_save_mask();
    for (unsigned i = 0; i < n; i++)
        evtchn_send(ports[i]);
    event_restore(masked);
    for (unsigned i = 0; i < n; i++) {
        CHECK(hits[ports[i]] == 1, "port %u: %u upcalls", ports[i], hits[ports[i]]);
        RC(evtchn_close(ports[i]), 0);
    }
}

static void poll_port(void)
{
    item("poll");
    int port = evtchn_bind_ipi(0);
    evtchn_port_t list[] = { (evtchn_port_t)port };
    struct sched_poll op = { .nr_ports = 1, .timeout = time_now() + 20 * MS };
    set_xen_guest_handle(op.ports, list);
    uint64_t start = time_now();
    bool masked = event_save_mask();
    RC(hc_sched_op(SCHEDOP_poll, &op), 0);
    CHECK(time_now() - start >= 15 * MS, "poll of a quiet port returned after %lu ns", time_now() - start);
    evtchn_mask((evtchn_port_t)port);
    evtchn_send((evtchn_port_t)port);
    op.timeout = 0;
    RC(hc_sched_op(SCHEDOP_poll, &op), 0);
    CHECK(evtchn_is_pending((evtchn_port_t)port), "poll ate the event");
    event_restore(masked);
    RC(evtchn_close((evtchn_port_t)port), 0);
}

void guest_test(void)
{
    ipi();
    loopback();
    virq();
    many();
    poll_port();
}
