/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.h - the few dozen instructions that a PV guest may ask us to execute
 *
 * The decoder is one pass over at most 15 bytes, driven by two opcode tables; what is not in them is refused. It
 * never reads past the bytes it was given and never touches memory or registers: address and operand values are
 * computed from its result by the small helpers below.
 */
#ifndef PARAVANE_DECODE_H
#define PARAVANE_DECODE_H

#include <xen/xen.h>

#include "types.h"

#define INSN_MAX 15

enum insn_segment { SEG_NONE, SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

struct insn {
    uint8_t length;
    bool two_byte;              /* opcode follows 0F */
    uint8_t opcode;
    bool rep, repne, lock, opsize16, has_rex;
    uint8_t address_size;       /* 4 or 8 bytes */
    enum insn_segment segment;  /* override, if any */
    uint8_t op_size;            /* 1, 2, 4, 8 */
    /* ModRM, if the opcode has one */
    uint8_t mod, reg, rm;       /* reg and rm with their REX bits; reg is the group number & 7 for groups */
    bool memory;                /* the operand rm is in memory */
    bool rip_relative, has_base, has_index;
    uint8_t base, index, scale; /* scale as a shift */
    int64_t disp;
    int64_t imm;                /* sign-extended */
};

enum decode_result { DECODE_OK, DECODE_SHORT, DECODE_UNKNOWN };

/*
 * Decode @n bytes (more than 15 are ignored). @long_mode: 64-bit code, else 32-bit.
 * DECODE_SHORT: the bytes end before the instruction does, and it was one of ours so far.
 */
enum decode_result insn_decode(struct insn *i, const uint8_t *bytes, unsigned n, bool long_mode);

/* General register by number 0..15 as the instruction set counts them. */
uint64_t *insn_reg(struct cpu_user_regs *regs, unsigned nr);
/* The low @size bytes of register @nr as operand of @i (AH..BH where the encoding means them). */
uint64_t insn_reg_value(const struct insn *i, const struct cpu_user_regs *regs, unsigned nr, unsigned size);
/* True when operand register @nr of size 1 is one of AH CH DH BH. */
bool insn_reg_is_high(const struct insn *i, unsigned nr, unsigned size);
/* Store with the instruction set's rule: 4 bytes clear the upper half, 1 and 2 keep it. Not for AH..BH. */
void insn_reg_write(struct cpu_user_regs *regs, unsigned nr, unsigned size, uint64_t value);
/* Offset of the memory operand, without a segment base; regs->rip is the instruction's own address. */
uint64_t insn_address(const struct insn *i, const struct cpu_user_regs *regs);
static inline uint64_t insn_mask(unsigned size) { return size >= 8 ? ~0UL : (1UL << (size * 8)) - 1; }

#endif
