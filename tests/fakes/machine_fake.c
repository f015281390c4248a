/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_fake.c - include/machine.h for the host build; see machine_fake.h
 */
#include "machine_fake.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bug.h"
#include "hv_errno.h"
#include "layout.h"
#include "mm/frame_alloc.h"
#include "softirq.h"

#define MAX_FAKE_FRAMES 65536U

static uint8_t *arena;
static size_t arena_size;
static struct frame *table;
static uint64_t *m2p;

_Thread_local unsigned fake_cpu;
cpumask_t fake_online = { 0xf };
static _Thread_local struct vcpu *current_vcpu;
struct fake_log fake_log;
void (*fake_on_flush)(cpumask_t cpus);
uint64_t fake_now, fake_deadline = ~0UL;
uint32_t fake_ports[65536];

/* ---- frames ---- */

void frame_alloc_reset_for_tests(void);

void fake_machine_init_range(unsigned frames, unsigned first, unsigned end)
{
    if (frames > MAX_FAKE_FRAMES || first > end || end > frames)
        abort();
    free(arena);
    free(table);
    free(m2p);
    arena_size = frames * PAGE_SIZE;
    arena = aligned_alloc(PAGE_SIZE, arena_size);
    table = calloc(frames, sizeof(*table));
    m2p = malloc(frames * sizeof(*m2p));
    if (!arena || !table || !m2p)
        abort();
    memset(arena, 0xa5, arena_size);                        /* whoever wants zeroes must ask for them */
    memset(m2p, 0xff, frames * sizeof(*m2p));

    frame_alloc_reset_for_tests();
    frame_table_init(table, m2p, frames, 46);
    frame_alloc_add(mfn(first), mfn(end));

    memset(&fake_log, 0, sizeof(fake_log));
    memset(fake_ports, 0xff, sizeof(fake_ports));
    for (unsigned i = 0; i < MAX_CPUS; i++)
        atomic_store(&fake_softirq[i], 0);
    fake_on_flush = NULL;
    fake_cpu = 0;
    fake_online = (cpumask_t){ 0xf };
    fake_now = 0;
    fake_deadline = ~0UL;
    fake_preempt_at(0, 0);
    fake_guest_reset();
    fake_set_current(NULL);
}

void fake_machine_init(unsigned frames) { fake_machine_init_range(frames, 0, frames); }

void *frame_ptr(mfn_t m)
{
    if (m.n >= arena_size / PAGE_SIZE) {
        fprintf(stderr, "frame_ptr(%lx): not RAM\n", m.n);
        abort();
    }
    return arena + m.n * PAGE_SIZE;
}

mfn_t ptr_frame(const void *p) { return mfn((size_t)((const uint8_t *)p - arena) / PAGE_SIZE); }

/* Several CPUs may be threads. */
#define COUNT(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)

/* ---- TLB ---- */

void machine_flush_tlb(cpumask_t cpus)
{
    if (fake_on_flush)
        fake_on_flush(cpus);
    COUNT(fake_log.flushes);
    __atomic_fetch_or(&fake_log.flushed.bits, cpus.bits, __ATOMIC_RELAXED);
    cpumask_for_each(cpu, cpus)
        tlb_epoch_flushed((unsigned)cpu);
}

void machine_flush_tlb_now(cpumask_t cpus) { machine_flush_tlb(cpus); }

void machine_flush_tlb_page(cpumask_t cpus, gva_t va)
{
    if (!guest_range_ok(va, 1))
        abort();                                            /* XSA-279: the caller checks */
    COUNT(fake_log.page_flushes);
    __atomic_fetch_or(&fake_log.page_flushed.bits, cpus.bits, __ATOMIC_RELAXED);
    __atomic_store_n(&fake_log.page_flush_va, va.n, __ATOMIC_RELAXED);
}

void machine_flush_cache(cpumask_t cpus)
{
    (void)cpus;
    COUNT(fake_log.cache_flushes);
}

mfn_t fake_root[MAX_CPUS];

void machine_load_root(struct vcpu *v)
{
    if (v == current_vcpu)
        fake_root[fake_cpu] = machine_current_root(v);
    COUNT(fake_log.root_loads);
    tlb_epoch_flushed(fake_cpu);
}

