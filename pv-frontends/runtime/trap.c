/* SPDX-License-Identifier: MIT */
/*
 * Traps: registers the entry points, runs hooks and fixups, and stops the guest on anything unexpected.
 * Owns the per-vCPU structures.
 */
#include "runtime.h"

struct fixup {
    uint64_t from, to;
};

extern const char trap_stubs[256][16];
extern const struct fixup fixup_table_start[], fixup_table_end[];
extern const char syscall_entry[], event_entry[], failsafe_entry[];

struct cpu cpus[GUEST_VCPUS];

void trap_dispatch(struct trap_frame *f);

static bool trap_fixup(struct trap_frame *f)
{
    for (const struct fixup *x = fixup_table_start; x < fixup_table_end; x++) {
        struct cpu *c = this_cpu();

        /* int3 and into report the address behind the instruction, which is "to" already. */
        bool behind = f->rip == x->to && (f->vector == 3 || f->vector == 4);
        if (f->rip != x->from && !behind)
            continue;
        c->trap.vector = f->vector;
        c->trap.error = f->error;
        c->trap.rip = f->rip;
        c->trap.address = shared_info->vcpu_info[c->id].arch.cr2;
        f->rip = x->to;
        return true;
    }
    return false;
}

static void trap_die(struct trap_frame *f)
{
    struct cpu *c = this_cpu();

    printf("\nunexpected trap %lu error %lx on vcpu %u, cr2 %lx\n", f->vector, f->error, c->id,
           shared_info->vcpu_info[c->id].arch.cr2);
    printf("rip %016lx cs %lx rflags %lx rsp %016lx ss %lx\n", f->rip, f->cs, f->rflags, f->rsp, f->ss);
    printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    printf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    printf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    printf("guest-test %s: ERROR unexpected trap %lu at %lx\n", guest_name, f->vector, f->rip);
    guest_shutdown(SHUTDOWN_crash);
}

void trap_dispatch(struct trap_frame *f)
{
    struct cpu *c = this_cpu();

    if (f->vector == TRAP_EVENT) {
        c->events++;
        event_dispatch();
        return;
    }
    if (c->hook != NULL && c->hook(f))
        return;
    if (!trap_from_user(f) && trap_fixup(f))
        return;
    trap_die(f);
}

void trap_set_hook(trap_hook_t hook)
{
    this_cpu()->hook = hook;
}

static void register_callback(unsigned type, const char *entry, unsigned flags)
{
    struct callback_register reg = { .type = (uint16_t)type, .flags = (uint16_t)flags,
                                     .address = (uintptr_t)entry };

    if (hc_callback_op(CALLBACKOP_register, &reg) != 0)
        printf("callback %u: refused\n", type);
}

void trap_init_cpu(struct cpu *c)
{
    static struct trap_info table[257];

    c->self = c;
    c->trap.vector = TRAP_NONE;
    hc_set_segment_base(SEGBASE_GS_KERNEL, (uintptr_t)c);
    for (unsigned v = 0; v < 256; v++) {
        table[v].vector = (uint8_t)v;
        table[v].flags = v == 3 || v == 4 ? 3 : 0;
        table[v].cs = FLAT_KERNEL_CS;
        table[v].address = (uintptr_t)trap_stubs[v];
    }
    if (hc_set_trap_table(table) != 0)
        printf("set_trap_table: refused\n");
    register_callback(CALLBACKTYPE_event, event_entry, CALLBACKF_mask_events);
    register_callback(CALLBACKTYPE_failsafe, failsafe_entry, CALLBACKF_mask_events);
    register_callback(CALLBACKTYPE_syscall, syscall_entry, CALLBACKF_mask_events);
    hc_stack_switch(FLAT_KERNEL_SS, c->stack_top);
}

unsigned probe_read(uint64_t va, uint64_t *value)
{
    uint64_t v = 0;

    trap_reset();
    asm volatile("1: mov (%1), %0\n2:" FIXUP(1b, 2b) : "+r"(v) : "r"(va) : "memory");
    *value = v;
    return trap_seen();
}

unsigned probe_write(uint64_t va, uint64_t value)
{
    trap_reset();
    asm volatile("1: mov %0, (%1)\n2:" FIXUP(1b, 2b) : : "r"(value), "r"(va) : "memory");
    return trap_seen();
}
