/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * H82, H87, H94: what a guest finds in its registers when it gets the CPU back. Every way in and out is taken with
 * known values in all registers: what may change is named, everything else must be what it was, so nothing of the
 * hypervisor's can be in it. The trap flag is set across each way too: single steps are the guest's own.
 */
#include "hostile.h"
#include "regs.h"
#include "user.h"

#define TF (1UL << 8)
#define ARITHMETIC 0x8d5UL              /* OF SF ZF AF PF CF */
#define RAX 1U
#define RBX 2U
#define RCX 4U
#define RDX 8U
#define R11 16U

static const struct way {
    const char *name;
    void (*run)(struct regs *r);
    unsigned vector, skip;              /* of the trap, and the bytes to step over; vector 0: no trap */
    unsigned changes;                   /* registers the way is documented to change */
    uint64_t rax;                       /* before */
} ways[] = {
    { "nothing", regs_nothing, 0, 0, 0, 0x1111 },
    { "ud2", regs_ud2, 6, 2, 0, 0x2222 },
    { "int3", regs_int3, 3, 0, 0, 0x3333 },
    { "page fault", regs_load, 14, 3, 0, 0x4444 },
    { "hypercall", regs_hypercall, 0, 0, RAX | RCX | R11, __HYPERVISOR_xen_version },
    { "refused hypercall", regs_hypercall, 0, 0, RAX | RCX | R11, 63 },
    { "yield", regs_hypercall, 0, 0, RAX | RCX | R11, __HYPERVISOR_sched_op },
    { "cpuid", regs_cpuid, 0, 0, RAX | RBX | RCX | RDX, 0 },
    { "rdmsr", regs_rdmsr, 0, 0, RAX | RDX, 0 },
};

static const struct way *now;
static unsigned traps, steps;
static uint64_t strange_step;           /* address of a single step that is not ours */

static bool on_trap(struct trap_frame *f)
{
    extern const char image_end[];

    if (f->vector == 1) {
        steps++;
        if (f->rip < VIRT_BASE || f->rip >= (uintptr_t)image_end)
            strange_step = f->rip;
        return true;
    }
    if (now == NULL || f->vector != now->vector)
        return false;
    traps++;
    f->rip += now->skip;
    return true;
}

static struct regs poison(const struct way *w, uint64_t rflags)
{
    struct regs r = { 0 };
    uint64_t *words = (uint64_t *)&r;

    for (unsigned i = 0; i < 15; i++)
        words[i] = 0x0123456789abcdefUL + i * 0x1111111111111111UL;
    r.rax = w->rax;
    r.rdi = 0;                          /* xen_version 0, sched_op yield */
    r.rbx = w->run == regs_load ? 0x6000 : r.rbx;       /* nothing is mapped there */
    r.rcx = w->run == regs_rdmsr ? 0xc0000080 : w->run == regs_cpuid ? 0 : r.rcx;
    r.rflags = rflags;
    return r;
}

/* Registers in the order of struct regs; the ones that have a bit in "changes". */
static bool may_change(const struct way *w, unsigned i)
{
    static const uint8_t bit[15] = { [0] = RAX, [1] = RBX, [2] = RCX, [3] = RDX, [10] = R11 };

    return (w->changes & bit[i]) != 0;
}

static void compare(const struct way *w, const struct regs *before, const struct regs *after)
{
    static const char *const names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11",
                                         "r12", "r13", "r14", "r15" };
    const uint64_t *b = (const uint64_t *)before, *a = (const uint64_t *)after;

    for (unsigned i = 0; i < 15; i++)
        CHECK(a[i] == b[i] || may_change(w, i), "%s: %s was %lx, is %lx", w->name, names[i], b[i], a[i]);
    CHECK((after->rflags & (ARITHMETIC | TF)) == (before->rflags & (ARITHMETIC | TF)), "%s: flags were %lx, are %lx",
          w->name, before->rflags, after->rflags);
    CHECK((after->rflags & 0x3d7000) == 0, "%s: flags %lx", w->name, after->rflags);    /* IOPL NT RF VM AC VIF VIP ID */
    /* SYSCALL leaves the return address and the flags there, as the ABI has it: both are the guest's own. */
    if ((w->changes & (RCX | R11)) == (RCX | R11))
        CHECK(after->rcx >= VIRT_BASE && (after->r11 & ~0x3d5fffUL) == 0, "%s: rcx %lx, r11 %lx", w->name, after->rcx,
              after->r11);
}

