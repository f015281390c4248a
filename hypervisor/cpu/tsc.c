/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsc.c - calibrate the TSC and the APIC timer, tell the time, arm the one-shot timer
 *
 * System time is the TSC scaled, with one tuple for all CPUs: machine_now() and every guest's pvclock use the same
 * numbers. Calibration reads the reference (HPET, else ACPI PM timer, else PIT) between two TSC reads and keeps the
 * tightest of several tries at both ends of the interval, so a delayed read costs no accuracy.
 */
#include "boot/acpi.h"
#include "boot/map_boot.h"
#include "cpu/apic_timer.h"
#include "cpu/cpu.h"
#include "entry/current.h"
#include "machine.h"
#include "print.h"
#include "time/time.h"

#define CALIBRATE_NS 30000000UL
#define PM_TIMER_HZ 3579545UL
#define PIT_HZ 1193182UL

static volatile uint8_t *hpet;
static uint64_t hpet_hz;
static uint64_t apic_khz;

/* ---- reference counters: ticks that only grow during calibration ---- */

static uint64_t read_hpet(void) { return *(volatile uint32_t *)(uintptr_t)(hpet + 0xf0); }

static uint64_t read_pm_timer(void)
{
    return machine_port_in(acpi_info.pm_timer_port, 4) & 0xffffff;
}

/* Channel 2, counting down from 0xffff once; good for 54 ms. */
static uint64_t read_pit(void)
{
    outb(0x43, 0x80);
    const unsigned lo = inb(0x42);
    return 0xffff - (lo | (unsigned)inb(0x42) << 8);
}

static void start_pit(void)
{
    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1u));
    outb(0x43, 0xb0);
    outb(0x42, 0xff);
    outb(0x42, 0xff);
}

struct reference {
    const char *name;
    uint64_t (*read)(void);
    uint64_t hz, mask;
};

static struct reference choose_reference(void)
{
    if (acpi_info.hpet_address) {
        hpet = map_device(maddr(acpi_info.hpet_address), 1024);
        const uint64_t period_fs = hpet ? *(volatile uint32_t *)(uintptr_t)(hpet + 4) : 0;
        if (period_fs && period_fs <= 100000000) {
            hpet_hz = 1000000000000000UL / period_fs;
            *(volatile uint32_t *)(uintptr_t)(hpet + 0x10) |= 1;
            return (struct reference){ "HPET", read_hpet, hpet_hz, 0xffffffff };
        }
    }
    if (acpi_info.pm_timer_port)
        return (struct reference){ "PM timer", read_pm_timer, PM_TIMER_HZ, 0xffffff };
    start_pit();
    return (struct reference){ "PIT", read_pit, PIT_HZ, 0xffff };
}

struct sample {
    uint64_t tsc, ticks;
    uint32_t apic;
};

static struct sample take_sample(const struct reference *ref)
{
    struct sample best = { 0 };
    uint64_t best_width = ~0UL;
    for (unsigned i = 0; i < 8; i++) {
        const uint64_t before = rdtsc_ordered();
        const uint64_t ticks = ref->read();
        const uint64_t after = rdtsc_ordered();
        if (after - before < best_width) {
            best_width = after - before;
            best = (struct sample){ before + (after - before) / 2, ticks, apic_timer_count() };
        }
    }
    return best;
}

/* a * b / c, with a 128-bit product; the quotient fits (c > a >> 64 * b by far in all uses here). */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t lo, hi;
    asm("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "rm"(b));
    if (hi >= c)
        return ~0UL;
    asm("divq %2" : "+a"(lo), "+d"(hi) : "rm"(c));
    return lo;
}

void tsc_init(void)
{
    const struct reference ref = choose_reference();
    apic_timer_start(0xffffffff);
    const struct sample a = take_sample(&ref);
    const uint64_t want = ref.hz * (CALIBRATE_NS / 1000) / 1000000;
    while (((ref.read() - a.ticks) & ref.mask) < want)
        machine_cpu_relax();
    const struct sample b = take_sample(&ref);
    apic_timer_start(0);

    const uint64_t ticks = (b.ticks - a.ticks) & ref.mask;
    const uint64_t hz = mul_div(b.tsc - a.tsc, ref.hz, ticks);
    apic_khz = mul_div(a.apic - b.apic, ref.hz, ticks) / 1000;
    tsc_clock.khz = (uint32_t)(hz / 1000);
    tsc_scale_from_hz(hz, &tsc_clock.mul, &tsc_clock.shift);
    tsc_clock.tsc_base = rdtsc_ordered();
    tsc_clock.ns_base = 0;
    tsc_clock.stable = cpu_features.tsc_invariant;
    pr_info("time: TSC %u.%03u MHz by %s, APIC timer %lu kHz%s\n", tsc_clock.khz / 1000, tsc_clock.khz % 1000,
            ref.name, apic_khz, cpu_features.tsc_deadline ? ", TSC deadline" : "");
}

uint64_t machine_now(void)
{
    return tsc_clock.ns_base + tsc_scale(rdtsc_ordered() - tsc_clock.tsc_base, tsc_clock.mul, tsc_clock.shift);
}

void machine_arm_timer(uint64_t deadline_ns)
{
    if (deadline_ns == ~0UL) {
        if (cpu_features.tsc_deadline)
            wrmsr(MSR_TSC_DEADLINE, 0);
        else
            apic_timer_start(0);
        return;
    }
    const uint64_t now = machine_now();
    uint64_t delta = deadline_ns > now ? deadline_ns - now : 0;
    if (delta > 1000000000UL)
        delta = 1000000000UL;               /* woken early, time/ arms again */
    if (cpu_features.tsc_deadline) {
        wrmsr(MSR_TSC_DEADLINE, rdtsc_ordered() + delta * tsc_clock.khz / 1000000 + 1);
        return;
    }
    const uint64_t count = delta * apic_khz / 1000000 + 1;
    apic_timer_start(count > 0xffffffff ? 0xffffffff : (uint32_t)count);
}