bool fake_pku = true, fake_pkru_spoiled;

bool machine_has_pku(void) { return fake_pku; }

bool machine_restore_pkru(struct vcpu *v)
{
    const bool was = fake_pkru_spoiled;

    (void)v;
    fake_pkru_spoiled = false;
    return was;
}

mfn_t machine_current_root(const struct vcpu *v) { return v->cpu.kernel_mode ? v->cpu.kernel_root : v->cpu.user_root; }

/* ---- CPUs ---- */

unsigned this_cpu(void) { return fake_cpu; }
cpumask_t machine_online_cpus(void) { return fake_online; }
void machine_kick(unsigned cpu) { COUNT(fake_log.kicks[cpu]); }
unsigned long machine_irq_save(void) { return 0; }
void machine_irq_restore(unsigned long flags) { (void)flags; }
void (*fake_on_relax)(void);

void machine_cpu_relax(void)
{
    if (fake_on_relax)
        fake_on_relax();
    sched_yield();                                  /* a ticket lock waits for a thread that may not be running */
}

void fake_set_current(struct vcpu *v) { current_vcpu = v; }

static _Thread_local unsigned preempt_in, preempt_every;
_Thread_local unsigned fake_preempt_asked;

void fake_preempt_at(unsigned k, unsigned every)
{
    preempt_in = k;
    preempt_every = every;
    fake_preempt_asked = 0;
}

bool machine_preempt_pending(void)
{
    fake_preempt_asked++;
    if (preempt_in == 0 || --preempt_in > 0)
        return false;
    preempt_in = preempt_every;
    return true;
}

/* ---- time ---- */

uint64_t machine_now(void) { return __atomic_load_n(&fake_now, __ATOMIC_RELAXED); }
void machine_arm_timer(uint64_t deadline_ns) { __atomic_store_n(&fake_deadline, deadline_ns, __ATOMIC_RELAXED); }

/* ---- guest memory ---- */

#define MAX_RANGES 64
static struct range { uint64_t va; uint8_t *host; size_t n; bool writable; } ranges[MAX_RANGES];
static unsigned nr_ranges;

void fake_guest_reset(void) { nr_ranges = 0; }

void fake_guest_map(uint64_t va, void *host, size_t n, bool writable)
{
    if (nr_ranges == MAX_RANGES)
        abort();
    ranges[nr_ranges++] = (struct range){ va, host, n, writable };
}

/* Entry bits of the CPU, not ours. */
enum { HW_P = 1, HW_RW = 2, HW_US = 4, HW_A = 0x20, HW_D = 0x40, HW_PS = 0x80 };

void *fake_mmu(mfn_t root, uint64_t va, bool write)
{
    mfn_t m = root;

    for (unsigned level = 4; level >= 1; level--) {
        if (m.n >= arena_size / PAGE_SIZE)
            return NULL;
        _Atomic uint64_t *e = (_Atomic uint64_t *)frame_ptr(m) + ((va >> (12 + 9 * (level - 1))) & 511);
        const uint64_t val = atomic_load(e);

        if (!(val & HW_P) || !(val & HW_US) || (write && !(val & HW_RW)) || (level > 1 && (val & HW_PS)))
            return NULL;
        atomic_fetch_or(e, HW_A | (level == 1 && write ? HW_D : 0));
        m = mfn((val & 0xffffffffff000UL) >> PAGE_SHIFT);
    }
    if (m.n >= arena_size / PAGE_SIZE)
        return NULL;
    return (uint8_t *)frame_ptr(m) + va % PAGE_SIZE;
}

bool guest_range_ok(gva_t va, size_t n)
{
    const uint64_t last = va.n + (n ? n - 1 : 0);

    if (last < va.n)
        return false;
    if (last < 1UL << 47)
        return true;
    if (va.n < ~0UL << 47)
        return false;
    return last < HV_START || va.n >= HV_END;
}

static void *guest_byte_run(uint64_t va, size_t n, bool write, size_t *run)
{
    for (unsigned i = 0; i < nr_ranges; i++) {
        const struct range *r = &ranges[i];

        if (va >= r->va && va - r->va < r->n) {
            *run = MIN(n, r->n - (va - r->va));
            return write && !r->writable ? NULL : r->host + (va - r->va);
        }
    }
    *run = MIN(n, PAGE_SIZE - va % PAGE_SIZE);
    return current_vcpu && current_vcpu->cpu.kernel_cr3 ? fake_mmu(current_vcpu->cpu.kernel_root, va, write) : NULL;
}

