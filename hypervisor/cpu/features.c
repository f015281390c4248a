/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * features.c - what this machine has, and the control registers we run with
 *
 * CR4.PGE and PCIDE stay off: a CR3 load flushes everything, so one rule covers every flush. SMAP is used except
 * under QEMU's TCG, which (7.2) applies it to an IRETQ that guest kernel code executes in ring 3 (abi-map pitfall 55).
 */
#include "boot/boot_info.h"
#include "cpu/cpu.h"
#include "machine.h"
#include "print.h"

#include <string.h>

struct cpu_features cpu_features;
uint64_t host_cr4;

extern const char syscall_stubs[];
struct smap_site { uint64_t at, byte; };
extern const struct smap_site smap_sites_start[], smap_sites_end[];

static bool under_tcg(void)
{
    uint32_t a, b, c, d;
    cpuid_count(0x40000000, 0, &a, &b, &c, &d);
    return b == 0x54474354 && c == 0x43544743 && d == 0x47435447;     /* "TCGTCGTCGTCG" */
}

void features_detect(void)
{
    struct cpu_features *f = &cpu_features;
    uint32_t a, b, c, d, max;

    cpuid_count(0, 0, &max, &b, &c, &d);
    f->amd = b == 0x68747541 || b == 0x6f677948;            /* "Auth", "Hygo" */
    cpuid_count(1, 0, &a, &b, &c, &d);
    f->xsave = c >> 26 & 1;
    f->x2apic = c >> 21 & 1;
    f->tsc_deadline = c >> 24 & 1;
    if (max >= 7) {
        cpuid_count(7, 0, &a, &b, &c, &d);
        f->fsgsbase = b & 1;
        f->smep = b >> 7 & 1;
        f->smap = b >> 20 & 1;
        f->pku = c >> 3 & 1;
    }
    if (f->xsave && max >= 13) {
        cpuid_count(13, 1, &a, &b, &c, &d);
        f->xsaveopt = a & 1;
    }
    if (max >= 6) {
        cpuid_count(6, 0, &a, &b, &c, &d);
        f->arat = a >> 2 & 1;
    }
    cpuid_count(0x80000000, 0, &max, &b, &c, &d);
    if (max >= 0x80000001) {
        cpuid_count(0x80000001, 0, &a, &b, &c, &d);
        f->nx = d >> 20 & 1;
        f->page1gb = d >> 26 & 1;
        f->rdtscp = d >> 27 & 1;
    }
    if (max >= 0x80000007) {
        cpuid_count(0x80000007, 0, &a, &b, &c, &d);
        f->tsc_invariant = d >> 8 & 1;
    }
    f->phys_bits = 36;
    if (max >= 0x80000008) {
        cpuid_count(0x80000008, 0, &a, &b, &c, &d);
        f->phys_bits = a & 0xff;
    }
    f->smap = f->smap && cmdline_bool("smap", !under_tcg());
    f->smep = f->smep && cmdline_bool("smep", true);

    host_cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->xsave ? CR4_OSXSAVE : 0) |
               (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0);
    /* The text is still writable: put STAC and CLAC where entry.S left room. */
    for (const struct smap_site *s = smap_sites_start; f->smap && s < smap_sites_end; s++) {
        const uint8_t insn[3] = { 0x0f, 0x01, (uint8_t)s->byte };
        memcpy((void *)s->at, insn, sizeof(insn));
    }
}

void features_enable(void)
{
    const unsigned cpu = this_cpu();
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1 | (cpu_features.nx ? 1UL << 11 : 0));      /* SCE, NXE */
    write_cr0((read_cr0() | CR0_WP | 0x22) & ~(CR0_TS | 4UL));                      /* WP NE MP, no EM */
    write_cr4(host_cr4);
    wrmsr(MSR_PAT, PAT_VALUE);
    wrmsr(MSR_STAR, 0xe023UL << 48 | 0xe008UL << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_stubs + 64 * cpu);
    /* SYSCALL from 32-bit user code (AMD) and SYSENTER: see compat.S */
    compat_entry_init_cpu(cpu);
    wrmsr(MSR_SFMASK, 0x57700);     /* AC NT DF IF TF RF: all off in the hypervisor */
}
