/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pt_write_test.c - emulated stores against the CPU itself
 *
 * Each instruction form is executed natively on a word of memory and emulated on a copy; memory, registers and the
 * flags that the form defines must agree, for many operand values.
 */
#include <string.h>
#include <sys/mman.h>

#include "../unit.h"
#include "emul/emul.h"
#include "machine_fake.h"

#define ARITH 0x8d5UL           /* OF SF ZF AF PF CF */
#define LOGIC 0x8c5UL           /* AF is undefined after AND OR XOR */
#define CARRY 0x1UL
#define ZERO_FLAG 0x40UL

static struct domain d;
static struct vcpu v;
static uint8_t *code;

struct form {
    const char *name;
    uint8_t bytes[12];
    unsigned n;
    unsigned offset;            /* of the operand in the entry */
    uint64_t flags;             /* that the form defines */
};

/* rbx: the entry; rax, rcx: data. */
static const struct form forms[] = {
    { "mov %rcx,(%rbx)", { 0x48, 0x89, 0x0b }, 3, 0, 0 },
    { "mov %ecx,4(%rbx)", { 0x89, 0x4b, 0x04 }, 3, 4, 0 },
    { "mov %cx,2(%rbx)", { 0x66, 0x89, 0x4b, 0x02 }, 4, 2, 0 },
    { "mov %ch,7(%rbx)", { 0x88, 0x6b, 0x07 }, 3, 7, 0 },
    { "movq $-2,(%rbx)", { 0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff }, 7, 0, 0 },
    { "movb $0x67,(%rbx)", { 0xc6, 0x03, 0x67 }, 3, 0, 0 },
    { "xchg %rax,(%rbx)", { 0x48, 0x87, 0x03 }, 3, 0, 0 },
    { "xchg %ecx,(%rbx)", { 0x87, 0x0b }, 2, 0, 0 },
    { "xchg %cl,3(%rbx)", { 0x86, 0x4b, 0x03 }, 3, 3, 0 },
    { "lock andb $0xfd,(%rbx)", { 0xf0, 0x80, 0x23, 0xfd }, 4, 0, LOGIC },
    { "lock orb $0x42,1(%rbx)", { 0xf0, 0x80, 0x4b, 0x01, 0x42 }, 5, 1, LOGIC },
    { "xor %rcx,(%rbx)", { 0x48, 0x31, 0x0b }, 3, 0, LOGIC },
    { "and %ecx,(%rbx)", { 0x21, 0x0b }, 2, 0, LOGIC },
    { "or $0x12345678,(%rbx) 8", { 0x48, 0x81, 0x0b, 0x78, 0x56, 0x34, 0x12 }, 7, 0, LOGIC },
    { "and $-16,(%rbx) 8", { 0x48, 0x83, 0x23, 0xf0 }, 4, 0, LOGIC },
    { "lock add %rcx,(%rbx)", { 0xf0, 0x48, 0x01, 0x0b }, 4, 0, ARITH },
    { "add %cl,(%rbx)", { 0x00, 0x0b }, 2, 0, ARITH },
    { "addw $0x8001,2(%rbx)", { 0x66, 0x81, 0x43, 0x02, 0x01, 0x80 }, 6, 2, ARITH },
    { "sub %rcx,(%rbx)", { 0x48, 0x29, 0x0b }, 3, 0, ARITH },
    { "sub $1,(%rbx) 4", { 0x83, 0x2b, 0x01 }, 3, 0, ARITH },
    { "lock cmpxchg %rcx,(%rbx)", { 0xf0, 0x48, 0x0f, 0xb1, 0x0b }, 5, 0, ARITH },
    { "lock cmpxchg %ecx,(%rbx)", { 0xf0, 0x0f, 0xb1, 0x0b }, 4, 0, ARITH },
    { "cmpxchg %cl,(%rbx)", { 0x0f, 0xb0, 0x0b }, 3, 0, ARITH },
    { "lock xadd %rcx,(%rbx)", { 0xf0, 0x48, 0x0f, 0xc1, 0x0b }, 5, 0, ARITH },
    { "lock btr $5,(%rbx) 8", { 0xf0, 0x48, 0x0f, 0xba, 0x33, 0x05 }, 6, 0, CARRY },
    { "lock bts $63,(%rbx) 8", { 0xf0, 0x48, 0x0f, 0xba, 0x2b, 0x3f }, 6, 0, CARRY },
    { "lock btc $6,(%rbx) 4", { 0xf0, 0x0f, 0xba, 0x3b, 0x06 }, 5, 0, CARRY },
    { "rex forms: mov %sil-free, (%rbx,%rdx,1)", { 0x48, 0x89, 0x0c, 0x13 }, 4, 0, 0 },
};

static const uint64_t values[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                   0x100000000, 0x7fffffffffffffff, 0x8000000000000000, ~0UL, 0x123456789abcdef0,
                                   0x80000001234567e3 };

struct state { uint64_t rax, rcx, flags, memory; };

static void run_native(const struct form *f, struct state *s)
{
    uint64_t mem = s->memory, rax = s->rax, rcx = s->rcx, flags = s->flags;

    memcpy(code, f->bytes, f->n);
    code[f->n] = 0xc3;
    asm volatile("sub $128, %%rsp\n\tpush %[fl]\n\tpopfq\n\tcall *%[code]\n\tpushfq\n\tpop %[fl]\n\tadd $128, %%rsp"
                 : "+a"(rax), "+c"(rcx), [fl] "+r"(flags)
                 : "b"(&mem), "d"(0UL), [code] "r"(code) : "memory", "cc");
    *s = (struct state){ rax, rcx, flags, mem };
}

