/* SPDX-License-Identifier: MIT */
/* suspend.h - being saved, restored and migrated */
#ifndef RUNTIME_SUSPEND_H
#define RUNTIME_SUSPEND_H

#include "runtime.h"

/* Called once by the runtime: lets a toolstack find our frames. */
void suspend_init(void);
/*
 * Stop here until the toolstack lets us go on: 0 = in a new domain (event channels, grants and XenStore watches are
 * gone: blkfront_resume(), netfront_resume()), 1 = cancelled, everything as before, or -errno. Only vCPU 0 may run;
 * its other threads stay where they wait. Nothing may be mapped that is not ours. Time goes on where it stood.
 */
int guest_suspend(void);

/* For suspend.c: the shared page, what mm.c and event.c must forget, the time at which the clock goes on. */
void runtime_map_shared(void);
void runtime_unmap_shared(void);
void mm_resume(void);
void event_resume(void);
void time_continue(uint64_t then);

#endif
