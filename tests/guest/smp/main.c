/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claim: a second vCPU starts, runs at the same time, gets IPIs, goes down and comes up again. */
#include "harness.h"

static volatile unsigned started, pings, rounds;
static int ping_port, pong_port;
static volatile unsigned pongs;

static void on_ping(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    pings++;
    evtchn_send((evtchn_port_t)pong_port);
}

static void on_pong(evtchn_port_t port, void *arg)
{
    (void)port;
    (void)arg;
    pongs++;
}

static void second(void *arg)
{
    if (arg != (void *)0x1234 || this_cpu()->id != 1)
        return;
    for (;;) {
        started++;
        while (READ_ONCE(rounds) == started - 1)
            time_block_until(time_now() + 5 * MS);
        smp_stop();
    }
}

void guest_test(void)
{
    struct vcpu_guest_context *ctx = page_alloc_run(2);

    item("vcpus");
    unsigned n = smp_vcpu_count();
    printf("%u vcpus\n", n);
    RC(hc_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    RC(hc_vcpu_op(VCPUOP_is_up, n, NULL), -XEN_ENOENT);
    RC(hc_vcpu_op(VCPUOP_is_up, 8191, NULL), -XEN_ENOENT);
    if (n < 2) {
        item_skip("one vCPU only");
        return;
    }
    RC(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    RC(hc_vcpu_op(VCPUOP_up, 1, NULL), -XEN_EINVAL);

    item("start");
    RC(smp_start(1, second, (void *)0x1234), 0);
    CHECK(wait_for(started == 1, 10 * SECOND), "vCPU 1 does not run");
    RC(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    RC(hc_vcpu_op(VCPUOP_initialise, 1, ctx), -XEN_EEXIST);
    if (started != 1)
        return;

    item("ipi");
    ping_port = evtchn_bind_ipi(1);
    pong_port = evtchn_bind_ipi(0);
    evtchn_set_handler((evtchn_port_t)pong_port, on_pong, NULL);
    evtchn_set_handler((evtchn_port_t)ping_port, on_ping, NULL);
    uint64_t start = time_now();
    for (unsigned i = 1; i <= 200; i++) {
        evtchn_send((evtchn_port_t)ping_port);
        if (!wait_for(pongs == i, 10 * SECOND)) {
            item_fail("round %u: %u pings, %u pongs", i, pings, pongs);
            break;
        }
    }
    printf("200 IPIs there and back: %lu ns each\n", (time_now() - start) / 200);

    item("down-and-up");
    for (unsigned i = 1; i <= 20; i++) {
        rounds = i;
        if (!wait_for(hc_vcpu_op(VCPUOP_is_up, 1, NULL) == 0, 10 * SECOND)) {
            item_fail("round %u: vCPU 1 does not go down", i);
            return;
        }
        RC(hc_vcpu_op(VCPUOP_up, 1, NULL), 0);
        if (!wait_for(started == i + 1, 10 * SECOND)) {
            item_fail("round %u: vCPU 1 does not come back", i);
            return;
        }
    }
}
