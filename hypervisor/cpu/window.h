/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * window.h - this CPU's view of the current vCPU's GDT and LDT
 *
 * Sixteen pages of GDT (14 guest frames, page 14 ours) and sixteen of LDT at fixed addresses per physical CPU.
 */
#ifndef PARAVANE_WINDOW_H
#define PARAVANE_WINDOW_H

#include "domain/domain.h"

/* Map current's GDT frames (and forget its LDT pages) on this CPU, flush, reload GDTR/LDTR. For @v == current. */
void window_load_gdt(struct vcpu *v);
/* Set or clear LDT page @idx of the window (MFN_INVALID clears); flushes its translation. */
void window_set_ldt_page(unsigned idx, mfn_t m);
mfn_t window_ldt_page(unsigned idx);
/* LLDT with @v's entries (0: null) if @v is current; others get theirs when they are switched in. */
void window_load_ldt(const struct vcpu *v);

#endif
