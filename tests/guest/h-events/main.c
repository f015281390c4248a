/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H59..H64, H66, H68 (H67: h-fifo): event channel calls with ports, domains, vCPUs and pointers out of range; scribbled pages. */
#include "hostile.h"

static void bad_ports(void)
{
    static const evtchn_port_t ports[] = { 0, 900, 1023, 1024, 4095, 4096, 0x1ffff, 0x20000, 0x80000000, 0xffffffff };

    item("H59");
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        struct evtchn_send send = { .port = ports[i] };
        struct evtchn_close close = { .port = ports[i] };
        struct evtchn_unmask unmask = { .port = ports[i] };
        struct evtchn_bind_vcpu bind = { .port = ports[i], .vcpu = 0 };
        struct evtchn_status status = { .dom = DOMID_SELF, .port = ports[i] };

        RC(hc_event_channel_op(EVTCHNOP_send, &send), -XEN_EINVAL);
        RC(hc_event_channel_op(EVTCHNOP_close, &close), -XEN_EINVAL);
        /* A free port inside the table may be unmasked; nothing comes of it. */
        long rc = hc_event_channel_op(EVTCHNOP_unmask, &unmask);
        CHECK(rc == -XEN_EINVAL || (rc == 0 && ports[i] < 4096), "unmask %u: %ld", ports[i], rc);
        RC(hc_event_channel_op(EVTCHNOP_bind_vcpu, &bind), -XEN_EINVAL);
        rc = hc_event_channel_op(EVTCHNOP_status, &status);
        CHECK(rc == -XEN_EINVAL || (rc == 0 && status.status == EVTCHNSTAT_closed && ports[i] < 4096),
              "status of %u: %ld, %u", ports[i], rc, status.status);
    }
    int port = evtchn_alloc_unbound(DOMID_SELF);
    struct evtchn_bind_vcpu bind = { .port = (evtchn_port_t)port, .vcpu = 8192 };
    RC(hc_event_channel_op(EVTCHNOP_bind_vcpu, &bind), -XEN_ENOENT);
    bind.vcpu = 0xffffffff;
    RC(hc_event_channel_op(EVTCHNOP_bind_vcpu, &bind), -XEN_ENOENT);
    evtchn_close((evtchn_port_t)port);
    struct evtchn_status foreign = { .dom = 0x7000 };
    RC(hc_event_channel_op(EVTCHNOP_status, &foreign), -XEN_ESRCH);
}

static void other_domains(void)
{
    struct evtchn_alloc_unbound alloc = { .dom = 0x7000, .remote_dom = DOMID_SELF };

    item("H60");
    RC(hc_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_ESRCH);
    alloc.dom = DOMID_INVALID;
    RC(hc_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_ESRCH);
    if (victim_domid() != DOMID_INVALID) {
        struct evtchn_status status = { .dom = victim_domid(), .port = 1 };
        struct evtchn_reset reset = { .dom = victim_domid() };

        alloc.dom = victim_domid();
        RC(hc_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_EPERM);
        RC(hc_event_channel_op(EVTCHNOP_status, &status), -XEN_EPERM);
        RC(hc_event_channel_op(EVTCHNOP_reset, &reset), -XEN_EPERM);
    }

    item("H61");
    int port = evtchn_alloc_unbound(DOMID_SELF);
    int peer = evtchn_bind_interdomain(DOMID_SELF, (evtchn_port_t)port);
    CHECK(peer > 0, "an honest bind: %d", peer);
    RC(evtchn_bind_interdomain(DOMID_SELF, (evtchn_port_t)port), -XEN_EINVAL);      /* bound already */
    RC(evtchn_bind_interdomain(DOMID_SELF, 4000), -XEN_EINVAL);
    RC(evtchn_bind_interdomain(DOMID_SELF, ~0U), -XEN_EINVAL);
    RC(evtchn_bind_interdomain(0x7000, 1), -XEN_ESRCH);
    if (victim_domid() != DOMID_INVALID) {
        int theirs = evtchn_alloc_unbound(victim_domid());
        RC(evtchn_bind_interdomain(DOMID_SELF, (evtchn_port_t)theirs), -XEN_EINVAL);  /* meant for the victim */
        for (evtchn_port_t p = 0; p < 16; p++)
            NEGATIVE(evtchn_bind_interdomain(victim_domid(), p));
        evtchn_close((evtchn_port_t)theirs);
    }
    evtchn_close((evtchn_port_t)port);
    evtchn_close((evtchn_port_t)peer);
}

