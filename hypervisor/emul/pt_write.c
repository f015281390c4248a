/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_write.c - a store of guest kernel code to a page table, computed but not done (abi-map 4.6)
 *
 * pt_write_decode() says what the whole 8-byte entry would become if the instruction ran on the value it is given;
 * the caller validates that and stores it with a compare-and-exchange against the same value, then commits the
 * register results. When the entry changed in between, the caller decodes again: nothing was committed.
 *
 *   I1  the operand lies inside the one entry that holds the faulting address; anything else is refused, and the
 *       guest gets its page fault.
 *   I2  registers and rip change only in pt_write_commit().
 */
#include "emul/emul_priv.h"

#define NO_REG 0xff

struct alu {
    uint64_t result, rflags;
};

/* SDM 1 3.4.3.1: parity of the low byte, zero, sign; the rest is the operation's. */
static uint64_t flags_szp(uint64_t r, unsigned size)
{
    uint64_t f = 0;

    if (!(__builtin_popcountl(r & 0xff) & 1))
        f |= X86_EFLAGS_PF;
    if ((r & insn_mask(size)) == 0)
        f |= X86_EFLAGS_ZF;
    if (r >> (8 * size - 1) & 1)
        f |= X86_EFLAGS_SF;
    return f;
}

static struct alu alu_add(uint64_t a, uint64_t b, unsigned size)
{
    const uint64_t r = (a + b) & insn_mask(size);
    uint64_t f = flags_szp(r, size);

    if (r < (a & insn_mask(size)))
        f |= X86_EFLAGS_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= X86_EFLAGS_AF;
    if ((~(a ^ b) & (a ^ r)) >> (8 * size - 1) & 1)
        f |= X86_EFLAGS_OF;
    return (struct alu){ r, f };
}

static struct alu alu_sub(uint64_t a, uint64_t b, unsigned size)
{
    const uint64_t r = (a - b) & insn_mask(size);
    uint64_t f = flags_szp(r, size);

    if ((a & insn_mask(size)) < (b & insn_mask(size)))
        f |= X86_EFLAGS_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= X86_EFLAGS_AF;
    if (((a ^ b) & (a ^ r)) >> (8 * size - 1) & 1)
        f |= X86_EFLAGS_OF;
    return (struct alu){ r, f };
}

static struct alu alu_logic(uint64_t r, unsigned size)
{
    r &= insn_mask(size);
    return (struct alu){ r, flags_szp(r, size) };
}

/* @op as ModRM.reg of group 1 encodes it. False: CMP, ADC, SBB, which no page-table code uses. */
static bool alu_group1(unsigned op, uint64_t a, uint64_t b, unsigned size, struct alu *out)
{
    switch (op) {
    case 0: *out = alu_add(a, b, size); return true;
    case 1: *out = alu_logic(a | b, size); return true;
    case 4: *out = alu_logic(a & b, size); return true;
    case 5: *out = alu_sub(a, b, size); return true;
    case 6: *out = alu_logic(a ^ b, size); return true;
    default: return false;
    }
}

/* What the instruction does to its operand of i->op_size bytes, @a now. */
struct effect {
    uint64_t value;             /* of the operand afterwards */
    uint64_t flags, flags_mask;
    uint8_t dst_reg;            /* NO_REG, or the register that receives dst_value */
    uint64_t dst_value;
    bool store;
};

static bool set_dst(const struct insn *i, struct effect *e, unsigned reg, uint64_t value)
{
    if (insn_reg_is_high(i, reg, i->op_size))
        return false;
    e->dst_reg = (uint8_t)reg;
    e->dst_value = value;
    return true;
}

static void set_alu(struct effect *e, struct alu r)
{
    e->value = r.result;
    e->flags = r.rflags;
    e->flags_mask = X86_EFLAGS_ARITH;
}

/* BTS BTR BTC: @bit is already reduced to the operand. The carry gets the old bit. */
static bool bit_op(struct effect *e, unsigned op, uint64_t a, unsigned bit)
{
    const uint64_t m = 1UL << bit;

    switch (op) {
    case 5: e->value = a | m; break;
    case 6: e->value = a & ~m; break;
    case 7: e->value = a ^ m; break;
    default: return false;
    }
    e->flags = a & m ? X86_EFLAGS_CF : 0;
    e->flags_mask = X86_EFLAGS_CF;
    return true;
}

