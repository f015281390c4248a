/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * panic.c - the end: say what happened on every console, then reboot or halt
 */
#include "boot/boot_info.h"
#include "console/console.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/dump.h"
#include "entry/current.h"
#include "machine.h"
#include "print.h"

extern const char text_start[], text_end[];

static _Atomic bool dying;

void console_fatal_begin(void)
{
    irq_disable();
    if (atomic_exchange(&dying, true))
        return;
    console_force();
    smp_stop_others();
}

void dump_registers(const struct cpu_user_regs *r)
{
    const struct vcpu *v = current_vcpu();
    pr_err("CPU %u, %s, current d%dv%d\n", this_cpu(), (r->cs & 3) ? "guest" : "hypervisor",
           v ? v->domain->id : -1, v ? (int)v->id : -1);
    pr_err("rip %04x:%016lx rflags %08lx vector %u error %04x\n", r->cs, r->rip, r->rflags, r->entry_vector & 0xff,
           r->error_code);
    pr_err("rax %016lx rbx %016lx rcx %016lx\n", r->rax, r->rbx, r->rcx);
    pr_err("rdx %016lx rsi %016lx rdi %016lx\n", r->rdx, r->rsi, r->rdi);
    pr_err("rbp %016lx rsp %04x:%016lx r8  %016lx\n", r->rbp, r->ss, r->rsp, r->r8);
    pr_err("r9  %016lx r10 %016lx r11 %016lx\n", r->r9, r->r10, r->r11);
    pr_err("r12 %016lx r13 %016lx r14 %016lx\n", r->r12, r->r13, r->r14);
    pr_err("r15 %016lx cr2 %016lx cr3 %016lx cr4 %08lx\n", r->r15, read_cr2(), read_cr3(), read_cr4());
}

/* Words of our own stack that look like return addresses are worth more than all of them. */
void dump_hv_stack(uint64_t rsp, unsigned words)
{
    const uint64_t top = (rsp | (STACK_SIZE - 1)) + 1 - sizeof(struct cpu_info);
    if (rsp - PERCPU_STACKS >= MAX_CPUS * STACK_SIZE)
        return;
    pr_err("calls:");
    for (; rsp + 8 <= top && words; rsp += 8) {
        const uint64_t w = *(const uint64_t *)rsp;
        if (w - (uint64_t)text_start >= (uint64_t)(text_end - text_start))
            continue;
        pr_err(" %lx", w);
        words--;
    }
    pr_err("\n");
}

void dump_guest_stack(struct vcpu *v, const struct cpu_user_regs *r)
{
    if (v != current_vcpu() || !v->cpu.kernel_mode)
        return;
    pr_err("guest stack:");
    for (unsigned i = 0; i < 16; i++) {
        uint64_t w;
        if (guest_copy_in(&w, gva(r->rsp + i * 8), 8))
            break;
        pr_err("%s%016lx", i % 4 ? " " : "\n  ", w);
    }
    pr_err("\n");
}

void machine_panic(const char *fmt, ...)
{
    char msg[256];
    va_list ap;
    va_start(ap, fmt);
    hv_vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    console_fatal_begin();
    pr_err("\n*** paravane: fatal: %s (CPU %u)\n", msg, this_cpu());
    uint64_t sp;
    asm("mov %%rsp, %0" : "=r"(sp));
    dump_hv_stack(sp, 24);
    if (cmdline_bool("noreboot", false)) {
        pr_err("*** halted (noreboot)\n");
        machine_halt();
    }
    pr_err("*** rebooting in 5 seconds\n");
    machine_reboot_after(5);
}

void bug_report(const char *file, int line, const char *what)
{
    machine_panic("bug in %s:%d: %s", file, line, what);
}

void domain_dump_current(struct domain *d)
{
    struct vcpu *v = current_vcpu();
    if (!v || v->domain != d)
        return;
    const struct cpu_user_regs *r = &this_cpu_info()->regs;
    if (d == dom0) {
        dump_registers(r);
        dump_guest_stack(v, r);
        return;
    }
    printk_guest(d, LOG_WARNING, "d%dv%u rip %04x:%016lx rsp %04x:%016lx rflags %08lx cr2 %016lx\n", d->id, v->id,
                 r->cs, r->rip, r->ss, r->rsp, r->rflags, READ_ONCE(v->info->arch.cr2));
}
