/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c - what becomes of a domain that has gone down */
#include <stdint.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "policy.h"

static bool restarts(enum vane_action a)
{
    return a == ACT_RESTART || a == ACT_RENAME_RESTART || a == ACT_COREDUMP_RESTART ||
           a == ACT_SOFT_RESET;
}

struct policy_decision policy_decide(const enum vane_action on[VANE_EVENTS], int reason,
                                     struct policy_history *h, int64_t now)
{
    struct policy_decision d = { ACT_PRESERVE, false };
    int64_t oldest = h->when[h->next];

    switch (reason) {
    case SHUTDOWN_poweroff:
        d.action = on[ON_POWEROFF];
        break;
    case SHUTDOWN_reboot:
        d.action = on[ON_REBOOT];
        break;
    case SHUTDOWN_crash:
        d.action = on[ON_CRASH];
        break;
    case SHUTDOWN_watchdog:
        d.action = on[ON_WATCHDOG];
        break;
    case SHUTDOWN_soft_reset:
        d.action = on[ON_SOFT_RESET];
        break;
    default:
        break;
    }
    if (!restarts(d.action))
        return d;
    if (oldest && now - oldest < POLICY_WINDOW_S) {
        d.action = ACT_PRESERVE;
        d.limited = true;
        return d;
    }
    h->when[h->next] = now;
    h->next = (h->next + 1) % POLICY_BURST;
    return d;
}
