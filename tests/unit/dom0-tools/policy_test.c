/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_test.c - what becomes of a domain that went down */
#include <stdint.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "../../../dom0-tools/daemon/policy.h"
#include "../unit.h"

static const enum vane_action on[VANE_EVENTS] = {
    [ON_POWEROFF] = ACT_DESTROY, [ON_REBOOT] = ACT_RESTART, [ON_CRASH] = ACT_COREDUMP_RESTART,
    [ON_WATCHDOG] = ACT_DESTROY, [ON_SOFT_RESET] = ACT_PRESERVE,
};

static void test_reasons(void)
{
    struct policy_history h = {0};

    CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_poweroff, &h, 1000).action, ACT_DESTROY);
    CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_reboot, &h, 1000).action, ACT_RESTART);
    CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_crash, &h, 1000).action, ACT_COREDUMP_RESTART);
    CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_watchdog, &h, 1000).action, ACT_DESTROY);
    CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_suspend, &h, 1000).action, ACT_PRESERVE);
    CU_ASSERT_EQUAL(policy_decide(on, 77, &h, 1000).action, ACT_PRESERVE);
    CU_ASSERT_EQUAL(policy_decide(on, -1, &h, 1000).action, ACT_PRESERVE);
}

static void test_limit(void)
{
    struct policy_history h = {0};
    struct policy_decision d;

    for (int i = 0; i < POLICY_BURST; i++)
        CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_reboot, &h, 100 + i).action, ACT_RESTART);
    d = policy_decide(on, SHUTDOWN_reboot, &h, 100 + POLICY_BURST);
    CU_ASSERT(d.action == ACT_PRESERVE && d.limited);
    CU_ASSERT_EQUAL(policy_decide(on, SHUTDOWN_poweroff, &h, 110).action, ACT_DESTROY);
    d = policy_decide(on, SHUTDOWN_reboot, &h, 100 + POLICY_WINDOW_S);
    CU_ASSERT(d.action == ACT_RESTART && !d.limited);
    d = policy_decide(on, SHUTDOWN_reboot, &h, 100 + POLICY_WINDOW_S);
    CU_ASSERT_TRUE(d.limited);          /* the second of the burst is still within the window */
}

int main(void)
{
    static const struct unit_case cases[] = { UNIT(test_reasons), UNIT(test_limit), { 0 } };

    return unit_main("policy", cases);
}
