/* SPDX-License-Identifier: MIT */
/*
 * hypercall.h - calling the hypervisor from a PV64 guest
 *
 * hypercall() takes any number and five plain words, for tests that want to be wrong on purpose; the
 * named wrappers are for honest use. Results are 0 or more, or -errno with Xen's numbers (<xen/errno.h>).
 *
 * ABI: number in rax, arguments in rdi, rsi, rdx, r10, r8; syscall spoils rcx and r11 only.
 */
#ifndef RUNTIME_HYPERCALL_H
#define RUNTIME_HYPERCALL_H

#include <stdint.h>
#include <stddef.h>

/* Without this the public headers give names such as sched_op to their calls of 2003. */
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen-compat.h>
#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/callback.h>
#include <xen/platform.h>

static inline long hypercall(unsigned long nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                             uint64_t a5)
{
    long ret;
    register uint64_t r10 asm("r10") = a4;
    register uint64_t r8 asm("r8") = a5;

    asm volatile("syscall"
                 : "=a"(ret), "+r"(r10), "+r"(r8), "+D"(a1), "+S"(a2), "+d"(a3)
                 : "0"(nr)
                 : "rcx", "r11", "memory");
    return ret;
}

#define HC_ARG(x) ((uint64_t)(uintptr_t)(x))

static inline long hc_set_trap_table(const struct trap_info *table)
{
    return hypercall(__HYPERVISOR_set_trap_table, HC_ARG(table), 0, 0, 0, 0);
}

static inline long hc_mmu_update(const struct mmu_update *req, unsigned count, unsigned *done,
                                 unsigned domid)
{
    return hypercall(__HYPERVISOR_mmu_update, HC_ARG(req), count, HC_ARG(done), domid, 0);
}

static inline long hc_mmuext_op(const struct mmuext_op *op, unsigned count, unsigned *done,
                                unsigned domid)
{
    return hypercall(__HYPERVISOR_mmuext_op, HC_ARG(op), count, HC_ARG(done), domid, 0);
}

static inline long hc_update_va_mapping(uint64_t va, uint64_t pte, uint64_t flags)
{
    return hypercall(__HYPERVISOR_update_va_mapping, va, pte, flags, 0, 0);
}

static inline long hc_set_gdt(const unsigned long *frames, unsigned entries)
{
    return hypercall(__HYPERVISOR_set_gdt, HC_ARG(frames), entries, 0, 0, 0);
}

static inline long hc_stack_switch(uint64_t ss, uint64_t sp)
{
    return hypercall(__HYPERVISOR_stack_switch, ss, sp, 0, 0, 0);
}

static inline long hc_set_segment_base(unsigned which, uint64_t base)
{
    return hypercall(__HYPERVISOR_set_segment_base, which, base, 0, 0, 0);
}

static inline long hc_memory_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_memory_op, cmd, HC_ARG(arg), 0, 0, 0);
}

static inline long hc_multicall(struct multicall_entry *list, unsigned count)
{
    return hypercall(__HYPERVISOR_multicall, HC_ARG(list), count, 0, 0, 0);
}

static inline long hc_xen_version(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_xen_version, cmd, HC_ARG(arg), 0, 0, 0);
}

static inline long hc_console_io(unsigned cmd, unsigned count, char *text)
{
    return hypercall(__HYPERVISOR_console_io, cmd, count, HC_ARG(text), 0, 0);
}

static inline long hc_grant_table_op(unsigned cmd, void *ops, unsigned count)
{
    return hypercall(__HYPERVISOR_grant_table_op, cmd, HC_ARG(ops), count, 0, 0);
}

static inline long hc_vm_assist(unsigned cmd, unsigned type)
{
    return hypercall(__HYPERVISOR_vm_assist, cmd, type, 0, 0, 0);
}

static inline long hc_vcpu_op(unsigned cmd, unsigned vcpu, void *arg)
{
    return hypercall(__HYPERVISOR_vcpu_op, cmd, vcpu, HC_ARG(arg), 0, 0);
}

static inline long hc_sched_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_sched_op, cmd, HC_ARG(arg), 0, 0, 0);
}

static inline long hc_callback_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_callback_op, cmd, HC_ARG(arg), 0, 0, 0);
}

static inline long hc_event_channel_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, cmd, HC_ARG(arg), 0, 0, 0);
}

static inline long hc_physdev_op(unsigned cmd, void *arg)
{
    return hypercall(__HYPERVISOR_physdev_op, cmd, HC_ARG(arg), 0, 0, 0);
}

static inline long hc_set_timer_op(uint64_t when)
{
    return hypercall(__HYPERVISOR_set_timer_op, when, 0, 0, 0, 0);
}

#endif
