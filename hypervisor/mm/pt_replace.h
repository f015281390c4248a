/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_replace.h - one entry becomes another; private to mm/
 *
 * The caller holds a plain and a type reference on the table. Order everywhere: references for the new entry, store by
 * exchange, references of the old entry.
 */
#ifndef PARAVANE_PT_REPLACE_H
#define PARAVANE_PT_REPLACE_H

#include "domain/domain.h"
#include "mm/page_type.h"

/* As pt_update_l1, without @v: @d owns the table. */
MUST_CHECK int l1_replace(struct domain *d, uint64_t *slot, uint64_t val, struct domain *pg_owner, bool preserve_ad,
                          uint64_t *expect);
/*
 * An entry of a table of type @t (L2..L4) of @d. *@flush is set when other CPUs must be flushed before the call returns to the
 * guest. What cannot be dropped at once goes to @v's pending puts. -ERESTART: nothing changed.
 */
MUST_CHECK int table_replace(struct vcpu *v, struct domain *d, enum page_type t, uint64_t *slot, uint64_t val,
                             bool preserve_ad, bool *flush);

#endif
