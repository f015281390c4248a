/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gen.h - the grammar of plausible arguments
 *
 * One generator per vCPU: a seed, and pools of things that exist (pages, tables, ports, references, handles),
 * so that calls come near enough to success to reach deep. Every value is drawn from the seed alone and from
 * what earlier calls returned: the same seed on the same hypervisor with one vCPU repeats the same run.
 */
#ifndef GEN_H
#define GEN_H

#include "grant.h"
#include "hostile.h"

#define POOL_PAGES 48
#define POOL_TABLES 12
#define POOL_PORTS 16
#define POOL_HANDLES 16
#define WINDOW_PAGES 32

struct gen {
    uint64_t state;
    unsigned vcpu;
    uint64_t *pages[POOL_PAGES];        /* data pages, mapped writable or not, as the calls left them */
    uint64_t *tables[POOL_TABLES];      /* pages meant to become tables */
    evtchn_port_t ports[POOL_PORTS];
    grant_handle_t handles[POOL_HANDLES];
    uint64_t window;                    /* va range for mappings */
    uint8_t *scratch;                   /* two pages for argument structures */
    uint64_t calls, good;
    uint64_t done[64], passed[64];      /* by hypercall number */
};

void gen_init(struct gen *g, unsigned vcpu, uint64_t seed);
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
evtchn_port_t gen_port(struct gen *g);
grant_ref_t gen_ref(struct gen *g);
grant_handle_t gen_handle(struct gen *g);
unsigned gen_vcpu(struct gen *g);
void gen_learn_port(struct gen *g, uint64_t port);
void gen_learn_handle(struct gen *g, grant_handle_t handle);

#endif
