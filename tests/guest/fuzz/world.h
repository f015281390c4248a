/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.h - what the grammar of tests/fuzz/hypercall needs of its side: here a guest on a machine */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "grant.h"
#include "hostile.h"

static inline bool world_is_expendable(void) { return false; }
static inline bool world_may_control(void) { return !is_initial_domain(); }
static inline bool world_set_stack(uint64_t sp) { (void)sp; return false; }
/* No neighbour plays along: grants and ports go to ourselves. */
static inline domid_t peer_domid(void) { return own_domid(); }
static inline uint64_t victim_root(void) { return victim_frame(); }

#endif
