/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetch.c - from the guest's rip to a decoded instruction
 *
 *   I1  the bytes are read once, into a buffer of ours; what they decode to depends on them and the mode alone, so a
 *       remembered result is right whenever both are equal, whoever's code it is.
 */
#include <string.h>

#include "emul/emul_priv.h"
#include "limits.h"
#include "machine.h"

#define SLOTS 8u

/* Bytes with the mode in the sixteenth; an empty slot has 0 there. */
union key {
    uint8_t bytes[16];
    uint64_t word[2];
};

/* Each CPU its own: nothing that may interrupt an emulation emulates. */
static struct {
    union key key;
    struct insn insn;
} ALIGNED(64) cache[MAX_CPUS][SLOTS];

unsigned emul_fetch(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t buf[15])
{
    const unsigned in_page = (unsigned)(PAGE_SIZE - (regs->rip & ~PAGE_MASK));

    (void)v;
    if (likely(guest_copy_in(buf, gva(regs->rip), INSN_MAX) == 0))
        return INSN_MAX;
    return in_page < INSN_MAX && guest_copy_in(buf, gva(regs->rip), in_page) == 0 ? in_page : 0;
}

enum decode_result emul_decode(struct vcpu *v, const struct cpu_user_regs *regs, bool long_mode, const struct insn **i,
                               unsigned *n)
{
    union key k;

    *n = emul_fetch(v, regs, k.bytes);
    k.bytes[15] = long_mode ? 2 : 1;
    const unsigned slot = (unsigned)(k.word[0] * 0x9e3779b97f4a7c15 >> 61);
    typeof(cache[0][0]) *c = &cache[this_cpu()][slot];
    *i = &c->insn;
    if (likely(*n == INSN_MAX && c->key.word[0] == k.word[0] && c->key.word[1] == k.word[1]))
        return DECODE_OK;                                                       /* I1 */
    c->key = (union key){ { 0 } };
    const enum decode_result r = insn_decode(&c->insn, k.bytes, *n, long_mode);
    if (r == DECODE_OK && *n == INSN_MAX)
        c->key = k;
    return r;
}