static void each_way(uint64_t rflags)
{
    struct regs first = poison(&ways[0], 0x202);

    trap_set_hook(on_trap);
    regs_nothing(&first);
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        struct regs before = poison(&ways[i], rflags), after = before;

        now = &ways[i];
        traps = 0;
        ways[i].run(&after);
        now = NULL;
        CHECK(traps == (ways[i].vector != 0), "%s: %u traps", ways[i].name, traps);
        compare(&ways[i], &before, &after);
        CHECK(after.ds == first.ds && after.es == first.es && after.fs == first.fs && after.gs == first.gs,
              "%s: selectors %lx %lx %lx %lx", ways[i].name, after.ds, after.es, after.fs, after.gs);
    }
    trap_set_hook(NULL);
}

static void on_event(evtchn_port_t port, void *arg)
{
    (void)port;
    ++*(unsigned *)arg;
}

/* An event is delivered at the end of the very hypercall that raises it. */
static void event_way(void)
{
    static const struct way w = { "event", regs_hypercall, 0, 0, RAX | RCX | R11, __HYPERVISOR_event_channel_op };
    static struct evtchn_send send;
    static unsigned taken;
    struct regs before = poison(&w, 0x202), after;
    int port = evtchn_bind_ipi(0);

    if (port <= 0) {
        item_fail("no port: %d", port);
        return;
    }
    evtchn_set_handler((evtchn_port_t)port, on_event, &taken);
    send.port = (evtchn_port_t)port;
    before.rdi = EVTCHNOP_send;
    before.rsi = (uintptr_t)&send;
    after = before;
    regs_hypercall(&after);
    CHECK(after.rax == 0 && taken == 1, "send: %ld, %u events", (long)after.rax, taken);
    compare(&w, &before, &after);
    evtchn_close((evtchn_port_t)port);
}

/* The same from user mode: what the bounce frame holds. */
static void user_ways(void)
{
    static const struct {
        const char *name;
        unsigned char code[4];
        unsigned vector;
    } list[] = {
        { "ud2", { 0x0f, 0x0b }, 6 }, { "syscall", { 0x0f, 0x05 }, TRAP_SYSCALL }, { "int3", { 0xcc }, 3 },
        { "page fault", { 0x48, 0x8b, 0x03 }, 14 },     /* mov (%rbx), %rax */
    };

    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        struct trap_frame f = user_frame(), before;
        uint64_t *words = (uint64_t *)&f;

        for (unsigned k = 0; k < 15; k++)
            words[k] = 0xfedcba9876543210UL - k * 0x1111111111111111UL;
        f.rbx = 0x5000;
        before = f;
        user_load(list[i].code, sizeof(list[i].code));
        user_run(&f);
        CHECK(f.vector == list[i].vector, "%s from user mode: vector %lx", list[i].name, f.vector);
        for (unsigned k = 0; k < 15; k++) {
            bool own = list[i].vector == TRAP_SYSCALL && (&words[k] == &f.rcx || &words[k] == &f.r11);

            CHECK(own || words[k] == ((uint64_t *)&before)[k], "%s from user mode: register %u is %lx", list[i].name, k,
                  words[k]);
        }
        CHECK((f.rflags & ~(ARITHMETIC | 1UL << 16)) == 0x202 && f.rsp == before.rsp && (f.cs & 3) == 3 && (f.ss & 3) == 3,
              "%s from user mode: flags %lx rsp %lx cs %lx ss %lx", list[i].name, f.rflags, f.rsp, f.cs, f.ss);
    }
}

/* A vCPU starts with the registers it was given and no others. */
static struct regs at_start;
static volatile bool started;

