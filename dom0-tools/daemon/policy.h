/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - what becomes of a domain that has gone down: a pure function
 *
 * on_poweroff, on_reboot, on_crash and on_watchdog say what is wanted; a domain that restarts too often
 * is kept instead, so that a crash loop neither hides its cause nor eats the host.
 */
#ifndef VANE_POLICY_H
#define VANE_POLICY_H

#include "../config/config.h"

#define POLICY_BURST 5              /* restarts ... */
#define POLICY_WINDOW_S 60          /* ... within so many seconds */

/* When a virtual machine was restarted last: a ring, zeroed at first. */
struct policy_history {
    int64_t when[POLICY_BURST];
    unsigned next;
};

struct policy_decision {
    enum vane_action action;
    bool limited;                   /* it wanted to restart, and may not */
};

/*
 * @reason: SHUTDOWN_*; a suspended domain is somebody's work in progress and is preserved. @now in
 * seconds. A decision to restart is entered into @h.
 */
struct policy_decision policy_decide(const enum vane_action on[VANE_EVENTS], int reason,
                                     struct policy_history *h, int64_t now);

#endif
