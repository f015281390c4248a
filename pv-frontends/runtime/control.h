/* SPDX-License-Identifier: MIT */
/* control.h - what the toolstack asks of this guest (control/shutdown) */
#ifndef RUNTIME_CONTROL_H
#define RUNTIME_CONTROL_H

#include "runtime.h"

enum control { CONTROL_NONE, CONTROL_POWEROFF, CONTROL_REBOOT, CONTROL_SUSPEND };

/*
 * The request that is there, taken off the store so that the toolstack knows; CONTROL_NONE when there is none, or no
 * store. Never waits but for the store's answer; costs two loads while nothing happens. A word it does not know is left
 * where it is. For the thread that owns the store connection.
 */
enum control control_poll(void);
/* After a resume in another domain: its store knows nothing of us. */
void control_reset(void);

#endif
