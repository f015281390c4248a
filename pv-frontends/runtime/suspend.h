/* SPDX-License-Identifier: MIT */
/* suspend.h - being saved, restored and migrated */
#ifndef RUNTIME_SUSPEND_H
#define RUNTIME_SUSPEND_H

#include "runtime.h"

/* Called once by the runtime: lets a toolstack find our frames. */
void suspend_init(void);
/*
 * Stop here until the toolstack lets us go on: 0 = in a new domain (event channels, grants and XenStore watches are
 * gone: devices must be opened again), 1 = cancelled, everything as before, or -errno. Only vCPU 0 may run, and
 * devices must be closed before. Nothing may be mapped that is not ours.
 */
int guest_suspend(void);

/* For suspend.c: the shared page, what mm.c and event.c must forget. */
void runtime_map_shared(void);
void runtime_unmap_shared(void);
void mm_resume(void);
void event_resume(void);

#endif
