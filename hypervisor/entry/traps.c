/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traps.c - every exception and interrupt, by where it came from
 *
 * From the guest: machine-owned causes first (interrupts, our own page-table tricks), then emulation, and what is
 * left is the guest's own exception and is queued for it. From ourselves: interrupts, the fixup table, a guest
 * selector or IRET that faulted on our way out; anything else is our bug and stops the machine.
 */
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "emul/emul.h"
#include "entry/current.h"
#include "hypercall/hypercall.h"
#include "irq/irq.h"
#include "layout.h"
#include "machine.h"
#include "mm/descriptor.h"
#include "mm/dirty_fault.h"
#include "mm/pt_update.h"
#include "print.h"
#include "softirq.h"
#include "time/timer.h"

#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_RESERVED 8u
#define PF_FETCH 16u
#define PF_PKEY 32u
#define VMASST_writable_pagetables 2

/* ---- interrupts ---- */

static void handle_interrupt(uint8_t vector)
{
    switch (vector) {
    case VECTOR_KICK:
        apic_eoi();
        break;
    case VECTOR_FLUSH:
        apic_eoi();
        tlb_flush_interrupt();
        break;
    case VECTOR_TIMER:
        apic_eoi();
        timer_interrupt();
        break;
    case VECTOR_STOP:
        apic_eoi();
        for (;;)
            asm volatile("cli; hlt");
    case VECTOR_SPURIOUS:
        break;
    default:
        irq_handle_vector(vector);
    }
}

/* ---- exceptions of the guest ---- */

static bool window_fault(struct vcpu *v, uint64_t cr2, uint32_t error)
{
    const uint64_t base = PERCPU_WINDOWS + this_cpu() * WINDOW_STRIDE;
    if (cr2 - base >= 32 * PAGE_SIZE)
        return false;
    const uint64_t ldt = base + 16 * PAGE_SIZE;
    if (cr2 >= ldt && vcpu_ldt_fault(v, (unsigned)(cr2 - ldt)))
        return true;
    (void)error;
    const uint32_t sel = cr2 >= ldt ? (uint32_t)(cr2 - ldt) & 0xfff8u : (uint32_t)(cr2 - base) & 0xfff8u;
    guest_inject_trap(v, X86_TRAP_GP, cr2 >= ldt ? sel | 4 : sel);
    return true;
}

static void guest_page_fault(struct vcpu *v, struct cpu_user_regs *r, uint64_t cr2)
{
    const uint32_t error = r->error_code;

    if (unlikely(cr2 - HV_START < HV_END - HV_START) && window_fault(v, cr2, error))
        return;
    if (unlikely(error & PF_PKEY) && dirty_log_fault(v, gva(cr2)))
        return;
    if ((error & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) == (PF_PRESENT | PF_WRITE) && v->cpu.kernel_mode &&
        (v->domain->vm_assist & (1UL << VMASST_writable_pagetables)) && cr2 - HV_START >= HV_END - HV_START &&
        pt_emulate_write(v, gva(cr2)))
        return;
    guest_inject_page_fault(v, cr2, error & ~PF_PKEY);
}

static void guest_debug_trap(struct vcpu *v)
{
    const uint64_t dr6 = read_dr6();
    write_dr6(0xffff0ff0);
    v->cpu.debugreg[6] = (v->cpu.debugreg[6] & ~0xfUL) | (dr6 & 0xe00f);
    guest_inject_trap(v, X86_TRAP_DB, 0);
}

static void guest_device_not_available(struct vcpu *v)
{
    v->cpu.cr0_ts = 0;
    guest_hw_reload(v);
    guest_inject_trap(v, X86_TRAP_NM, 0);
}

static NORETURN void fatal_trap(const struct cpu_user_regs *r, const char *what)
{
    console_fatal_begin();
    dump_registers(r);
    dump_hv_stack(r->rsp, 32);
    machine_panic("%s: vector %u error %x at rip %lx", what, r->entry_vector & 0xff, r->error_code, r->rip);
}

