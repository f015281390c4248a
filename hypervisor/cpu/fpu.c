/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu.c - x87, SSE, AVX state: saved and restored eagerly on every vCPU switch (XSA-267)
 *
 * With XSAVE, all components the machine has (but PKRU, which is ours) are saved under the full mask whatever the
 * guest's XCR0 says, so nothing of one guest is left for the next (H92). XRSTOR loads the initial state of components
 * a guest never used.
 */
#include "cpu/fpu_state.h"

#include "cpu/cpu.h"
#include "entry/current.h"
#include "heap.h"
#include "hv_errno.h"
#include "machine.h"

#include <string.h>

#define XCR0_X87 1UL
#define XCR0_SSE 2UL
#define XCR0_SUPPORTED 0xe7UL       /* x87 SSE AVX, AVX-512's three */

uint64_t fpu_host_mask = XCR0_X87 | XCR0_SSE;
unsigned fpu_area_size = 512;
static struct vcpu *loaded[MAX_CPUS];       /* whose state the registers of that CPU hold */

static void xsetbv(uint64_t v)
{
    asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void fpu_init(void)
{
    if (!cpu_features.xsave)
        return;
    uint32_t a, b, c, d;
    cpuid_count(13, 0, &a, &b, &c, &d);
    fpu_host_mask = ((uint64_t)d << 32 | a) & XCR0_SUPPORTED;
    if ((fpu_host_mask & 0xe0) != 0xe0)
        fpu_host_mask &= ~0xe0UL;
    xsetbv(fpu_host_mask);
    cpuid_count(13, 0, &a, &b, &c, &d);
    fpu_area_size = b;
}

void fpu_init_cpu(void)
{
    if (cpu_features.xsave)
        xsetbv(fpu_host_mask);
    loaded[this_cpu()] = NULL;
}

static void init_image(struct fpu_state *f)
{
    memset(f->area, 0, fpu_area_size);
    f->area[0] = 0x7f;                      /* FCW 0x37f */
    f->area[1] = 0x03;
    const uint32_t mxcsr = 0x1f80;
    memcpy(f->area + 24, &mxcsr, sizeof(mxcsr));
    f->xcr0_accum = XCR0_X87 | XCR0_SSE;      /* SSE needs no XCR0 bit, only CR4.OSFXSR */
}

int machine_vcpu_create(struct vcpu *v)
{
    struct fpu_state *f = heap_alloc(sizeof(*f) + fpu_area_size);
    if (!f)
        return -ENOMEM;
    init_image(f);
    v->cpu.fpu = f;
    v->cpu.xcr0 = XCR0_X87;
    return 0;
}

void machine_vcpu_destroy(struct vcpu *v)
{
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (loaded[cpu] == v)
            loaded[cpu] = NULL;
    }
    heap_free(v->cpu.fpu);
    v->cpu.fpu = NULL;
}

void machine_fpu_reset(struct vcpu *v)
{
    init_image(v->cpu.fpu);
    v->cpu.fpu->last_cpu = ~0u;
}

void fpu_save(struct vcpu *v)
{
    struct fpu_state *f = v->cpu.fpu;
    f->last_cpu = this_cpu();
    if (!cpu_features.xsave) {
        asm volatile("fxsave64 (%0)" : : "r"(f->area) : "memory");
        return;
    }
    if (v->cpu.xcr0 != fpu_host_mask)
        xsetbv(fpu_host_mask);
    if (cpu_features.xsaveopt)
        asm volatile("xsaveopt64 (%0)" : : "r"(f->area), "a"(~0u), "d"(~0u) : "memory");
    else
        asm volatile("xsave64 (%0)" : : "r"(f->area), "a"(~0u), "d"(~0u) : "memory");
}

int xrstor_safe(void *area, uint64_t mask);

/* The image was checked when a tool supplied it; should the CPU still refuse it, the guest gets a fresh FPU. */
void fpu_restore(struct vcpu *v)
{
    struct fpu_state *f = v->cpu.fpu;
    const unsigned cpu = this_cpu();
    if (loaded[cpu] == v && f->last_cpu == cpu)
        return;
    loaded[cpu] = v;
    f->last_cpu = cpu;
    if (!cpu_features.xsave) {
        asm volatile("fxrstor64 (%0)" : : "r"(f->area));
        return;
    }
    xsetbv(fpu_host_mask);
    if (xrstor_safe(f->area, fpu_host_mask)) {
        init_image(f);
        BUG_ON(xrstor_safe(f->area, fpu_host_mask));
    }
}

void fpu_load_xcr0(struct vcpu *v)
{
    if (!cpu_features.xsave)
        return;
    v->cpu.fpu->xcr0_accum |= v->cpu.xcr0;
    xsetbv(v->cpu.xcr0);
}

#define MXCSR_OFFSET 24
#define MXCSR_DEFAULT_MASK 0xffbfu
#define XSTATE_BV_OFFSET 512

/*
 * The guest's image is data: reserved MXCSR bits would fault in XRSTOR, so they are cleared here. It has x87 and SSE only:
 * what else the vCPU has stays (initial in a new one), so that a guest whose suspend was called off keeps its AVX registers.
 */
void machine_fpu_import(struct vcpu *v, const void *fxsave)
{
    struct fpu_state *f = v->cpu.fpu;
    memcpy(f->area, fxsave, 512);
    uint32_t mxcsr;
    memcpy(&mxcsr, f->area + MXCSR_OFFSET, sizeof(mxcsr));
    mxcsr &= MXCSR_DEFAULT_MASK;
    memcpy(f->area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
    if (cpu_features.xsave) {
        uint64_t bv;
        memcpy(&bv, f->area + XSTATE_BV_OFFSET, sizeof(bv));
        bv |= XCR0_X87 | XCR0_SSE;
        memcpy(f->area + XSTATE_BV_OFFSET, &bv, sizeof(bv));
    }
    fpu_image_changed(v);
}

void machine_fpu_export(struct vcpu *v, void *fxsave)
{
    memcpy(fxsave, v->cpu.fpu->area, 512);
}
