/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_walk.c - from a guest address to the entry that maps it, by machine address only (XSA-286)
 *
 * Another vCPU may unhook and free a table while we walk. A walk therefore trusts nothing: it dereferences RAM frames only,
 * and its result is a hint. Whoever writes through it takes references first and checks the type (pt_update.c); whoever
 * only reads learns at worst something that was true a moment ago.
 */
#include "machine.h"
#include "mm/frame.h"
#include "mm/pt_update.h"

bool pt_walk_slot(mfn_t root, gva_t va, maddr_t *slot)
{
    mfn_t m = root;

    if (!guest_range_ok(va, 1))
        return false;
    for (unsigned shift = 39;; shift -= 9) {
        const unsigned index = (unsigned)(va.n >> shift) & 511;

        if (!mfn_is_ram(m))
            return false;
        if (shift == 12) {
            *slot = maddr((m.n << PAGE_SHIFT) + index * sizeof(uint64_t));
            return true;
        }

        const uint64_t e = READ_ONCE(((const uint64_t *)frame_ptr(m))[index]);

        if (!(e & PTE_P) || (e & PTE_PS))
            return false;
        m = pte_mfn(e);
    }
}

static uint64_t read_slot(maddr_t slot)
{
    const uint64_t *table = frame_ptr(maddr_to_mfn(slot));

    return READ_ONCE(table[(slot.n & (PAGE_SIZE - 1)) / sizeof(*table)]);
}

bool pt_walk_l1(struct vcpu *v, gva_t va, maddr_t *slot) { return pt_walk_slot(v->cpu.kernel_root, va, slot); }

uint64_t pt_walk_kernel_leaf(struct vcpu *v, gva_t va)
{
    maddr_t slot;

    return pt_walk_slot(v->cpu.kernel_root, va, &slot) ? read_slot(slot) : 0;
}

uint64_t pt_walk_leaf(struct vcpu *v, gva_t va)
{
    const mfn_t root = v->cpu.kernel_mode ? v->cpu.kernel_root : v->cpu.user_root;
    maddr_t slot;

    return pt_walk_slot(root, va, &slot) ? read_slot(slot) : 0;
}
