/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant.h - memory lent to another domain (ABI: grant_table.h, version 1 only)
 *
 *   I1  a pinned grant (active entry) holds one reference on its frame per mapping, and one writable type
 *       reference per writable mapping, until the mapping's handle dies.
 *   I2  announce (entry flags), pin and handle change in one critical section; flags are dropped after the
 *       references.
 *   I3  unmaps are flushed before the call returns and before the reference is dropped.
 */
#ifndef PARAVANE_GRANT_H
#define PARAVANE_GRANT_H

#include <xen/grant_table.h>

#include "domain/domain.h"

int grant_domain_create(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames);
/* Release all mappings @d made (as mapper); -ERESTART when preempted. */
int grant_domain_relinquish(struct domain *d);
void grant_domain_destroy(struct domain *d);
/* Frame @idx of @d's shared table, growing it if needed (acquire_resource, setup_table). */
int grant_table_frame(struct domain *d, unsigned idx, mfn_t *out);
/* How many frames it may grow to. */
unsigned grant_table_max_frames(const struct domain *d);
void grant_dump(struct domain *d);
void grant_audit(struct domain *d);

#endif
