/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H19, H75, H80, H81 and kin: states from which there is no way on. The hypervisor crashes this domain, and
 * nothing else; H76..H79 are the near misses that must be survived.
 */
#include "hostile.h"
#include "user.h"

static const unsigned char code_syscall[] = { 0x0f, 0x05 };
static const unsigned char code_ud2[] = { 0x0f, 0x0b };

/* ---- near misses ---- */

static void sanitised_iret(void)
{
    struct trap_frame f = user_frame();

    item("H76");
    user_load(code_ud2, sizeof(code_ud2));
    f.rflags = 0x3002 | 1UL << 14 | 1UL << 17 | 1UL << 8 * 0;       /* IOPL 3, NT, VM, IF clear */
    user_run(&f);
    CHECK(f.vector == 6, "vector %lx", f.vector);
    CHECK((f.rflags & (1UL << 17)) == 0, "VM is set: %lx", f.rflags);
    CHECK((f.rflags & 0x3000) == 0, "IOPL is %lx", (f.rflags >> 12) & 3);
    CHECK((f.cs & 3) == 3 && (f.ss & 3) == 3, "cs %lx ss %lx", f.cs, f.ss);

    /* A hypervisor selector in the frame: with RPL 0 it says "to the kernel" and must run in ring 3 there. */
    item("H76-selectors");
    static const uint16_t selectors[] = { 0xe008, 0xe00b, 0xe010, 0x08, 0x0b, 0xe033, 0xfff8, 0xffff, 0 };
    for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++) {
        f = user_frame();
        f.cs = selectors[i] | 3;
        user_run(&f);
        CHECK(f.vector == 6 || f.vector == 13 || f.vector == 11 || f.vector == TRAP_FAILSAFE || f.vector == 10 ||
              f.vector == 12, "cs %x: vector %lx", selectors[i], f.vector);
        CHECK((f.cs & 3) == 3, "cs %lx in the frame", f.cs);
    }
}

static void noncanonical_iret(void)
{
    struct trap_frame f = user_frame();

    item("H77");
    f.rip = BAD_NONCANONICAL;
    user_run(&f);
    CHECK(f.vector == 13 || f.vector == TRAP_FAILSAFE, "vector %lx", f.vector);
    f = user_frame();
    f.rip = 0x1234567800000000UL;
    user_run(&f);
    CHECK(f.vector == 13 || f.vector == TRAP_FAILSAFE, "vector %lx", f.vector);

    item("H78");
    /* SYSCALL as the last bytes below the hole: the return address is not canonical (XSA-7). */
    unsigned char *page = page_alloc();
    page[4094] = 0x0f;
    page[4095] = 0x05;
    RC(mm_map_in(user_l4(), 0x00007ffffffff000UL, mm_mfn(page), PTE_KERNEL), 0);
    f = user_frame();
    f.rip = 0x00007ffffffffffeUL;
    user_run(&f);
    CHECK(f.vector == TRAP_SYSCALL, "vector %lx", f.vector);
    user_run(&f);                       /* and "return" to there */
    CHECK(f.vector == 13 || f.vector == TRAP_FAILSAFE, "vector %lx", f.vector);
}

static struct context after_multicall;

static bool back_from_multicall(struct trap_frame *f)
{
    if (!trap_from_user(f))
        return false;
    context_jump(&after_multicall, (int)f->vector);
}

static void iret_in_multicall(void)
{
    static uint64_t frame[16];
    static struct multicall_entry list[3];
    int vector;

    item("H79");
    user_load(code_ud2, sizeof(code_ud2));
    memset(list, 0, sizeof(list));
    list[0].op = __HYPERVISOR_xen_version;
    list[1].op = __HYPERVISOR_iret;
    list[2].op = __HYPERVISOR_xen_version;
    list[0].result = list[2].result = 0x5555;
    trap_set_hook(back_from_multicall);
    vector = context_save(&after_multicall);
    if (vector == 0) {
        struct { uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss; } *iret = (void *)frame;
        iret->rip = USER_CODE;
        iret->cs = FLAT_USER_CS;
        iret->rflags = 0x202;
        iret->rsp = USER_STACK_TOP;
        iret->ss = FLAT_USER_SS;
        asm volatile("mov %0, %%rsp\n mov %1, %%rdi\n mov $3, %%esi\n mov $13, %%eax\n syscall\n ud2"
                     : : "r"(iret), "r"(list) : "memory");
    }
    trap_set_hook(NULL);
    event_enable();
    CHECK(vector == 6, "vector %x", vector);
    CHECK(list[0].result == 0x40011, "first call: %lx", list[0].result);
    CHECK(list[2].result == 0x5555, "the call behind the iret was made: %lx", list[2].result);
}

