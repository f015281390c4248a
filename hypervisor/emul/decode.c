/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.c - see decode.h
 *
 *   I1  every byte is fetched through next(), which knows how many there are; an instruction is at most 15 long.
 *   I2  an opcode not listed in the tables is refused before its operands are looked at.
 *
 * SDM 2A chapter 2: prefixes, REX directly before the opcode, ModRM, SIB, displacement, immediate.
 */
#include "emul/decode.h"

#define KNOWN   0x01
#define MODRM   0x02
#define BYTE_OP 0x04        /* operand size is 1 */
#define IMM8    0x08
#define IMMZ    0x10        /* 2 or 4 bytes, sign-extended to the operand size */
#define REG_SYS 0x20        /* ModRM names registers only, whatever mod says (MOV CR/DR) */
#define MAX4    0x40        /* operand size never 8 (port I/O) */
#define RM_SECOND 0x80      /* no operands but a fixed third byte (0F 01 C0..FF) */

#define RM8   (KNOWN | MODRM | BYTE_OP)
#define RMV   (KNOWN | MODRM)
#define ALU_MR(op) [op] = RM8, [(op) + 1] = RMV

static const uint8_t one_byte[256] = {
    ALU_MR(0x00), ALU_MR(0x08), ALU_MR(0x20), ALU_MR(0x28), ALU_MR(0x30),       /* add or and sub xor: r to r/m */
    [0x6c] = KNOWN | BYTE_OP, [0x6d] = KNOWN | MAX4,                            /* ins */
    [0x6e] = KNOWN | BYTE_OP, [0x6f] = KNOWN | MAX4,                            /* outs */
    [0x80] = RM8 | IMM8, [0x81] = RMV | IMMZ, [0x83] = RMV | IMM8,              /* group 1 */
    [0x86] = RM8, [0x87] = RMV,                                                 /* xchg */
    [0x88] = RM8, [0x89] = RMV,                                                 /* mov r to r/m */
    [0xc6] = RM8 | IMM8, [0xc7] = RMV | IMMZ,                                   /* mov imm */
    [0xcd] = KNOWN | IMM8,                                                      /* int n */
    [0xe4] = KNOWN | BYTE_OP | IMM8, [0xe5] = KNOWN | MAX4 | IMM8,              /* in imm8 */
    [0xe6] = KNOWN | BYTE_OP | IMM8, [0xe7] = KNOWN | MAX4 | IMM8,              /* out imm8 */
    [0xec] = KNOWN | BYTE_OP, [0xed] = KNOWN | MAX4,                            /* in dx */
    [0xee] = KNOWN | BYTE_OP, [0xef] = KNOWN | MAX4,                            /* out dx */
    [0xfa] = KNOWN, [0xfb] = KNOWN,                                             /* cli sti */
};

static const uint8_t two_byte[256] = {
    [0x01] = KNOWN | RM_SECOND,                                                 /* xsetbv rdtscp */
    [0x06] = KNOWN, [0x08] = KNOWN, [0x09] = KNOWN,                             /* clts invd wbinvd */
    [0x20] = KNOWN | MODRM | REG_SYS, [0x21] = KNOWN | MODRM | REG_SYS,         /* mov r, cr/dr */
    [0x22] = KNOWN | MODRM | REG_SYS, [0x23] = KNOWN | MODRM | REG_SYS,         /* mov cr/dr, r */
    [0x30] = KNOWN, [0x31] = KNOWN, [0x32] = KNOWN, [0xa2] = KNOWN,             /* wrmsr rdtsc rdmsr cpuid */
    [0xab] = RMV, [0xb3] = RMV, [0xbb] = RMV, [0xba] = RMV | IMM8,              /* bts btr btc */
    [0xb0] = RM8, [0xb1] = RMV,                                                 /* cmpxchg */
    [0xc0] = RM8, [0xc1] = RMV,                                                 /* xadd */
};

struct cursor {
    const uint8_t *p;
    unsigned n, pos;
    bool overrun;
};

static uint8_t next(struct cursor *c)
{
    if (c->pos >= c->n) {
        c->overrun = true;
        return 0;
    }
    return c->p[c->pos++];
}

/* A little-endian signed number of @size bytes. */
static int64_t next_signed(struct cursor *c, unsigned size)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)next(c) << (8 * i);
    const unsigned shift = 64 - 8 * size;
    return (int64_t)(v << shift) >> shift;
}

/* Prefixes in any order; returns the first byte that is none. A REX not followed by the opcode does not count. */
static uint8_t take_prefixes(struct insn *i, struct cursor *c, bool long_mode, uint8_t *rex)
{
    for (;;) {
        const uint8_t b = next(c);
        switch (b) {
        case 0x26: i->segment = SEG_ES; break;
        case 0x2e: i->segment = SEG_CS; break;
        case 0x36: i->segment = SEG_SS; break;
        case 0x3e: i->segment = SEG_DS; break;
        case 0x64: i->segment = SEG_FS; break;
        case 0x65: i->segment = SEG_GS; break;
        case 0x66: i->opsize16 = true; break;
        case 0x67: i->address_size = long_mode ? 4 : 2; break;
        case 0xf0: i->lock = true; break;
        case 0xf2: i->repne = true; i->rep = false; break;
        case 0xf3: i->rep = true; i->repne = false; break;
        default:
            if (!long_mode || (b & 0xf0) != 0x40 || c->overrun)
                return b;
            *rex = b;
            continue;
        }
        *rex = 0;
    }
}

