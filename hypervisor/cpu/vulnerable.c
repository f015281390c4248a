/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vulnerable.c - CPUs on which a PV guest could read our memory by speculation
 *
 * A PV64 guest shares its address space with us (layout.h). On CPUs with Meltdown (XSA-254) and L1TF (XSA-273) that is
 * not enough isolation, and we do not split address spaces. So on such a CPU guests are refused, unless the operator
 * says xpti=no (Xen's name): then every guest is trusted. The rest of that table is in docs/caveats.md.
 */
#include "boot/boot_info.h"
#include "cpu/cpu.h"
#include "machine.h"
#include "print.h"

#define MSR_ARCH_CAPABILITIES 0x10a
#define RDCL_NO 1UL

static bool leaky;

static bool intel_without_rdcl_no(void)
{
    uint32_t a, b, c, d, max;
    uint64_t caps;
    cpuid_count(0, 0, &max, &b, &c, &d);
    if (b != 0x756e6547)                        /* "Genu": the others never had it */
        return false;
    if (max < 7)
        return true;
    cpuid_count(7, 0, &a, &b, &c, &d);
    return !(d >> 29 & 1) || rdmsr_safe(MSR_ARCH_CAPABILITIES, &caps) || !(caps & RDCL_NO);
}

void vulnerable_init(void)
{
    leaky = intel_without_rdcl_no();
    if (!leaky)
        return;
    if (cmdline_bool("xpti", true))
        pr_warn("CPU: guests could read hypervisor memory by speculation (Meltdown, L1TF): they are refused; xpti=no "
                "lets trusted ones run\n");
    else
        pr_warn("CPU: vulnerable to Meltdown and L1TF, and xpti=no: every guest is trusted with all memory\n");
}

bool machine_guests_unsafe(void)
{
    return leaky && cmdline_bool("xpti", true);
}
