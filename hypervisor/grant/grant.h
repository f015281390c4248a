/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * grant.h - memory lent to another domain (ABI: grant_table.h, version 1 only)
 *
 *   I1  a pinned grant (active entry) holds, per pin, one reference on its frame, and per writing pin one writable type
 *       reference. A mapping's handle is one pin until the handle dies; a copy is one pin while it lasts.
 *   I2  announce (entry flags), pin and references change in one critical section; flags are dropped after the
 *       references.
 *   I3  unmaps are flushed before the call returns and before the pin is dropped.
 *
 * Status values (GNTST_*) are 0 or negative and belong to one element of a batch; -errno to the call.
 */
#ifndef PARAVANE_GRANT_H
#define PARAVANE_GRANT_H

#include <xen/grant_table.h>

#include "domain/domain.h"

int grant_domain_create(struct domain *d, unsigned max_frames, unsigned max_maptrack_frames);
/* Release all mappings @d made (as mapper), then its table; -ERESTART when preempted. @d does not run any more. */
int grant_domain_relinquish(struct domain *d);
/* @d has no frame left, so nobody has one of them mapped. */
void grant_domain_destroy(struct domain *d);
/* Frame @idx of @d's shared table, growing it if needed (acquire_resource, setup_table). -EINVAL, -ENOMEM. */
int grant_table_frame(struct domain *d, unsigned idx, mfn_t *out);
unsigned grant_table_max_frames(const struct domain *d);
unsigned grant_table_frames(struct domain *d);

/* One element of a batch each; @op is the caller's copy, status and outputs are written there. @v: current. */
void grant_map(struct vcpu *v, struct gnttab_map_grant_ref *op);
void grant_copy(struct vcpu *v, struct gnttab_copy *op);
void grant_swap(struct domain *d, struct gnttab_swap_grant_ref *op);
/* A batch of @n <= GRANT_UNMAP_BATCH: one TLB flush for all. */
#define GRANT_UNMAP_BATCH 32
void grant_unmap_batch(struct vcpu *v, struct gnttab_unmap_grant_ref *ops, unsigned n);

/*
 * Dirty logging: what others have mapped writable may be written at any moment. Mark all such frames of @d; called
 * for every round before the bitmap is read. (A copy marks its target, the end of a writable mapping its frame.)
 */
void grant_mark_written(struct domain *d);

void grant_dump(struct domain *d);
/* Recount @d's pins from every domain's handles; no operation in progress. BUGs on a difference. */
void grant_audit(struct domain *d);

#endif