int guest_copy_in(void *dst, gva_t src, size_t n)
{
    uint8_t *out = dst;
    size_t run;

    if (!guest_range_ok(src, n))
        return -EFAULT;
    for (uint64_t va = src.n; n > 0; va += run, out += run, n -= run) {
        const void *p = guest_byte_run(va, n, false, &run);

        if (!p)
            return -EFAULT;
        memcpy(out, p, run);
    }
    return 0;
}

static int guest_store(gva_t dst, const void *src, size_t n)
{
    const uint8_t *in = src;
    size_t run;

    if (!guest_range_ok(dst, n))
        return -EFAULT;
    for (uint64_t va = dst.n; n > 0; va += run, n -= run) {
        void *p = guest_byte_run(va, n, true, &run);

        if (!p)
            return -EFAULT;
        if (in) {
            memcpy(p, in, run);
            in += run;
        } else {
            memset(p, 0, run);
        }
    }
    return 0;
}

int guest_copy_out(gva_t dst, const void *src, size_t n) { return guest_store(dst, src, n); }
int guest_clear(gva_t dst, size_t n) { return guest_store(dst, NULL, n); }

/* ---- guest CPU state, ports ---- */

uint64_t guest_seg_base_get(struct vcpu *v, enum guest_seg_base which)
{
    switch (which) {
    case SEG_BASE_FS: return v->cpu.fs_base;
    case SEG_BASE_GS_USER: return v->cpu.gs_base_user;
    default: return v->cpu.gs_base_kernel;
    }
}

void guest_seg_base_set(struct vcpu *v, enum guest_seg_base which, uint64_t base)
{
    switch (which) {
    case SEG_BASE_FS: v->cpu.fs_base = base; break;
    case SEG_BASE_GS_USER: v->cpu.gs_base_user = base; break;
    default: v->cpu.gs_base_kernel = base; break;
    }
}

void guest_hw_reload(struct vcpu *v);       /* declared by machine.h in time */
void guest_hw_reload(struct vcpu *v) { (void)v; }

static uint32_t port_mask(unsigned size) { return size == 1 ? 0xff : size == 2 ? 0xffff : ~0U; }

uint32_t machine_port_in(uint16_t port, unsigned size) { return fake_ports[port] & port_mask(size); }
void machine_port_out(uint16_t port, unsigned size, uint32_t value) { fake_ports[port] = value & port_mask(size); }

uint8_t fake_pci_config[256];
uint32_t fake_pci_address;

uint32_t machine_pci_read(uint32_t addr, unsigned offset, unsigned size)
{
    uint32_t value = ~0U;

    if ((addr & 0xffff00) == fake_pci_address)
        memcpy(&value, fake_pci_config + (addr & 0xfc) + offset, size);
    return value & port_mask(size);
}

void machine_pci_write(uint32_t addr, unsigned offset, unsigned size, uint32_t value)
{
    if ((addr & 0xffff00) == fake_pci_address)
        memcpy(fake_pci_config + (addr & 0xfc) + offset, &value, size);
}

/* ---- softirqs ---- */

_Atomic uint32_t fake_softirq[MAX_CPUS];

void softirq_raise(enum softirq nr)
{
    softirq_raise_on(fake_cpu, nr);
}

void softirq_raise_on(unsigned cpu, enum softirq nr)
{
    atomic_fetch_or(&fake_softirq[cpu], 1u << nr);
    COUNT(fake_log.softirqs[nr]);
}

bool softirq_pending(unsigned cpu)
{
    return atomic_load(&fake_softirq[cpu]) != 0;
}

/* ---- the end ---- */

NORETURN void machine_panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

NORETURN void machine_reboot(void) { machine_panic("machine_reboot"); }
NORETURN void machine_halt(void) { machine_panic("machine_halt"); }

NORETURN void bug_report(const char *file, int line, const char *what)
{
    machine_panic("%s:%d: %s", file, line, what);
}