static bool one_byte_effect(const struct insn *i, const struct cpu_user_regs *regs, uint64_t a, struct effect *e)
{
    const uint64_t src = insn_reg_value(i, regs, i->reg, i->op_size);
    struct alu r;

    switch (i->opcode) {
    case 0x00: case 0x01: case 0x08: case 0x09: case 0x20: case 0x21: case 0x28: case 0x29: case 0x30: case 0x31:
        if (!alu_group1(i->opcode >> 3, a, src, i->op_size, &r))
            return false;
        set_alu(e, r);
        return true;
    case 0x80: case 0x81: case 0x83:
        if (!alu_group1(i->reg & 7, a, (uint64_t)i->imm & insn_mask(i->op_size), i->op_size, &r))
            return false;
        set_alu(e, r);
        return true;
    case 0x86: case 0x87:
        e->value = src;
        return set_dst(i, e, i->reg, a);
    case 0x88: case 0x89:
        e->value = src;
        return true;
    case 0xc6: case 0xc7:
        e->value = (uint64_t)i->imm & insn_mask(i->op_size);
        return (i->reg & 7) == 0;
    default:
        return false;
    }
}

static bool two_byte_effect(const struct insn *i, const struct cpu_user_regs *regs, uint64_t a, struct effect *e)
{
    const uint64_t src = insn_reg_value(i, regs, i->reg, i->op_size);
    const unsigned bits = i->op_size * 8u;
    struct alu r;

    switch (i->opcode) {
    case 0xab: return bit_op(e, 5, a, (unsigned)src & (bits - 1));
    case 0xb3: return bit_op(e, 6, a, (unsigned)src & (bits - 1));
    case 0xbb: return bit_op(e, 7, a, (unsigned)src & (bits - 1));
    case 0xba: return bit_op(e, i->reg & 7, a, (unsigned)i->imm & (bits - 1));
    case 0xb0: case 0xb1: {
        const uint64_t expected = regs->rax & insn_mask(i->op_size);
        set_alu(e, alu_sub(expected, a, i->op_size));
        e->store = expected == a;
        e->value = e->store ? src : a;
        return e->store || set_dst(i, e, 0, a);
    }
    case 0xc0: case 0xc1:
        r = alu_add(a, src, i->op_size);
        set_alu(e, r);
        return set_dst(i, e, i->reg, a);
    default:
        return false;
    }
}

/* Where the operand is: BTx with a register counts bits from the address, signed. */
static uint64_t operand_address(const struct insn *i, const struct cpu_user_regs *regs)
{
    uint64_t at = insn_address(i, regs);

    if (i->two_byte && (i->opcode == 0xab || i->opcode == 0xb3 || i->opcode == 0xbb)) {
        const unsigned shift = 64 - 8u * i->op_size;
        const int64_t bit = (int64_t)(insn_reg_value(i, regs, i->reg, i->op_size) << shift) >> shift;
        at += (uint64_t)((bit >> (i->op_size == 8 ? 6 : i->op_size == 4 ? 5 : 4)) * i->op_size);
    }
    return at;
}

/* The operand must be exactly where the fault was, and inside one entry (I1). */
static bool operand_in_entry(const struct insn *i, const struct cpu_user_regs *regs, gva_t va)
{
    const uint64_t at = operand_address(i, regs);

    if (!i->memory || i->segment == SEG_FS || i->segment == SEG_GS)
        return false;
    return at == va.n && (at & 7) + i->op_size <= 8;
}

bool pt_write_decode(struct vcpu *v, const struct cpu_user_regs *regs, gva_t va, uint64_t old, struct pt_write *out)
{
    const struct insn *i;
    unsigned n;

    if (emul_decode(v, regs, true, &i, &n) != DECODE_OK || !operand_in_entry(i, regs, va))
        return false;

    const unsigned shift = (unsigned)(va.n & 7) * 8;
    const uint64_t mask = insn_mask(i->op_size) << shift, a = (old & mask) >> shift;
    struct effect e = { .dst_reg = NO_REG, .store = true };
    if (i->two_byte ? !two_byte_effect(i, regs, a, &e) : !one_byte_effect(i, regs, a, &e))
        return false;

    *out = (struct pt_write){
        .va = va,
        .new_value = (old & ~mask) | ((e.value << shift) & mask),
        .dst_reg_value = e.dst_value,
        .rflags = (regs->rflags & ~e.flags_mask) | e.flags,
        .length = i->length,
        .reg = e.dst_reg,
        .reg_size = i->op_size,
        .store = e.store,
    };
    return true;
}

void pt_write_commit(struct vcpu *v, struct cpu_user_regs *regs, const struct pt_write *w)
{
    if (w->reg != NO_REG)
        insn_reg_write(regs, w->reg, w->reg_size, w->dst_reg_value);
    regs->rflags = w->rflags;
    emul_retire(v, regs, w->length);
}
