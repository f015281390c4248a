/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debugreg.c - a guest's breakpoints
 *
 *   I1  no stored value makes the hardware fault when it is loaded (XSA-12), and no breakpoint address lies in the
 *       hypervisor's range (XSA-156).
 *   I2  I/O breakpoints are kept for the guest to read but never armed: all port I/O is ours.
 */
#include "emul/emul.h"

#include "entry/guest_address.h"
#include "hypercall/hypercall.h"
#include "machine.h"

#define CR4_DE (1UL << 3)
#define DR6_ONES 0xffff0ff0UL
#define DR6_ZEROES 0x1000UL             /* bit 12 */
#define DR7_ONES 0x400UL
#define DR7_GD (1UL << 13)
#define DR7_ZEROES 0xd800UL             /* bits 11 12 14 15 */

static unsigned condition(uint64_t dr7, unsigned n)
{
    return (unsigned)(dr7 >> (16 + 4 * n)) & 3;     /* 2: I/O */
}

static int set_dr7(struct vcpu *v, uint64_t value)
{
    if (value >> 32)
        return -EINVAL;
    value = (value & ~DR7_ZEROES) | DR7_ONES;
    if (value & DR7_GD)
        return -EPERM;
    for (unsigned n = 0; n < 4; n++)
        if (condition(value, n) == 2 && !(v->cpu.cr4 & CR4_DE))
            return -EPERM;
    v->cpu.debugreg[7] = value;
    return 0;
}

int guest_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value)
{
    int rc = 0;

    if (reg == 4 || reg == 5) {
        if (v->cpu.cr4 & CR4_DE)
            return -ENODEV;
        reg += 2;
    }
    switch (reg) {
    case 0: case 1: case 2: case 3:
        if (!guest_address_ok(value))
            return -EPERM;
        v->cpu.debugreg[reg] = value;
        break;
    case 6:
        if (value >> 32)
            return -EINVAL;
        v->cpu.debugreg[6] = (value & ~DR6_ZEROES) | DR6_ONES;
        break;
    case 7:
        rc = set_dr7(v, value);
        break;
    default:
        return -ENODEV;
    }
    if (rc == 0)
        guest_hw_reload(v);
    return rc;
}

int guest_get_debugreg(struct vcpu *v, unsigned reg, uint64_t *value)
{
    if (reg == 4 || reg == 5) {
        if (v->cpu.cr4 & CR4_DE)
            return -ENODEV;
        reg += 2;
    }
    if (reg > 7)
        return -ENODEV;
    *value = v->cpu.debugreg[reg];
    return 0;
}

uint64_t guest_dr7_hardware(const struct vcpu *v)
{
    uint64_t dr7 = v->cpu.debugreg[7];

    for (unsigned n = 0; n < 4; n++)
        if (condition(dr7, n) == 2)
            dr7 &= ~(3UL << (2 * n));               /* I2 */
    return dr7;
}

/* ABI: set_debugreg(reg, value) */
long do_set_debugreg(struct vcpu *v, struct hcall *h)
{
    return h->arg[0] > 7 ? -ENODEV : guest_set_debugreg(v, (unsigned)h->arg[0], h->arg[1]);
}

/* ABI: get_debugreg(reg) returns the value itself. */
long do_get_debugreg(struct vcpu *v, struct hcall *h)
{
    uint64_t value;
    const int rc = h->arg[0] > 7 ? -ENODEV : guest_get_debugreg(v, (unsigned)h->arg[0], &value);
    return rc ? rc : (long)value;
}
