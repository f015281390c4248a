/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump.h - registers and stack of the guest that runs here, for a crash report */
#ifndef PARAVANE_DUMP_H
#define PARAVANE_DUMP_H

#include "domain/domain.h"

/* If @d's vCPU is current on this CPU: its registers and the top of its stack to the log (Dom0: always; others: at debug level). */
void domain_dump_current(struct domain *d);

#endif
