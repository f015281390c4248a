/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images of the state, in the standard XSAVE format. Owns one image for each vCPU. ABI: SDM 1, 10.5.1 and 13.4. */
#include "fpu.h"

#define LEGACY 512U
#define HEADER 576U
#define IMAGE 4096U
#define FCW 0x37fU
#define MXCSR 0x1f80U
/* x87, SSE, AVX and the three of AVX-512: bounds and protection keys are not for PV guests. */
#define COMPONENTS 0xe7U

static uint8_t images[GUEST_VCPUS][IMAGE] __attribute__((aligned(64)));

static uint32_t cpuid_word(uint32_t leaf, uint32_t sub, unsigned reg)
{
    uint32_t r[4];

    asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
    return r[reg];
}

/* Whether this vCPU may use XSAVE: asked for once, for it traps. */
static bool has_xsave(void)
{
    static enum { UNKNOWN, NO, YES } known[GUEST_VCPUS];
    unsigned id = this_cpu()->id;
    uint64_t cr4;

    if (known[id] == UNKNOWN) {
        asm volatile("mov %%cr4, %0" : "=r"(cr4));
        if ((cpuid_word(1, 0, 2) >> 26) & 1)
            asm volatile("1: mov %0, %%cr4\n2:" FIXUP(1b, 2b) : : "r"(cr4 | 1UL << 18));
        known[id] = (cpuid_word(1, 0, 2) >> 27) & 1 ? YES : NO;         /* OSXSAVE */
        if (known[id] == YES)
            asm volatile("xsetbv" : : "c"(0), "a"(cpuid_word(0xd, 0, 0) & COMPONENTS), "d"(0));
    }
    return known[id] == YES;
}

unsigned fpu_size(void)
{
    uint32_t size = has_xsave() ? cpuid_word(0xd, 0, 1) : LEGACY;

    return size > IMAGE ? IMAGE : size;
}

/*
 * The task-switched bit starts out set on some hypervisors; the state is ours to use from here on. A hypervisor that switches
 * lazily (Xen on AMD) has it loaded by #NM, which QEMU's XSAVE and XRSTOR do not raise: FNOP does, and an interrupt cannot
 * come between two instructions of one translated block.
 */
#define LOADED "fnop\n\t"

static uint8_t *save(void)
{
    uint8_t *image = images[this_cpu()->id];

    hypercall(__HYPERVISOR_fpu_taskswitch, 0, 0, 0, 0, 0);
    memset(image, 0, IMAGE);
    if (has_xsave())
        asm volatile(LOADED "xsave64 (%0)" : : "r"(image), "a"(~0U), "d"(~0U) : "memory");
    else
        asm volatile("fxsave64 (%0)" : : "r"(image) : "memory");
    return image;
}

static uint32_t word(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

const char *fpu_is_initial(void)
{
    const uint8_t *image = save();
    unsigned size = fpu_size();

    if ((word(image) & 0xffff) != FCW || (word(image) >> 16) != 0 || image[4] != 0)
        return "x87 control, status or tags";
    if (word(image + 24) != MXCSR)
        return "MXCSR";
    for (unsigned i = 32; i < 416; i++)
        if (image[i] != 0)
            return i < 160 ? "an x87 register" : "an XMM register";
    for (unsigned i = HEADER; i < size; i++)
        if (image[i] != 0)
            return "a component beyond XMM";
    return NULL;
}

/* Where bytes are free to choose: registers, not control words. */
static void pattern(uint8_t *image, uint64_t seed)
{
    unsigned size = fpu_size();
    uint64_t state = seed * 0x9e3779b97f4a7c15UL + 1;

    for (unsigned i = 32; i + 8 <= size; i += 8) {
        uint64_t v = random_next(&state);

        if (i >= 416 && i < HEADER)
            continue;
        if (i < 160 && i % 16 == 8)
            v &= 0xffff;                /* an x87 register has ten bytes */
        memcpy(image + i, &v, sizeof(v));
    }
}

void fpu_fill(uint64_t seed)
{
    uint8_t *image = save();
    uint64_t all = ~0UL;

    pattern(image, seed);
    image[4] = 0xff;                    /* every x87 register in use */
    if (has_xsave()) {
        asm volatile("xgetbv" : "=a"(((uint32_t *)&all)[0]), "=d"(((uint32_t *)&all)[1]) : "c"(0));
        memcpy(image + LEGACY, &all, sizeof(all));      /* load every component from the image */
        asm volatile(LOADED "xrstor64 (%0)" : : "r"(image), "a"(~0U), "d"(~0U) : "memory");
    } else {
        asm volatile("fxrstor64 (%0)" : : "r"(image) : "memory");
    }
}

const char *fpu_check(uint64_t seed)
{
    static uint8_t wants[GUEST_VCPUS][IMAGE];
    uint8_t *want = wants[this_cpu()->id];
    const uint8_t *got = save();

    memcpy(want, got, IMAGE);
    pattern(want, seed);
    for (unsigned i = 32; i < fpu_size(); i++)
        if (got[i] != want[i])
            return i < 160 ? "an x87 register" : i < 416 ? "an XMM register" : "a component beyond XMM";
    return NULL;
}
