/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat.c - point this CPU's 32-bit system call instructions at compat.S */
#include "cpu/cpu.h"
#include "entry/current.h"

extern const char syscall32_stubs[], sysenter_entry[];

void compat_entry_init_cpu(unsigned cpu)
{
    wrmsr(MSR_CSTAR, (uint64_t)syscall32_stubs + 64 * cpu);
    wrmsr(MSR_SYSENTER_CS, 0xe008);
    wrmsr(MSR_SYSENTER_ESP, (uint64_t)&cpu_info_of(cpu)->regs.es);
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
}
