/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_address.h - which addresses a guest may hand us to jump to, load as a base, or push frames at */
#ifndef PARAVANE_GUEST_ADDRESS_H
#define PARAVANE_GUEST_ADDRESS_H

#include "layout.h"
#include "types.h"

static inline bool guest_canonical(uint64_t a) { return (uint64_t)((int64_t)(a << 16) >> 16) == a; }

/* Canonical and not in our range; 0 is allowed and means "none" to every caller. */
static inline bool guest_address_ok(uint64_t a) { return guest_canonical(a) && a - HV_START >= HV_END - HV_START; }

/* [sp - 128, sp) is guest space: a bounce frame written there cannot touch anything else. */
static inline bool guest_stack_ok(uint64_t sp)
{
    const uint64_t low = (sp & ~15UL) - 128;
    if (sp == 0)
        return true;            /* wraps to the top of the address space: guest's */
    return low < sp && guest_canonical(low) && guest_canonical(sp - 1) && low - HV_START >= HV_END - HV_START &&
           sp - 1 - HV_START >= HV_END - HV_START && (low >> 63) == ((sp - 1) >> 63);
}

#endif
