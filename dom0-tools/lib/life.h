/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.h - what can be asked of a living domain. 0 or -errno with the error recorded. */
#ifndef VANE_LIFE_H
#define VANE_LIFE_H

#include "vane.h"

int vane_pause(struct vane *v, uint32_t domid) MUST_CHECK;
int vane_unpause(struct vane *v, uint32_t domid) MUST_CHECK;

/*
 * Ask through control/shutdown ("poweroff", "reboot", "halt", "suspend"). Returns when the guest has taken the
 * request, or -ETIMEDOUT (the request is withdrawn). It still has to act on it.
 */
int vane_ask(struct vane *v, const struct vane_dom *d, const char *what) MUST_CHECK;
/* Its two halves, to ask many at once: write the request; wait until it is taken. */
int vane_ask_begin(struct vane *v, const struct vane_dom *d, const char *what) MUST_CHECK;
int vane_ask_end(struct vane *v, const struct vane_dom *d, const char *what) MUST_CHECK;
/* Until the domain is shut down or gone: 0, or -ETIMEDOUT. */
int vane_wait_down(struct vane *v, uint32_t domid, int timeout_ms) MUST_CHECK;

int vane_rename(struct vane *v, const struct vane_dom *d, const char *name) MUST_CHECK;

/* The balloon target, in KiB; raises or lowers the hypervisor's limit with it. */
int vane_mem_set(struct vane *v, const struct vane_dom *d, uint64_t kb) MUST_CHECK;
int vane_mem_max(struct vane *v, const struct vane_dom *d, uint64_t kb) MUST_CHECK;
int vane_vcpu_set(struct vane *v, const struct vane_dom *d, unsigned n) MUST_CHECK;

int vane_sysrq(struct vane *v, const struct vane_dom *d, char key) MUST_CHECK;

#endif
