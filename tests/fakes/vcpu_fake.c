/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu_fake.c - what a vCPU has of the machine: an FPU area (FXSAVE only), its mode, and the machine's end, which ends the test
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/dump.h"
#include "cpu/fpu_state.h"
#include "entry/guest_mode.h"
#include "heap.h"
#include "hv_errno.h"
#include "machine.h"

#define WEAK __attribute__((weak))

WEAK uint64_t fpu_host_mask = 3;
WEAK unsigned fpu_area_size = 576;

WEAK int machine_vcpu_create(struct vcpu *v)
{
    v->cpu.fpu = heap_alloc(sizeof(struct fpu_state) + fpu_area_size);
    return v->cpu.fpu ? 0 : -ENOMEM;
}

WEAK void machine_vcpu_destroy(struct vcpu *v)
{
    heap_free(v->cpu.fpu);
    v->cpu.fpu = NULL;
}

WEAK void machine_fpu_reset(struct vcpu *v) { memset(v->cpu.fpu->area, 0, fpu_area_size); }
WEAK void machine_fpu_import(struct vcpu *v, const void *fxsave) { memcpy(v->cpu.fpu->area, fxsave, 512); }
WEAK void machine_fpu_export(struct vcpu *v, void *fxsave) { memcpy(fxsave, v->cpu.fpu->area, 512); }

WEAK void toggle_guest_mode(struct vcpu *v) { v->cpu.kernel_mode = !v->cpu.kernel_mode; }
WEAK void guest_load_gs_selector(struct vcpu *v, uint16_t sel) { v->cpu.gs = sel; }
WEAK void domain_dump_current(struct domain *d) { (void)d; }

WEAK bool machine_guests_unsafe(void) { return false; }

WEAK void machine_reboot_after(unsigned seconds)
{
    (void)seconds;
    abort();
}