static void second(void *arg)
{
    (void)arg;
    at_start = poison(&ways[0], 0x202);
    regs_nothing(&at_start);
    started = true;
}

static void single_steps(void)
{
    static const unsigned char code[] = { 0x90, 0x90, 0x0f, 0x05 };     /* nop, nop, syscall */
    struct trap_frame f;

    item("H87");
    steps = 0;
    strange_step = 0;
    each_way(0x202 | TF);
    CHECK(steps >= ARRAY_SIZE(ways), "%u single steps over %lu instructions", steps, ARRAY_SIZE(ways));
    CHECK(strange_step == 0, "a single step at %lx", strange_step);
    printf("%u single steps\n", steps);
    /* Into user mode with TF: one instruction, then #DB there; SYSCALL with TF enters the guest's kernel without it. */
    user_load(code, sizeof(code));
    f = user_frame();
    f.rflags |= TF;
    user_run(&f);
    CHECK(f.vector == 1 && f.rip == USER_CODE + 1, "vector %lx at %lx", f.vector, f.rip);
    f.rip = USER_CODE + 2;
    f.rflags |= TF;
    user_run(&f);
    CHECK(f.vector == TRAP_SYSCALL && f.rip == USER_CODE + 4, "vector %lx at %lx", f.vector, f.rip);
    steps = 0;
    trap_set_hook(on_trap);
    RC(hc_xen_version(XENVER_version, NULL), 0x40011);
    trap_set_hook(NULL);
    CHECK(steps == 0, "the flag is still set: %u steps", steps);
}

static unsigned failsafes;

static bool on_failsafe(struct trap_frame *f)
{
    if (f->vector != TRAP_FAILSAFE)
        return false;
    failsafes++;
    return true;
}

/* A selector whose descriptor goes away while it is loaded: the next load is the hypervisor's, on a switch. */
static void bad_selectors(void)
{
    uint64_t *gdt = page_alloc(), maddr = mm_mfn(gdt) << PAGE_SHIFT;
    unsigned long frames[1] = { mm_mfn(gdt) };
    uint64_t end = time_now() + 500 * MS;
    unsigned rounds = 0;

    item("H82");
    RC(mm_protect(gdt), 0);
    RC(hc_set_gdt(frames, 512), 0);
    trap_set_hook(on_failsafe);
    while (time_now() < end && rounds < 200) {
        uint16_t es, ds;

        RC(hypercall(__HYPERVISOR_update_descriptor, maddr + 48, 0x00cff2000000ffffUL, 0, 0, 0), 0);
        asm volatile("mov %w0, %%es; mov %w0, %%ds" : : "r"(6 * 8 | 3));
        RC(hypercall(__HYPERVISOR_update_descriptor, maddr + 48, 0, 0, 0, 0), 0);
        time_block_until(time_now() + 2 * MS);
        asm volatile("mov %%es, %0; mov %%ds, %1" : "=r"(es), "=r"(ds));
        CHECK((es == 0 || es == (6 * 8 | 3)) && (ds == 0 || ds == (6 * 8 | 3)), "es %x, ds %x", es, ds);
        asm volatile("mov %w0, %%es; mov %w0, %%ds" : : "r"(0));
        rounds++;
    }
    trap_set_hook(NULL);
    printf("%u failsafe callbacks in %u rounds\n", failsafes, rounds);
    CHECK(this_cpu() == &cpus[0], "gs is lost");
    RC(hc_set_gdt(NULL, 0), 0);
    RC(mm_unprotect(gdt), 0);
    page_free(gdt);
}

void guest_test(void)
{
    item("H94");
    if (!user_init())
        return;
    each_way(0x202);
    each_way(0x202 | ARITHMETIC);
    event_way();
    user_ways();
    if (smp_vcpu_count() > 1) {
        struct regs want = poison(&ways[0], 0x202);

        RC(smp_start(1, second, NULL), 0);
        CHECK(wait_for(started, 10 * SECOND), "vCPU 1 does not run");
        compare(&ways[0], &want, &at_start);
    }
    single_steps();
    bad_selectors();
}
