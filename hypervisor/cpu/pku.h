/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pku.h - protection keys at a context switch */
#ifndef PARAVANE_PKU_H
#define PARAVANE_PKU_H

#include "domain/domain.h"

/* CR4.PKE if @v's domain is logged, else 0. */
uint64_t pku_cr4(const struct vcpu *v);
/* Load PKRU for @v; CR4 has been loaded. */
void pku_load(const struct vcpu *v);

#endif