static void virqs(void)
{
    item("H62");
    int port = evtchn_bind_virq(VIRQ_DEBUG, 0);
    CHECK(port > 0, "bind: %d", port);
    RC(evtchn_bind_virq(VIRQ_DEBUG, 0), -XEN_EEXIST);
    RC(evtchn_bind_virq(VIRQ_TIMER, 0), -XEN_EEXIST);
    RC(evtchn_bind_virq(24, 0), -XEN_EINVAL);
    RC(evtchn_bind_virq(0xffffffff, 0), -XEN_EINVAL);
    RC(evtchn_bind_virq(VIRQ_DEBUG, 8192), -XEN_ENOENT);
    RC(evtchn_bind_virq(VIRQ_DEBUG, 0xffffffff), -XEN_ENOENT);
    RC(evtchn_bind_ipi(8192), -XEN_ENOENT);
    struct evtchn_bind_vcpu move = { .port = (evtchn_port_t)port, .vcpu = 1 };
    RC(hc_event_channel_op(EVTCHNOP_bind_vcpu, &move), -XEN_EINVAL);       /* a per-vCPU VIRQ stays */
    RC(evtchn_send((evtchn_port_t)port), -XEN_EINVAL);
    evtchn_close((evtchn_port_t)port);
    if (smp_vcpu_count() > 1)
        RC(evtchn_bind_virq(VIRQ_DOM_EXC, 1), -XEN_EINVAL);                /* a global one only on vCPU 0 */

    item("H64");
    if (is_initial_domain()) {
        item_skip("for an unprivileged domain");
    } else {
        struct evtchn_bind_pirq pirq = { .pirq = 1 };
        struct physdev_map_pirq map = { .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 4, .pirq = 4 };
        NEGATIVE(hc_event_channel_op(EVTCHNOP_bind_pirq, &pirq));
        pirq.pirq = 0xffffffff;
        NEGATIVE(hc_event_channel_op(EVTCHNOP_bind_pirq, &pirq));
        NEGATIVE(hc_physdev_op(PHYSDEVOP_map_pirq, &map));
    }
}

static void exhaustion(void)
{
    unsigned n = 0;
    static evtchn_port_t ports[4096];
    int port;

    item("H60-all-ports");
    if (is_initial_domain()) {
        item_skip("the initial domain has no limit on ports but the table's");
        return;
    }
    while (n < ARRAY_SIZE(ports) && (port = evtchn_alloc_unbound(DOMID_SELF)) > 0)
        ports[n++] = (evtchn_port_t)port;
    CHECK(port == -XEN_ENOSPC, "after %u ports: %d", n, port);
    CHECK(n >= 900, "only %u ports", n);

    item("H63");
    RC(evtchn_bind_virq(VIRQ_DEBUG, 0), -XEN_ENOSPC);
    RC(evtchn_bind_ipi(0), -XEN_ENOSPC);
    RC(evtchn_bind_interdomain(DOMID_SELF, ports[0]), -XEN_ENOSPC);
    for (unsigned i = 0; i < n; i++)
        RC(evtchn_close(ports[i]), 0);
    int again = evtchn_bind_virq(VIRQ_DEBUG, 0);
    CHECK(again > 0, "after closing all: %d", again);
    evtchn_close((evtchn_port_t)again);
}

static void polls(void)
{
    static evtchn_port_t ports[130];
    struct sched_poll op = { .nr_ports = 129, .timeout = 1 };

    item("H66");
    set_xen_guest_handle(op.ports, ports);
    RC(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    op.nr_ports = 0xffffffff;
    RC(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    op.nr_ports = 1;
    ports[0] = 0xffffffff;
    RC(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    ports[0] = 0x20000;
    RC(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    set_xen_guest_handle(op.ports, (evtchn_port_t *)BAD_HYPERVISOR);
    RC(hc_sched_op(SCHEDOP_poll, &op), -XEN_EFAULT);
    set_xen_guest_handle(op.ports, (evtchn_port_t *)BAD_NONCANONICAL);
    RC(hc_sched_op(SCHEDOP_poll, &op), -XEN_EFAULT);
}

static void unknown(void)
{
    item("H100-events");
    RC(hc_event_channel_op(15, NULL), -XEN_ENOSYS);      /* 14 is Xen's own continuation of a reset */
    RC(hc_event_channel_op(0xffffffff, NULL), -XEN_ENOSYS);
}

/* Random words over all that the hypervisor shares with us, while it delivers events there. */
static void scribble(void)
{
    uint64_t seed = cmdline_number("seed", 1) * 2 + 1, end = time_now() + effort(300 * MS, 60 * SECOND);
    unsigned rounds = 0;

    item("H68");
    int port = evtchn_bind_ipi(0);
    event_save_mask();
    while (rounds < 200 || time_now() < end) {
        uint64_t r = random_next(&seed);

        ((volatile uint64_t *)shared_info->evtchn_pending)[r % 64] = random_next(&seed);
        ((volatile uint64_t *)shared_info->evtchn_mask)[(r >> 8) % 64] = random_next(&seed);
        shared_info->vcpu_info[(r >> 16) % 32].evtchn_pending_sel = random_next(&seed);
        shared_info->vcpu_info[1 + (r >> 24) % 31].evtchn_upcall_mask = (uint8_t)r;
        ((volatile uint64_t *)&shared_info->arch)[(r >> 32) % 6] = random_next(&seed);
        evtchn_send((evtchn_port_t)port);
        struct sched_poll op = { .nr_ports = 0, .timeout = 1 };
        hc_sched_op(SCHEDOP_poll, &op);
        rounds++;
    }
    memset((void *)shared_info->evtchn_pending, 0, sizeof(shared_info->evtchn_pending));
    event_init();
    evtchn_close((evtchn_port_t)port);
    event_enable();
    printf("%u rounds\n", rounds);
}

void guest_test(void)
{
    bad_ports();
    other_domains();
    virqs();
    exhaustion();
    polls();
    unknown();
    scribble();
}