static void take_sib(struct insn *i, struct cursor *c, uint8_t rex)
{
    const uint8_t sib = next(c);
    const uint8_t index = (uint8_t)((sib >> 3 & 7) | (rex & 2) << 2);

    i->scale = sib >> 6;
    i->index = index;
    i->has_index = index != 4;
    i->base = (uint8_t)((sib & 7) | (rex & 1) << 3);
    i->has_base = !((sib & 7) == 5 && i->mod == 0);
}

static void take_modrm(struct insn *i, struct cursor *c, uint8_t rex, bool registers_only, bool long_mode)
{
    const uint8_t b = next(c);

    i->mod = b >> 6;
    i->reg = (uint8_t)((b >> 3 & 7) | (rex & 4) << 1);
    i->rm = (uint8_t)((b & 7) | (rex & 1) << 3);
    i->memory = i->mod != 3 && !registers_only;
    if (!i->memory)
        return;
    unsigned disp_size = i->mod == 1 ? 1 : i->mod == 2 ? 4 : 0;
    if ((b & 7) == 4) {
        take_sib(i, c, rex);
        if (!i->has_base)
            disp_size = 4;
    } else if ((b & 7) == 5 && i->mod == 0) {
        i->rip_relative = long_mode;
        disp_size = 4;
    } else {
        i->base = i->rm;
        i->has_base = true;
    }
    if (disp_size)
        i->disp = next_signed(c, disp_size);
}

static uint8_t operand_size(const struct insn *i, uint8_t flags, uint8_t rex)
{
    if (flags & BYTE_OP)
        return 1;
    if (rex & 8 && !(flags & MAX4))
        return 8;
    return i->opsize16 ? 2 : 4;
}

enum decode_result insn_decode(struct insn *i, const uint8_t *bytes, unsigned n, bool long_mode)
{
    struct cursor c = { bytes, MIN(n, INSN_MAX), 0, false };
    uint8_t rex = 0;

    *i = (struct insn){ .address_size = long_mode ? 8 : 4 };
    i->opcode = take_prefixes(i, &c, long_mode, &rex);
    if (i->opcode == 0x0f && !c.overrun) {
        i->two_byte = true;
        i->opcode = next(&c);
    }
    if (c.overrun)
        return n >= INSN_MAX ? DECODE_UNKNOWN : DECODE_SHORT;
    const uint8_t flags = i->two_byte ? two_byte[i->opcode] : one_byte[i->opcode];
    if (!(flags & KNOWN))
        return DECODE_UNKNOWN;                                                  /* I2 */

    i->has_rex = rex != 0;
    i->op_size = operand_size(i, flags, rex);
    if (flags & MODRM)
        take_modrm(i, &c, rex, flags & REG_SYS, long_mode);
    if (!long_mode && (i->memory || i->address_size == 2))
        return DECODE_UNKNOWN;          /* 32-bit code is user code: port I/O and INT only */
    if (flags & (IMM8 | RM_SECOND))
        i->imm = next_signed(&c, 1);
    if (flags & RM_SECOND && !c.overrun && (uint8_t)i->imm < 0xc0)
        return DECODE_UNKNOWN;          /* the forms with a memory operand */
    if (flags & IMMZ)
        i->imm = next_signed(&c, i->op_size == 2 ? 2 : 4);
    if (c.overrun)
        return n >= INSN_MAX ? DECODE_UNKNOWN : DECODE_SHORT;
    i->length = (uint8_t)c.pos;
    return DECODE_OK;
}

uint64_t *insn_reg(struct cpu_user_regs *regs, unsigned nr)
{
    static const uint8_t at[16] = {
        offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx), offsetof(struct cpu_user_regs, rdx),
        offsetof(struct cpu_user_regs, rbx), offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
        offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi), offsetof(struct cpu_user_regs, r8),
        offsetof(struct cpu_user_regs, r9), offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
        offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13), offsetof(struct cpu_user_regs, r14),
        offsetof(struct cpu_user_regs, r15),
    };
    return (uint64_t *)(void *)((char *)regs + at[nr & 15]);
}

static uint64_t reg_of(const struct cpu_user_regs *regs, unsigned nr)
{
    return *insn_reg((struct cpu_user_regs *)(uintptr_t)regs, nr);
}

bool insn_reg_is_high(const struct insn *i, unsigned nr, unsigned size)
{
    return size == 1 && !i->has_rex && nr >= 4 && nr < 8;
}

uint64_t insn_reg_value(const struct insn *i, const struct cpu_user_regs *regs, unsigned nr, unsigned size)
{
    if (insn_reg_is_high(i, nr, size))
        return reg_of(regs, nr - 4) >> 8 & 0xff;
    return reg_of(regs, nr) & insn_mask(size);
}

void insn_reg_write(struct cpu_user_regs *regs, unsigned nr, unsigned size, uint64_t value)
{
    uint64_t *r = insn_reg(regs, nr);
    const uint64_t mask = insn_mask(size);

    if (size >= 4)
        *r = value & mask;
    else
        *r = (*r & ~mask) | (value & mask);
}

uint64_t insn_address(const struct insn *i, const struct cpu_user_regs *regs)
{
    uint64_t a = (uint64_t)i->disp;

    if (i->rip_relative)
        a += regs->rip + i->length;
    if (i->has_base)
        a += reg_of(regs, i->base);
    if (i->has_index)
        a += reg_of(regs, i->index) << i->scale;
    return i->address_size == 4 ? (uint32_t)a : a;
}