void trap_from_guest(struct cpu_user_regs *r)
{
    const uint8_t vector = (uint8_t)r->entry_vector;
    struct vcpu *v = current_vcpu();

    if (vector >= 32) {
        handle_interrupt(vector);
        return;
    }
    if (vector == X86_TRAP_PF) {
        const uint64_t cr2 = read_cr2();
        irq_enable();
        guest_page_fault(v, r, cr2);
        return;
    }
    if (vector == X86_TRAP_NMI || vector == X86_TRAP_MC || vector == X86_TRAP_DF) {
        if (vector == X86_TRAP_NMI)
            return;                         /* no source of ours; firmware noise */
        fatal_trap(r, "machine fault in guest mode");
    }
    if (vector == X86_TRAP_DB) {
        guest_debug_trap(v);
        return;
    }
    irq_enable();
    switch (vector) {
    case X86_TRAP_GP:
        if (!emul_general_protection(v, r, r->error_code))
            guest_inject_trap(v, X86_TRAP_GP, r->error_code);
        break;
    case X86_TRAP_UD:
        if (!emul_invalid_opcode(v, r))
            guest_inject_trap(v, X86_TRAP_UD, 0);
        break;
    case X86_TRAP_NM:
        guest_device_not_available(v);
        break;
    default:
        guest_inject_trap(v, vector, r->error_code);
    }
}

/* ---- exceptions of ours ---- */

struct ex_entry { uint64_t at, fixup; };
extern const struct ex_entry ex_table_start[], ex_table_end[];

static uint64_t find_fixup(uint64_t rip)
{
    for (const struct ex_entry *e = ex_table_start; e < ex_table_end; e++) {
        if (e->at == rip)
            return e->fixup;
    }
    return 0;
}

/*
 * The IRETQ that was to enter the guest faulted: its frame names selectors or an address that ring 3 may not have.
 * The registers were restored already and are in the nested frame; put them back where a guest's registers live, and
 * deliver the fault as if it had been raised at the guest's new rip (abi-map 3.4).
 */
static NORETURN void guest_iret_fault(const struct cpu_user_regs *nested)
{
    struct cpu_info *info = this_cpu_info();
    struct vcpu *v = info->current;
    const struct cpu_user_regs copy = *nested;
    struct cpu_user_regs *r = &info->regs;
    const uint64_t rip = r->rip, rflags = r->rflags, rsp = r->rsp;
    const uint16_t cs = r->cs, ss = r->ss;
    *r = copy;
    r->rip = rip;
    r->cs = cs;
    r->rflags = rflags;
    r->rsp = rsp;
    r->ss = ss;
    r->entry_vector = 0;
    guest_inject_trap(v, (uint8_t)copy.entry_vector, copy.error_code);
    exit_to_guest();
}

void trap_in_hypervisor(struct cpu_user_regs *r)
{
    const uint8_t vector = (uint8_t)r->entry_vector;

    if (vector >= 32) {
        handle_interrupt(vector);
        return;
    }
    if (vector == X86_TRAP_NMI)
        return;
    if (vector == X86_TRAP_DB) {            /* a guest's breakpoint on our accesses to its memory (XSA-265) */
        write_dr7(0x400);
        write_dr6(0xffff0ff0);
        r->rflags &= ~0x100UL;
        return;
    }
    if (vector == X86_TRAP_PF) {
        const uint64_t cr2 = read_cr2();
        struct vcpu *v = current_vcpu();
        if (v && (r->error_code & PF_PKEY) && dirty_log_fault(v, gva(cr2)))
            return;
        const uint64_t ldt = PERCPU_WINDOWS + this_cpu() * WINDOW_STRIDE + 16 * PAGE_SIZE;
        if (v && cr2 - ldt < 16 * PAGE_SIZE && vcpu_ldt_fault(v, (unsigned)(cr2 - ldt)))
            return;
    }
    if (r->rip == (uint64_t)iretq_to_guest && vector != X86_TRAP_DF && vector != X86_TRAP_MC)
        guest_iret_fault(r);
    const uint64_t fixup = vector == X86_TRAP_DF || vector == X86_TRAP_MC ? 0 : find_fixup(r->rip);
    if (!fixup)
        fatal_trap(r, vector == X86_TRAP_DF ? "double fault" : "unexpected fault in the hypervisor");
    r->rip = fixup;
}

/* ---- hypercalls ---- */

void hypercall_from_guest(struct cpu_user_regs *r)
{
    struct vcpu *v = current_vcpu();
    struct hcall h = { .arg = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
    const long ret = hypercall_dispatch(v, r->rax, &h);
    if (likely(ret != -ERESTART)) {
        if (ret != HCALL_REGS_SET)
            r->rax = (uint64_t)ret;
        return;
    }
    r->rdi = h.arg[0];
    r->rsi = h.arg[1];
    r->rdx = h.arg[2];
    r->r10 = h.arg[3];
    r->r8 = h.arg[4];
    r->r9 = h.arg[5];
    r->rip -= 2;                            /* ABI: execute SYSCALL again */
}
