/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu_fake.c - what cpu/ provides to domain.c: the FPU areas; and the ends of the machine, which a test must not reach */
#include <stdlib.h>
#include <string.h>

#include "cpu/dump.h"
#include "cpu/fpu_state.h"
#include "hv_errno.h"
#include "machine_fake.h"

uint64_t fpu_host_mask = 7;
unsigned fpu_area_size = 832;

int machine_vcpu_create(struct vcpu *v)
{
    v->cpu.fpu = aligned_alloc(64, 64 + 832);
    if (!v->cpu.fpu)
        return -ENOMEM;
    machine_fpu_reset(v);
    return 0;
}

void machine_vcpu_destroy(struct vcpu *v)
{
    free(v->cpu.fpu);
    v->cpu.fpu = NULL;
}

void machine_fpu_reset(struct vcpu *v)
{
    static const uint32_t mxcsr = 0x1f80, mask = 0xffff;

    memset(v->cpu.fpu, 0, 64 + 832);
    v->cpu.fpu->xcr0_accum = 1;
    memcpy(v->cpu.fpu->area + 24, &mxcsr, 4);
    memcpy(v->cpu.fpu->area + 28, &mask, 4);
    fpu_image_changed(v);
}

void machine_fpu_import(struct vcpu *v, const void *fxsave) { memcpy(v->cpu.fpu->area, fxsave, 512); }
void machine_fpu_export(struct vcpu *v, void *fxsave) { memcpy(fxsave, v->cpu.fpu->area, 512); }
void domain_dump_current(struct domain *d) { (void)d; }

NORETURN void machine_reboot_after(unsigned seconds)
{
    (void)seconds;
    abort();
}
