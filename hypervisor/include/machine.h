/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine.h - the whole machine, as the portable core sees it
 *
 * Everything that decides is plain C and calls only what is declared here (and other portable modules). On metal
 * these are implemented by entry/, cpu/, boot/ and console/; on the host by tests/fakes/machine_fake.c. Chosen at
 * link time: no #ifdef, no function pointers, sources byte-identical.
 */
#ifndef PARAVANE_MACHINE_H
#define PARAVANE_MACHINE_H

#include "bitmap.h"
#include "types.h"

/* ---- frames ---- */

/* Our mapping of a RAM frame. Any frame below max_mfn that is RAM; never MMIO. */
void *frame_ptr(mfn_t m);
/* Inverse of frame_ptr for addresses inside that mapping. */
mfn_t ptr_frame(const void *p);

/* ---- TLB ---- */

/*
 * Flush all translations on the named CPUs (the local one included if named) and wait for it. Interrupts on. A CPU
 * without work may put it off until it runs a guest again.
 */
void machine_flush_tlb(cpumask_t cpus);
/* The same, at once: for frames that change hands or use, which a CPU could still walk speculatively as tables. */
void machine_flush_tlb_now(cpumask_t cpus);
/* The same for one page of guest space; @va is canonical and outside our range (caller checks, XSA-279). */
void machine_flush_tlb_page(cpumask_t cpus, gva_t va);
void machine_flush_cache(cpumask_t cpus);
/*
 * @v's kernel_cr3 or user_cr3 changed. If @v is current here, load what it needs now (a full flush); a vCPU that is not
 * running gets it when it is switched in. No other CPU has the old one in CR3 on return. Interrupts on.
 */
void machine_load_root(struct vcpu *v);

/* Protection keys for user pages (mm/dirty_log.c). */
bool machine_has_pku(void);
/* For current, from a fault: put PKRU back to what dirty_log_pkru() says. True: it was something else. */
bool machine_restore_pkru(struct vcpu *v);
/* The tables this CPU uses now, for current. */
mfn_t machine_current_root(const struct vcpu *v);

/* ---- CPUs ---- */

unsigned this_cpu(void);
cpumask_t machine_online_cpus(void);
/* Make @cpu leave guest mode or idle and run machine-independent exit work (softirqs, event upcall check). */
void machine_kick(unsigned cpu);
/* True when the current hypercall should make way: softirq pending here, or an event deliverable to current. */
bool machine_preempt_pending(void);
unsigned long machine_irq_save(void);           /* returns old flag, interrupts off */
void machine_irq_restore(unsigned long flags);
void machine_cpu_relax(void);

/* ---- time ---- */

/* Nanoseconds since the hypervisor started; monotonic, the same on every CPU (ABI: pvclock system_time). */
uint64_t machine_now(void);
/* Arm this CPU's one-shot timer; timer_interrupt() (time/) is called then. ~0 disarms. */
void machine_arm_timer(uint64_t deadline_ns);

/* ---- guest memory, in the current vCPU's kernel address space ----
 *
 * 0 or -EFAULT; a range that touches the hypervisor's part of the address space or is not canonical faults before
 * anything is written. A fault half way may have copied a prefix. Copy in once, judge the copy.
 */
MUST_CHECK int guest_copy_in(void *dst, gva_t src, size_t n);
MUST_CHECK int guest_copy_out(gva_t dst, const void *src, size_t n);
MUST_CHECK int guest_clear(gva_t dst, size_t n);
/* True when [va, va+n) is canonical, does not wrap and lies outside the hypervisor's range. */
bool guest_range_ok(gva_t va, size_t n);

/* ---- the guest CPU state that lives in hardware while @v runs ---- */

enum guest_seg_base { SEG_BASE_FS, SEG_BASE_GS_USER, SEG_BASE_GS_KERNEL };
uint64_t guest_seg_base_get(struct vcpu *v, enum guest_seg_base which);
/* @base is canonical (caller checks). */
void guest_seg_base_set(struct vcpu *v, enum guest_seg_base which, uint64_t base);

/*
 * @v->cpu's cr0_ts, cr4, xcr0, debugreg[] or tsc_aux changed: make the hardware follow if @v is current; a vCPU that is
 * not running gets them loaded when it is switched in.
 */
void guest_hw_reload(struct vcpu *v);

/* What a vCPU needs of the machine: its FPU area. 0 or -ENOMEM. */
MUST_CHECK int machine_vcpu_create(struct vcpu *v);
void machine_vcpu_destroy(struct vcpu *v);
/* @v is not running: initial FPU state; or the FXSAVE image (512 bytes) of a vcpu_guest_context in and out. */
void machine_fpu_reset(struct vcpu *v);
void machine_fpu_import(struct vcpu *v, const void *fxsave);
void machine_fpu_export(struct vcpu *v, void *fxsave);

/* Would this CPU let a guest read our memory by speculation, and nobody has said that guests are trusted? */
bool machine_guests_unsafe(void);

/* ---- port I/O of the machine (Dom0's accesses, power control); size 1, 2 or 4 ---- */

uint32_t machine_port_in(uint16_t port, unsigned size);
void machine_port_out(uint16_t port, unsigned size, uint32_t value);
/* PCI configuration space by mechanism 1, serialised inside. @addr is the 0xCF8 value; size and alignment as ports. */
uint32_t machine_pci_read(uint32_t addr, unsigned offset, unsigned size);
void machine_pci_write(uint32_t addr, unsigned offset, unsigned size, uint32_t value);

/* ---- the end ---- */

/* Before a fatal dump: stop other CPUs, break console locks. */
void console_fatal_begin(void);
NORETURN void machine_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
NORETURN void machine_reboot(void);
NORETURN void machine_halt(void);
NORETURN void machine_reboot_after(unsigned seconds);

#endif
