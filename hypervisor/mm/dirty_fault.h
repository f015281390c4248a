/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirty_fault.h - the fault path of dirty logging by protection keys (mm/dirty_log.c) */
#ifndef PARAVANE_DIRTY_FAULT_H
#define PARAVANE_DIRTY_FAULT_H

#include "domain/domain.h"

/*
 * A write to @va was denied by PKRU while @v's domain is logged: mark the frame dirty, store the current epoch's key in
 * the entry. True: retry the access. False: not ours (no logging, or the guest's own permission fault).
 */
bool dirty_log_fault(struct vcpu *v, gva_t va);

#endif
