/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_mode.h - guest kernel mode and guest user mode */
#ifndef PARAVANE_GUEST_MODE_H
#define PARAVANE_GUEST_MODE_H

#include "domain/domain.h"

/* Swap page tables and GS bases for current; to user mode only when it has user tables. */
void toggle_guest_mode(struct vcpu *v);
/* ABI SEGBASE_GS_USER_SEL: load %gs for the guest's user mode; a bad selector loads null. For current. */
void guest_load_gs_selector(struct vcpu *v, uint16_t sel);

#endif
