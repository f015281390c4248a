/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gen.h - the grammar of plausible hypercalls, shared by the fuzzer guest (tests/guest/fuzz) and its host-build twin
 * (tests/fuzz/hypervisor/twin)
 *
 * One generator per vCPU: a seed, and pools of things that exist (pages, tables, ports, references, handles), so that
 * calls come near enough to success to reach deep. How many values are drawn for a call never depends on what earlier
 * calls answered: a seed makes the same calls in the same order on both sides, with frame numbers and handles of the side.
 *
 * Each side supplies world.h: pages and their frames (mm_*, page_*), hypercall(), grant_entry(), probe_write(), who we
 * are and who the others are, and
 *
 *   world_is_expendable()  the caller may lose pages, its stack, traps and base pointer, or end itself: nobody executes
 *                          its code. False in a real guest; such calls are drawn there and not made.
 *   world_may_control()    the caller may make control calls (a privileged one on the host; an unprivileged one to be
 *                          refused anywhere)
 */
#ifndef GEN_H
#define GEN_H

#include "world.h"

#define POOL_PAGES 48
#define POOL_TABLES 12
#define POOL_PORTS 16
#define POOL_HANDLES 16
#define WINDOW_PAGES 32

struct gen {
    uint64_t state;
    const uint8_t *input, *input_end;   /* libFuzzer's bytes come first, one a draw */
    unsigned vcpu;
    uint64_t *pages[POOL_PAGES];        /* data pages, mapped writable or not, as the calls left them */
    uint64_t *tables[POOL_TABLES];      /* pages meant to become tables */
    evtchn_port_t ports[POOL_PORTS];
    grant_handle_t handles[POOL_HANDLES];
    uint64_t window;                    /* va range for mappings */
    uint8_t *scratch;                   /* two pages for argument structures */
    uint64_t calls, good;
    uint64_t done[64], passed[64];      /* by hypercall number */
    uint64_t left_out;                  /* bit i leaves out row i of the table of operations */
    bool tracing;
};

void gen_init(struct gen *g, unsigned vcpu, uint64_t seed);
/* Make one operation of the table, which is one or a few hypercalls. */
void gen_step(struct gen *g);

uint64_t gen_random(struct gen *g);
/* 0 .. n-1 */
unsigned gen_pick(struct gen *g, unsigned n);
bool gen_chance(struct gen *g, unsigned percent);
uint64_t gen_number(struct gen *g);
uint64_t gen_frame(struct gen *g);
uint64_t gen_table_frame(struct gen *g);
uint64_t gen_entry(struct gen *g);
uint64_t gen_va(struct gen *g);
uint64_t gen_pointer(struct gen *g, const void *good);
unsigned gen_domid(struct gen *g);
/* Who maps our grants and binds our ports: ourselves, or the neighbour. */
domid_t gen_partner(struct gen *g);
evtchn_port_t gen_port(struct gen *g);
grant_ref_t gen_ref(struct gen *g);
grant_handle_t gen_handle(struct gen *g);
unsigned gen_vcpu(struct gen *g);
void gen_learn_port(struct gen *g, uint64_t port);
void gen_learn_handle(struct gen *g, grant_handle_t handle);

/* The one way to the hypervisor: counted and traced. */
long gen_call(struct gen *g, unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);

/* ---- operations, by file ---- */
typedef void op_fn(struct gen *g);
op_fn op_mmu_update, op_machphys, op_va_mapping, op_mmuext, op_table_store, op_descriptor, op_memory;   /* ops_mm.c */
op_fn op_grant_map, op_grant_unmap, op_grant_copy, op_grant_other;                                      /* ops_grant.c */
op_fn op_event, op_vcpu, op_small, op_multicall, op_self;                                               /* ops_cpu.c */
op_fn op_control;                                                                                       /* ops_control.c */

#endif
