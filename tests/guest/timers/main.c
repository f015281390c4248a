/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claim: time runs forward, timers fire at their time and not before, and a blocked vCPU wakes up. */
#include "harness.h"
#include "thread.h"

static void sleeper(void *arg)
{
    thread_wait(0, *(const uint64_t *)arg);
}

/* Threads that wait for nothing but time leave the CPU to others. */
static void test_rest(void)
{
    struct vcpu_runstate_info before, after;
    uint64_t end = time_now() + 100 * MS;

    item("threads-rest");
    struct thread *t = thread_start(sleeper, &end);
    CHECK(t != NULL, "no memory for a thread");
    RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &before), 0);
    thread_wait(0, end);
    RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &after), 0);
    if (t != NULL)
        thread_join(t);
    uint64_t blocked = after.time[RUNSTATE_blocked] - before.time[RUNSTATE_blocked];
    CHECK(blocked >= 50 * MS, "blocked for only %lu of 100000 us", blocked / 1000);
}

void guest_test(void)
{
    struct vcpu_set_singleshot_timer past = { .timeout_abs_ns = 1 }, strict = past;

    item("monotonic");
    uint64_t last = time_now();
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t now = time_now();
        if (now < last) {
            item_fail("time went back from %lu to %lu", last, now);
            break;
        }
        last = now;
    }

    item("block-until");
    for (unsigned ms = 1; ms <= 64; ms *= 2) {
        uint64_t target = time_now() + ms * MS;
        while (time_now() < target)
            time_block_until(target);
        CHECK(time_now() < target + 2 * SECOND, "%u ms took %lu us too long", ms, (time_now() - target) / 1000);
    }

    item("singleshot-past");
    uint64_t events = this_cpu()->events;
    RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &past), 0);
    CHECK(wait_for(READ_ONCE(this_cpu()->events) > events, 5 * SECOND), "a timer in the past never fired");
    strict.flags = VCPU_SSHOTTMR_future;
    /* Xen 4.17.7 ignores the flag, the header still promises -ETIME. */
    ONE_OF(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &strict), 0, -XEN_ETIME);

    item("stop-singleshot");
    events = this_cpu()->events;
    struct vcpu_set_singleshot_timer soon = { .timeout_abs_ns = time_now() + 20 * MS };
    RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &soon), 0);
    RC(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    CHECK(!wait_for(READ_ONCE(this_cpu()->events) > events, 40 * MS), "a stopped timer fired");

    item("periodic");
    struct vcpu_set_periodic_timer period = { .period_ns = 2 * MS };
    events = this_cpu()->events;
    RC(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &period), 0);
    CHECK(wait_for(READ_ONCE(this_cpu()->events) >= events + 5, 5 * SECOND), "only %lu ticks",
          this_cpu()->events - events);
    RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);

    item("set-timer-op");
    events = this_cpu()->events;
    RC(hc_set_timer_op(time_now() + 5 * MS), 0);
    CHECK(wait_for(READ_ONCE(this_cpu()->events) > events, 5 * SECOND), "set_timer_op never fired");

    item("runstate");
    struct vcpu_runstate_info rs;
    RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &rs), 0);
    CHECK(rs.state == RUNSTATE_running, "state %d", rs.state);
    uint64_t sum = rs.time[0] + rs.time[1] + rs.time[2] + rs.time[3];
    CHECK(rs.time[RUNSTATE_blocked] >= 50 * MS, "blocked only %lu us", rs.time[RUNSTATE_blocked] / 1000);
    CHECK(sum <= time_now(), "states sum up to %lu, system time is %lu", sum, time_now());

    test_rest();
}
