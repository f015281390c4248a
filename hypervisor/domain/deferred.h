/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deferred.h - work on a domain that cannot be done where its need is found, because locks may be held there */
#ifndef PARAVANE_DEFERRED_H
#define PARAVANE_DEFERRED_H

#include "domain/domain.h"

/* Queue @d for SOFTIRQ_RCU: a requested crash, the steps after the last frame, the final free. Any context. */
void domain_defer(struct domain *d);
/* domain.c: give back the pages shared with the guest; free everything. Called from the softirq only. */
void domain_release_shared(struct domain *d);
void domain_free(struct domain *d);

#endif