static bool run_emulated(const struct form *f, struct state *s, uint64_t *entry)
{
    struct cpu_user_regs r = { .rax = s->rax, .rcx = s->rcx, .rbx = (uintptr_t)entry, .rflags = s->flags };
    struct pt_write w;

    memcpy(code, f->bytes, f->n);
    code[f->n] = 0xc3;
    r.rip = (uintptr_t)code;
    if (!pt_write_decode(&v, &r, gva((uintptr_t)entry + f->offset), s->memory, &w))
        return false;
    if (w.store)
        s->memory = w.new_value;
    pt_write_commit(&v, &r, &w);
    CU_ASSERT_EQUAL(r.rip, (uintptr_t)code + f->n);
    s->rax = r.rax;
    s->rcx = r.rcx;
    s->flags = r.rflags;
    return true;
}

static void setup(void)
{
    fake_machine_init(64);
    fake_domain_init(&d, 1);
    fake_vcpu_init(&v, &d, 0);
    fake_set_current(&v);
    if (!code)
        code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fake_guest_share(code, 8192);
}

static void agrees_with_cpu(void)
{
    uint64_t entry ALIGNED(8) = 0;

    setup();
    for (unsigned f = 0; f < ARRAY_SIZE(forms); f++)
        for (unsigned m = 0; m < ARRAY_SIZE(values); m++)
            for (unsigned c = 0; c < ARRAY_SIZE(values); c++)
                for (unsigned same = 0; same < 2; same++) {
                    struct state native = { same ? values[m] : values[c] ^ 1, values[c], 0x202 | (m & 1), values[m] };
                    struct state emulated = native;
                    run_native(&forms[f], &native);
                    const bool ok = run_emulated(&forms[f], &emulated, &entry);
                    const bool equal = ok && native.memory == emulated.memory && native.rax == emulated.rax &&
                                       native.rcx == emulated.rcx && !((native.flags ^ emulated.flags) & forms[f].flags);
                    if (!equal)
                        printf("%s: mem %lx rcx %lx: native %lx %lx %lx %lx, emulated(%d) %lx %lx %lx %lx\n", forms[f].name,
                               values[m], values[c], native.memory, native.rax, native.rcx, native.flags, ok,
                               emulated.memory, emulated.rax, emulated.rcx, emulated.flags);
                    CU_ASSERT(equal);
                }
}

static bool decodes(const uint8_t *bytes, unsigned n, uint64_t rbx, uint64_t rcx, uint64_t fault)
{
    struct cpu_user_regs r = { .rbx = rbx, .rcx = rcx, .rip = (uintptr_t)code };
    struct pt_write w;

    memset(code, 0xcc, 32);
    memcpy(code, bytes, n);
    return pt_write_decode(&v, &r, gva(fault), 0, &w);
}

/* H25: crossing two entries, another address than the fault's, register operands, unknown opcodes. */
static void refuses(void)
{
    const uint8_t mov8[] = { 0x48, 0x89, 0x0b }, mov4[] = { 0x89, 0x0b }, adc[] = { 0x48, 0x11, 0x0b };
    const uint8_t cmp[] = { 0x48, 0x83, 0x3b, 1 }, reg[] = { 0x48, 0x89, 0xcb }, gs[] = { 0x65, 0x48, 0x89, 0x0b };
    const uint8_t xchg_ah[] = { 0x86, 0x23 }, stos[] = { 0xf3, 0x48, 0xab }, bt[] = { 0x48, 0x0f, 0xba, 0x23, 1 };

    setup();
    CU_ASSERT(decodes(mov8, 3, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(mov8, 3, 0x1004, 0, 0x1004));
    CU_ASSERT(!decodes(mov8, 3, 0x1001, 0, 0x1001));
    CU_ASSERT(decodes(mov4, 2, 0x1004, 0, 0x1004));
    CU_ASSERT(!decodes(mov4, 2, 0x1005, 0, 0x1005));
    CU_ASSERT(!decodes(mov8, 3, 0x1000, 0, 0x1008));
    CU_ASSERT(!decodes(mov8, 3, 0xff8, 0, 0x1000));
    CU_ASSERT(!decodes(adc, 3, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(cmp, 4, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(reg, 3, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(gs, 4, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(xchg_ah, 2, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(stos, 3, 0x1000, 0, 0x1000));
    CU_ASSERT(!decodes(bt, 5, 0x1000, 0, 0x1000));
}

/* A bit number beyond the operand moves the address, also downwards. */
static void bit_strings(void)
{
    const uint8_t bts[] = { 0x48, 0x0f, 0xab, 0x0b };

    setup();
    CU_ASSERT(decodes(bts, 4, 0x1000, 64 + 3, 0x1008));
    CU_ASSERT(!decodes(bts, 4, 0x1000, 64 + 3, 0x1000));
    CU_ASSERT(decodes(bts, 4, 0x1000, (uint64_t)-1, 0xff8));
    CU_ASSERT(decodes(bts, 4, 0x1000, 63, 0x1000));
}

static const struct unit_case cases[] = { UNIT(agrees_with_cpu), UNIT(refuses), UNIT(bit_strings), { 0 } };
int main(void) { return unit_main("pt_write", cases); }
