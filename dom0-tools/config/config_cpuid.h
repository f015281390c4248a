/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_cpuid.h - cpuid = "host,avx2=0,..." or [ "LEAF:REG=BITS,...", ... ]
 *
 * The result is a list of CPUID leaves with 32 characters a register, bit 31 first: '0' and '1' force a
 * bit, 'k' takes the host's, 'x' leaves the default. It is what libxenctrl's xc_cpuid_apply_policy()
 * takes; the hypervisor refuses what the host does not have.
 */
#ifndef VANE_CONFIG_CPUID_H
#define VANE_CONFIG_CPUID_H

#include "../lib/vane.h"

#define CPUID_NO_SUBLEAF 0xffffffffu

struct vane_cpuid {
    uint32_t leaf, subleaf;
    char reg[4][33];                    /* eax, ebx, ecx, edx; all 'x' where nothing was said */
};

struct vane_cpuids {
    struct vane_cpuid *list;
    unsigned n;
};

/*
 * Add what @text says (xl.cfg(5), both syntaxes) to @out. -EINVAL with the word named in the error. A
 * name that is no feature bit (family, proccount, ...) is -EOPNOTSUPP.
 */
int cpuid_parse(struct vane *v, const char *text, struct vane_cpuids *out) MUST_CHECK;
void cpuid_free(struct vane_cpuids *c);

#endif
