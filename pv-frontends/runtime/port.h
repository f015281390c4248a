/* SPDX-License-Identifier: MIT */
/* port.h - the tiny guest as home of the front ends: its grant pool and its XenStore connection */
#ifndef RUNTIME_PORT_H
#define RUNTIME_PORT_H

#include "mm.h"
#include "grants.h"
#include "xs.h"

/* Grant pool of this guest, set up at the first call (and again after a resume: port_reset()). */
struct pv_grants *port_grants(void);
/* XenStore connection, or NULL if the builder gave none. */
struct xs *port_store(void);
/* Before a suspend: unmap the grant table. After it: forget everything (another domain), or map it again (the same). */
void port_suspend(void);
void port_reset(void);
void port_resume(void);

#endif
