/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_fake.h - the machine of the host build: a small RAM arena, guest memory, and a record of what was asked of it
 *
 * Portable modules see include/machine.h only; tests steer and inspect the fake through this header.
 *
 *     fake_machine_init(1024);                     // 4 MiB of RAM, all of it free
 *     struct domain d; struct vcpu v;
 *     fake_domain_init(&d, 1); fake_vcpu_init(&v, &d, 0);
 *     fake_set_current(&v);
 *     fake_guest_share(&arg, sizeof(arg));          // guest address == &arg
 *
 * Guest addresses: a range registered by fake_guest_map()/fake_guest_share(), or else what current's kernel page tables
 * (walked here by an own model of the CPU, A and D bits included) map. Everything else faults.
 */
#ifndef PARAVANE_MACHINE_FAKE_H
#define PARAVANE_MACHINE_FAKE_H

#include "domain/domain.h"
#include "machine.h"

/* Fresh machine: @frames frames (at most 2^16), frames 1.. free; CPUs: 4 online, current CPU 0. May be called again. */
void fake_machine_init(unsigned frames);
/* The same with RAM only in [first, end) of @frames, the rest "not RAM". */
void fake_machine_init_range(unsigned frames, unsigned first, unsigned end);

/* ---- CPUs ---- */
extern _Thread_local unsigned fake_cpu;              /* this_cpu() */
extern cpumask_t fake_online;
void fake_set_current(struct vcpu *v);              /* whose tables guest_copy_* walks; NULL: none */

/* ---- protection keys ---- */
extern bool fake_pku, fake_pkru_spoiled;            /* machine_has_pku(); the guest has executed WRPKRU */

/* ---- preemption: machine_preempt_pending() ---- */
/* True at the k-th question from now (1 = the next one) and then every @every questions (0: never again). 0: off. */
void fake_preempt_at(unsigned k, unsigned every);
extern _Thread_local unsigned fake_preempt_asked;   /* questions since fake_preempt_at() */

/* ---- guest memory ---- */
void fake_guest_reset(void);
void fake_guest_map(uint64_t va, void *host, size_t n, bool writable);
static inline void fake_guest_share(void *host, size_t n) { fake_guest_map((uintptr_t)host, host, n, true); }
static inline gva_t fake_gva(const void *host) { return gva((uintptr_t)host); }
/*
 * The CPU model: translate @va in the tables at @root for a write or a read by ring 3, setting A and D. NULL: page fault.
 * Deliberately knows nothing of mm/: it is what the hardware would do.
 */
void *fake_mmu(mfn_t root, uint64_t va, bool write);

/* ---- recorded effects; the test resets them as it likes ---- */
extern struct fake_log {
    unsigned flushes;                   /* machine_flush_tlb calls */
    cpumask_t flushed;                  /* union of their masks */
    unsigned page_flushes;
    cpumask_t page_flushed;
    uint64_t page_flush_va;
    unsigned kicks[MAX_CPUS];
    unsigned root_loads;                /* machine_load_root calls */
    unsigned cache_flushes;
    unsigned traps;                     /* guest_inject_*; the last one: */
    uint8_t trap_vector;
    uint32_t trap_error;
    uint64_t trap_cr2;
    unsigned softirqs[8];               /* softirq_raise(_on), by number */
    unsigned prints;
} fake_log;

/* Softirqs pending on each CPU, by bit; a test that plays the CPUs clears what it serves. */
extern _Atomic uint32_t fake_softirq[MAX_CPUS];
/* Called, if set, when a CPU spins: for a test that plays several CPUs on one thread. */
extern void (*fake_on_relax)(void);
/* What machine_load_root() loaded last on each CPU; a test that switches vCPUs writes it too. */
extern mfn_t fake_root[MAX_CPUS];
/* Called, if set, at the start of each machine_flush_tlb: to demand an order ("flushed before validated"). */
extern void (*fake_on_flush)(cpumask_t cpus);
/* Virtual clock: machine_now(); the armed deadline. */
extern uint64_t fake_now, fake_deadline;
extern _Thread_local char fake_printed[512];       /* this thread's last message */
extern bool fake_print;                 /* print printk output on stderr */

/* The frame that m2p_is_frame() knows. */
extern mfn_t fake_m2p_mfn;

/* A port of the machine: reads give what was written last, ~0 before that. */
extern uint32_t fake_ports[65536];
/* The one PCI device there is, at bus << 16 | devfn << 8; all others read as ones. */
extern uint8_t fake_pci_config[256];
extern uint32_t fake_pci_address;

/* ---- domains without domain.c: enough for mm, grants, events ---- */
/* Zeroed @d with lists, locks and limits as domain.c leaves them; registered with fake_domain_add(). */
void fake_domain_init(struct domain *d, domid_t id);
void fake_vcpu_init(struct vcpu *v, struct domain *d, unsigned id);

#endif
