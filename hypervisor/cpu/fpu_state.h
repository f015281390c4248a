/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu_state.h - the saved FPU of a vCPU, for domctl vcpuextstate and contexts
 *
 * area is an XSAVE image in the standard (uncompressed) format, or FXSAVE's 512 bytes where there is no XSAVE. Valid only
 * while the vCPU is not running. Whoever replaces it calls fpu_image_changed().
 */
#ifndef PARAVANE_FPU_STATE_H
#define PARAVANE_FPU_STATE_H

#include "domain/domain.h"

struct fpu_state {
    uint64_t xcr0_accum;        /* every component the guest ever enabled */
    unsigned last_cpu;          /* whose registers may still hold it; ~0: none */
    uint8_t area[] ALIGNED(64);
};

extern uint64_t fpu_host_mask;      /* components we save: what XCR0 may hold */
extern unsigned fpu_area_size;

static inline void fpu_image_changed(struct vcpu *v) { v->cpu.fpu->last_cpu = ~0u; }

#endif
