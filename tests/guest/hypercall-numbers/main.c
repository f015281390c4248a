/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claim: H100. A hypercall number that names nothing returns -ENOSYS, from the first free one to the
 * largest, and changes no register but rax, rcx and r11; inside a multicall as well.
 */
#include "harness.h"

extern const char hypercall_page[];

static const unsigned absent[] = { 11, 38, 43, 44, 45, 46, 47, 50, 51, 52, 53, 54, 55, 56, 63, 64, 65, 127, 128,
                                   255, 256, 1023, 1024, 0x7fffffff, 0x80000000, 0xffffffff };

static void check_registers(void)
{
    uint64_t in[11], out[11], *from = in, *to = out;

    for (unsigned i = 0; i < 11; i++)
        in[i] = 0x1111111111111111UL * (i + 1);
    asm volatile("push %%rbp\n"
                 "mov %%rcx, %%rax\n push %%rdi\n push %%rbx\n"
                 "mov 0(%%rax), %%rdi\n mov 8(%%rax), %%rsi\n mov 16(%%rax), %%rdx\n mov 24(%%rax), %%r10\n"
                 "mov 32(%%rax), %%r8\n mov 40(%%rax), %%r9\n mov 48(%%rax), %%rbx\n mov 56(%%rax), %%r12\n"
                 "mov 64(%%rax), %%r13\n mov 72(%%rax), %%r14\n mov 80(%%rax), %%r15\n"
                 "mov $63, %%eax\n syscall\n"
                 "mov 8(%%rsp), %%rax\n"
                 "mov %%rdi, 0(%%rax)\n mov %%rsi, 8(%%rax)\n mov %%rdx, 16(%%rax)\n mov %%r10, 24(%%rax)\n"
                 "mov %%r8, 32(%%rax)\n mov %%r9, 40(%%rax)\n mov %%rbx, 48(%%rax)\n mov %%r12, 56(%%rax)\n"
                 "mov %%r13, 64(%%rax)\n mov %%r14, 72(%%rax)\n mov %%r15, 80(%%rax)\n"
                 "pop %%rbx\n add $8, %%rsp\n pop %%rbp\n"
                 : "+c"(from), "+D"(to) :
                 : "rax", "rsi", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
    for (unsigned i = 0; i < 11; i++)
        CHECK(in[i] == out[i], "register %u came back as %lx", i, out[i]);
}

void guest_test(void)
{
    struct multicall_entry list[ARRAY_SIZE(absent)];

    item("H100");
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        long rc = hypercall(absent[i], 0, 0, 0, 0, 0);
        CHECK(rc == -XEN_ENOSYS, "hypercall %u returned %ld", absent[i], rc);
    }

    item("H100-multicall");
    memset(list, 0, sizeof(list));
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        list[i].op = absent[i];
        list[i].result = 77;
    }
    RC(hc_multicall(list, ARRAY_SIZE(absent)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
        CHECK(list[i].result == (unsigned long)-XEN_ENOSYS, "in a multicall %u returned %ld", absent[i],
              (long)list[i].result);

    item("registers");
    check_registers();

    item("hypercall-page");
    long version;
    register uint64_t rdi asm("rdi") = XENVER_version;
    register uint64_t rsi asm("rsi") = 0;
    asm volatile("call *%3" : "=a"(version), "+r"(rdi), "+r"(rsi)
                 : "r"(hypercall_page + __HYPERVISOR_xen_version * 32) : "memory");
    CHECK(version == 0x40011, "through the hypercall page: %lx", version);
    (void)rdi;
    (void)rsi;
}
