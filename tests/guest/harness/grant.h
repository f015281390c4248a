/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grant.h - the guest's own grant table, version 1, for tests that write entries by hand */
#ifndef GRANT_H
#define GRANT_H

#include "harness.h"

/* Map the first frame of the table (512 entries); true when it worked, else the item has failed. */
bool grant_init(void);
struct grant_entry_v1 *grant_entry(grant_ref_t ref);
void grant_access(grant_ref_t ref, domid_t to, uint64_t mfn, unsigned flags);
unsigned grant_flags(grant_ref_t ref);
/* False if somebody still uses it. */
bool grant_revoke(grant_ref_t ref);

#endif
