/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watchdog.h - SCHEDOP_watchdog's timers */
#ifndef PARAVANE_WATCHDOG_H
#define PARAVANE_WATCHDOG_H

#include "domain/domain.h"

int watchdog_domain_create(struct domain *d);
void watchdog_domain_destroy(struct domain *d);

#endif
