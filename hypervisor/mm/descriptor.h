/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * descriptor.h - guest GDT and LDT pages
 *
 * ABI: set_gdt, update_descriptor, MMUEXT_SET_LDT. Frames of type PGT_SEG hold only descriptors that ring 3 may load.
 * cpu/window.c maps the frames into the running CPU's GDT/LDT window.
 */
#ifndef PARAVANE_DESCRIPTOR_H
#define PARAVANE_DESCRIPTOR_H

#include "domain/domain.h"

/* Judge one descriptor; may raise its DPL to 3 in place. False: refuse. */
bool descriptor_ok(uint64_t *desc);
/* All 512 of a frame, as part of its validation. */
bool descriptor_frame_ok(mfn_t m);

/* Decide all, then replace @v's GDT; frames[] already bounded. 0 or -EINVAL, old GDT kept. */
int vcpu_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned entries);
void vcpu_drop_gdt(struct vcpu *v);
int vcpu_set_ldt(struct vcpu *v, uint64_t base, unsigned entries);
/* The LDT pages mapped on this CPU for current, forgotten; references dropped. */
void vcpu_drop_ldt(struct vcpu *v);
/* A fault at byte @offset of current's LDT window: map the page. False: inject #GP or #PF. */
bool vcpu_ldt_fault(struct vcpu *v, unsigned offset);
/* Read the descriptor of @sel in @v's GDT/LDT with its limit checked (XSA-298). */
bool vcpu_read_descriptor(struct vcpu *v, uint16_t sel, uint64_t *desc);

#endif