/* ---- the end ---- */

static void no_user_table(void)
{
    struct trap_frame f = user_frame();

    mm_pin(MMUEXT_NEW_USER_BASEPTR, 0);
    user_run(&f);
}

static void iret_from(uint64_t stack)
{
    asm volatile("mov %0, %%rsp\n mov $23, %%eax\n syscall" : : "r"(stack) : "memory");
}

static void iret_unmapped(void)
{
    iret_from(0x1000);
}

static void iret_noncanonical(void)
{
    iret_from(BAD_NONCANONICAL);
}

static void iret_hypervisor(void)
{
    iret_from(BAD_HYPERVISOR);
}

static void trap_on_stack(uint64_t stack)
{
    asm volatile("mov %0, %%rsp\n ud2" : : "r"(stack) : "memory");
}

static void stack_unmapped(void)
{
    trap_on_stack(mm_reserve_va(4) + PAGE_SIZE);
}

static void stack_read_only(void)
{
    uint8_t *page = page_alloc();

    mm_protect(page);
    trap_on_stack((uintptr_t)page + 2048);
}

static void stack_zero(void)
{
    trap_on_stack(0);
}

static void stack_top(void)
{
    trap_on_stack(~15UL);
}

static void stack_hypervisor(void)
{
    trap_on_stack(BAD_HYPERVISOR + 0x1000);
}

static void stack_edge(void)
{
    trap_on_stack(HYPERVISOR_END + 8);
}

static void no_handler(void)
{
    hc_set_trap_table(NULL);
    asm volatile("ud2");
}

static void no_event_callback(void)
{
    struct callback_unregister un = { .type = CALLBACKTYPE_event };
    struct callback_register reg = { .type = CALLBACKTYPE_event, .address = 0 };
    int port = evtchn_bind_ipi(0);

    hc_callback_op(CALLBACKOP_unregister, &un);
    hc_callback_op(CALLBACKOP_register, &reg);
    evtchn_unmask((evtchn_port_t)port);
    evtchn_send((evtchn_port_t)port);
}

static void no_syscall_callback(void)
{
    struct callback_register reg = { .type = CALLBACKTYPE_syscall, .address = 0 };
    struct trap_frame f = user_frame();

    hc_callback_op(CALLBACKOP_register, &reg);
    hc_set_trap_table(NULL);
    user_load(code_syscall, sizeof(code_syscall));
    user_run(&f);
}

static void user_entry_without_stack(void)
{
    struct trap_frame f = user_frame();

    user_load(code_ud2, sizeof(code_ud2));
    context_save(&after_multicall);
    hc_stack_switch(FLAT_KERNEL_SS, 0x3000);
    trap_enter(&f);
}

static void triple(void)
{
    /* The handler itself lies on no page. */
    struct trap_info table[2] = { { .vector = 6, .cs = FLAT_KERNEL_CS, .address = 0x7000 },
                                  { 0 } };
    struct trap_info pf[2] = { { .vector = 14, .cs = FLAT_KERNEL_CS, .address = 0x8000 }, { 0 } };

    hc_set_trap_table(table);
    hc_set_trap_table(pf);
    asm volatile("ud2");
}

static void crash_by_request(void)
{
    struct sched_shutdown op = { .reason = SHUTDOWN_crash };

    hc_sched_op(SCHEDOP_shutdown, &op);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "H19", no_user_table },
    { "H75-unmapped", iret_unmapped },
    { "H75-noncanonical", iret_noncanonical },
    { "H75-hypervisor", iret_hypervisor },
    { "H80-unmapped", stack_unmapped },
    { "H80-read-only", stack_read_only },
    { "H80-zero", stack_zero },
    { "H80-top", stack_top },
    { "H80-hypervisor", stack_hypervisor },
    { "H80-edge", stack_edge },
    { "H81-trap", no_handler },
    { "H81-event", no_event_callback },
    { "H81-syscall", no_syscall_callback },
    { "H80-user-entry", user_entry_without_stack },
    { "H80-handler-unmapped", triple },
    { "crash", crash_by_request },
};

void guest_test(void)
{
    uint64_t only = cmdline_number("only", 0);

    item("setup");
    if (!user_init())
        return;
    if (only == 0) {
        sanitised_iret();
        noncanonical_iret();
        iret_in_multicall();
        printf("CASES h-deadly %lu\n", (uint64_t)ARRAY_SIZE(cases));
        return;
    }
    item_dies(cases[(only - 1) % ARRAY_SIZE(cases)].name);
    cases[(only - 1) % ARRAY_SIZE(cases)].run();
    item_survived();
}
