/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.c - everything that happens at boot, in order, in one place
 *
 * start() runs on the boot stack with memory mapped one to one; start_on_stack() on CPU 0's own stack with our address
 * space. What a machine or a loader gets wrong ends in boot_fail(): a message on every console and a halt.
 */
#include <xen/xen.h>

#include <string.h>

#include "boot/acpi.h"
#include "boot/boot_info.h"
#include "boot/efi.h"
#include "boot/memory.h"
#include "boot/multiboot.h"
#include "console/console.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/cpuid_policy.h"
#include "domain/io_caps.h"
#include "entry/current.h"
#include "event/event.h"
#include "irq/irq.h"
#include "machine.h"
#include "print.h"
#include "sched/sched.h"
#include "time/time.h"
#include "cpu/wallclock_hw.h"

#define MIN_MEMORY (96UL << 20)

static NORETURN void boot_fail(const char *what, const char *hint)
{
    console_force();
    pr_err("\nparavane: cannot start: %s\n          %s\n          Halted.\n", what, hint);
    for (;;)
        asm volatile("cli; hlt");
}

static uint64_t total_ram(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < boot_info.nr_e820; i++)
        sum += boot_info.e820[i].type == E820_RAM ? boot_info.e820[i].size : 0;
    return sum;
}

static void build_dom0(void)
{
    static dom0_vga_console_info_t text_mode = {
        .video_type = XEN_VGATYPE_TEXT_MODE_3,
        .u.text_mode_3 = { .font_height = 16, .rows = 25, .columns = 80 },
    };
    static char dom0_mem[128];
    const char *mem = cmdline_get("dom0_mem");
    if (mem)
        memcpy(dom0_mem, mem, MIN(strlen(mem) + 1, sizeof(dom0_mem) - 1));
    const uint64_t cpus = (uint64_t)__builtin_popcountl(machine_online_cpus().bits);
    const uint64_t vcpus = MIN(cmdline_uint("dom0_max_vcpus", cpus), (uint64_t)MAX_VCPUS);
    const struct dom0_params p = {
        .dom0_mem = mem ? dom0_mem : NULL,
        .max_vcpus = vcpus ? (unsigned)vcpus : 1,
        .kernel = &boot_info.module[0],
        .initrd = boot_info.nr_modules > 1 ? &boot_info.module[1] : NULL,
        .extra_cmdline = boot_info.dom0_extra,
        .rsdp = boot_info.efi ? boot_info.rsdp : 0,
        .video = boot_info.efi ? NULL : &text_mode,
        .video_size = boot_info.efi ? 0 : sizeof(text_mode),
    };
    const int rc = dom0_build(&p);
    if (rc)
        boot_fail("the first domain could not be built (reason above)",
                  "Check the kernel (a Linux image with Xen PV support) and dom0_mem=.");
}

static NORETURN void start_on_stack(void)
{
    desc_init_cpu(0);
    features_enable();
    vulnerable_init();
    fpu_init();
    fpu_init_cpu();
    if (!boot_info.efi)
        console_init_vga();

    if (!acpi_init(boot_info.rsdp))
        boot_fail("no usable ACPI tables (reason above)", "Firmware with ACPI 2.0 tables (MADT, FADT) is needed.");
    power_init();
    apic_init_bsp(acpi_info.lapic_address);
    apic_init_cpu();
    tsc_init();
    timer_init_cpu(0);
    sched_init_cpu(0);
    atomic_fetch_or(&online_cpus, 1UL);
    cpuid_host_init();
    wallclock_init(wallclock_hw_read());
    irq_init();
    console_init_irq();
    io_caps_init_host();

    const unsigned cpus = smp_boot_others();
    pr_info("CPUs: %u online\n", cpus);
    address_space_seal();

    build_dom0();
    console_end_boot();
    if (domain_controller_unpause(dom0))
        BUG();
    exit_to_guest();
}

void start(uint32_t magic, uint32_t info);
void start(uint32_t magic, uint32_t info)
{
    const bool known = multiboot_parse(magic, info);
    console_init_early(boot_info.cmdline);
    pr_info("Paravane hypervisor, ABI of Xen 4.17 (PV, x86-64); loader: %s\n", boot_info.loader);
    if (!known)
        boot_fail("entered by something that is not a multiboot loader",
                  "Use QEMU -kernel, or GRUB's multiboot2 and module2 commands.");
    if (!boot_info.nr_modules)
        boot_fail("no kernel module for the first domain",
                  "Give it as the first module: -initrd \"vmlinuz args,initrd\" or GRUB's module2.");
    e820_fix();
    e820_print();
    if (total_ram() < MIN_MEMORY)
        boot_fail("too little memory", "At least 96 MiB, and what dom0_mem= asks for, is needed.");
    features_detect();
    if (boot_info.efi) {
        const uint64_t rsdp = efi_find_rsdp(boot_info.efi_system_table);
        if (rsdp)
            boot_info.rsdp = rsdp;
    }
    boot_alloc_init();
    address_space_init();

    struct cpu_info *cpu0 = cpu_info_of(0);
    cpu0->cpu = 0;
    asm volatile("mov %0, %%rsp; call *%1" : : "r"(cpu0), "r"(start_on_stack) : "memory");
    __builtin_unreachable();
}
