/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * twin.h - a machine of two CPUs and three domains on the host build, driven by the hypercall grammar
 *
 * cpu.c plays the CPUs: which vCPU runs is the real scheduler's choice, softirqs and timers run as entry/ runs them, and
 * a call that answers -ERESTART is made again when its vCPU runs again, if ever. domains.c builds the domains, revives
 * what stands still and takes everything apart; audit.c judges. One thread for both CPUs repeats a seed exactly; with
 * a thread a CPU they race.
 */
#ifndef TWIN_H
#define TWIN_H

#include "gen.h"

#define TWIN_CPUS 2
#define TWIN_DOMAINS 3                  /* Dom0 and two that trust nobody */
#define TWIN_VCPUS 2                    /* driven; one more is there to be initialised */
#define TWIN_FRAMES 1024u

struct domain;
struct vcpu;

struct vm {
    struct domain *d;
    domid_t id;
    bool privileged;
    unsigned next_page;
    uint64_t p2m[512];
    struct grant_entry_v1 *grants;
    struct gen gen[TWIN_VCPUS];
    bool busy[TWIN_VCPUS];              /* in the middle of an operation */
};

struct twin_stats {
    uint64_t calls, steps, restarts, abandoned, injected, audits, revived, killed;
    uint64_t rc[64][128];               /* by call and -errno; 0: success, 127: others */
};

struct twin_options {
    uint64_t seed, steps;
    unsigned audit_every;
    bool threads, tracing, verbose;
    bool quiet_memory;                  /* no vCPU writes to the arguments of another: for TSan */
    const uint8_t *input;               /* libFuzzer's: both vCPUs of the unprivileged domains draw from it */
    size_t input_size;
};

extern struct vm vms[TWIN_DOMAINS];
extern struct twin_stats *twin_stats;
extern struct twin_options twin_options;

/* The whole life of a machine: build, run, take apart, compare ledgers. Ends in abort() on any of our bugs. */
void twin_episode(const struct twin_options *options);

/* ---- domains.c ---- */
void twin_build(void);
/* Everything that stands still for other reasons than death runs again. False: nobody but Dom0 is left. */
bool twin_revive(void);
void twin_tear_down(void);

/* ---- cpu.c ---- */
void twin_cpu_init(void);
/* Whose turn it is on this thread; for building, @v need not run. */
void twin_enter(struct vm *vm, unsigned vcpu);
/* One operation of whichever vCPU runs on @cpu. */
void twin_cpu_step(unsigned cpu);
/* Softirqs of @cpu until none is pending. */
void twin_cpu_softirqs(unsigned cpu);
/* No vCPU on any CPU. Their domains are paused or dead. */
void twin_cpu_idle_all(void);
struct vcpu *twin_running(unsigned cpu);
struct vm *twin_here(void);
struct gen *twin_gen(void);

/* ---- audit.c ---- */
/* Nobody is in the middle of a call. */
void twin_audit(void);

#endif
