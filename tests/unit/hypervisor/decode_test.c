/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_test.c - fields and lengths of known encodings; truncation at each byte */
#include <string.h>

#include "../unit.h"
#include "emul/decode.h"

struct known {
    uint8_t bytes[16];
    unsigned n;
    bool two_byte;
    uint8_t opcode, op_size, reg, rm;
    bool memory;
};

static const struct known list[] = {
    { { 0x0f, 0x30 }, 2, true, 0x30, 4, 0, 0, false },
    { { 0x48, 0x87, 0x03 }, 3, false, 0x87, 8, 0, 3, true },
    { { 0xf0, 0x80, 0x24, 0x24, 0xfd }, 5, false, 0x80, 1, 4, 4, true },
    { { 0x41, 0x0f, 0x22, 0xdf }, 4, true, 0x22, 4, 3, 15, false },
    { { 0x44, 0x0f, 0x20, 0xc0 }, 4, true, 0x20, 4, 8, 0, false },
    { { 0x0f, 0x20, 0x00 }, 3, true, 0x20, 4, 0, 0, false },           /* MOV CR ignores mod */
    { { 0x66, 0xef }, 2, false, 0xef, 2, 0, 0, false },
    { { 0x48, 0xed }, 2, false, 0xed, 4, 0, 0, false },                /* no 8-byte port I/O */
    { { 0xcd, 0x80 }, 2, false, 0xcd, 4, 0, 0, false },
    { { 0x48, 0xc7, 0x84, 0xc8, 1, 2, 3, 4, 5, 6, 7, 8 }, 12, false, 0xc7, 8, 0, 4, true },
    { { 0x66, 0x2e, 0x48, 0xc7, 0x05, 1, 2, 3, 4, 5, 6, 7, 8 }, 13, false, 0xc7, 8, 0, 5, true },
    { { 0x48, 0x66, 0xc7, 0x03, 5, 6 }, 6, false, 0xc7, 2, 0, 3, true },       /* REX not next to the opcode: ignored */
    { { 0x0f, 0x01, 0xd1 }, 3, true, 0x01, 4, 0, 0, false },
    { { 0xf3, 0x6e }, 2, false, 0x6e, 1, 0, 0, false },
};

static void known_encodings(void)
{
    for (unsigned k = 0; k < ARRAY_SIZE(list); k++) {
        const struct known *e = &list[k];
        struct insn i;
        CU_ASSERT_EQUAL(insn_decode(&i, e->bytes, 15, true), DECODE_OK);
        const bool same = i.length == e->n && i.two_byte == e->two_byte && i.opcode == e->opcode &&
                          i.op_size == e->op_size && i.reg == e->reg && i.rm == e->rm && i.memory == e->memory;
        if (!same)
            printf("entry %u: length %u size %u reg %u rm %u\n", k, i.length, i.op_size, i.reg, i.rm);
        CU_ASSERT(same);
        for (unsigned n = 0; n < e->n; n++)
            CU_ASSERT_EQUAL(insn_decode(&i, e->bytes, n, true), DECODE_SHORT);
    }
}

static void never_longer_than_15(void)
{
    uint8_t b[20];
    struct insn i;

    memset(b, 0x66, sizeof(b));
    b[14] = 0xfa;
    CU_ASSERT_EQUAL(insn_decode(&i, b, sizeof(b), true), DECODE_OK);
    CU_ASSERT_EQUAL(i.length, 15);
    b[14] = 0x66;
    b[15] = 0xfa;
    CU_ASSERT_EQUAL(insn_decode(&i, b, sizeof(b), true), DECODE_UNKNOWN);
}

static void addresses(void)
{
    struct cpu_user_regs r = { .rbx = 0x1000, .r12 = 0x20, .rax = 8, .rip = 0x5000 };
    struct insn i;
    const uint8_t sib[] = { 0x4a, 0x89, 0x4c, 0xa3, 0xf8 };            /* mov %rcx, -8(%rbx,%r12,4) */
    const uint8_t rip[] = { 0x48, 0x89, 0x0d, 0x00, 0x01, 0, 0 };       /* mov %rcx, 0x100(%rip) */
    const uint8_t abs32[] = { 0x89, 0x0c, 0x25, 0xff, 0xff, 0xff, 0xff };
    const uint8_t a32[] = { 0x67, 0x89, 0x4b, 0xff };

    CU_ASSERT_EQUAL(insn_decode(&i, sib, sizeof(sib), true), DECODE_OK);
    CU_ASSERT_EQUAL(insn_address(&i, &r), 0x1000 + 0x80 - 8);
    CU_ASSERT_EQUAL(insn_decode(&i, rip, sizeof(rip), true), DECODE_OK);
    CU_ASSERT_EQUAL(insn_address(&i, &r), 0x5000 + 7 + 0x100);
    CU_ASSERT_EQUAL(insn_decode(&i, abs32, sizeof(abs32), true), DECODE_OK);
    CU_ASSERT_EQUAL(insn_address(&i, &r), ~0UL);
    r.rbx = 0x100000000;
    CU_ASSERT_EQUAL(insn_decode(&i, a32, sizeof(a32), true), DECODE_OK);
    CU_ASSERT_EQUAL(insn_address(&i, &r), 0xffffffff);
}

static void registers(void)
{
    struct cpu_user_regs r = { .rax = 0x1122334455667788, .r15 = 1 };
    struct insn i;
    const uint8_t ah[] = { 0x88, 0x23 }, spl[] = { 0x40, 0x88, 0x23 };

    CU_ASSERT_EQUAL(insn_decode(&i, ah, 2, true), DECODE_OK);
    CU_ASSERT_EQUAL(insn_reg_value(&i, &r, i.reg, 1), 0x77);
    CU_ASSERT_EQUAL(insn_decode(&i, spl, 3, true), DECODE_OK);
    CU_ASSERT_EQUAL(insn_reg_value(&i, &r, i.reg, 1), 0);
    insn_reg_write(&r, 0, 2, 0xffffaaaa);
    CU_ASSERT_EQUAL(r.rax, 0x112233445566aaaa);
    insn_reg_write(&r, 0, 4, 0xffffffff00000001);
    CU_ASSERT_EQUAL(r.rax, 1);
    CU_ASSERT_EQUAL(*insn_reg(&r, 15), 1);
}

/* 32-bit user code: REX bytes are INC and DEC, not ours; port I/O and INT are. */
static void compat_mode(void)
{
    struct insn i;
    const uint8_t rex_in[] = { 0x48, 0xed }, in16[] = { 0x66, 0xed }, mov[] = { 0x89, 0x0b };

    CU_ASSERT_EQUAL(insn_decode(&i, rex_in, 2, false), DECODE_UNKNOWN);
    CU_ASSERT_EQUAL(insn_decode(&i, in16, 2, false), DECODE_OK);
    CU_ASSERT_EQUAL(i.op_size, 2);
    CU_ASSERT_EQUAL(insn_decode(&i, mov, 2, false), DECODE_UNKNOWN);
}

static const struct unit_case cases[] = {
    UNIT(known_encodings), UNIT(never_longer_than_15), UNIT(addresses), UNIT(registers), UNIT(compat_mode), { 0 }
};
int main(void) { return unit_main("decode", cases); }
