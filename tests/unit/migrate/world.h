/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - two hosts with one guest, for the hand-over's test
 *
 * What guest.h does with domains is done here with two fields of shared memory, and each act is checked by somebody
 * who knows both sides. The processes are real: source, relay (the transport, which cuts or stops) and target; a
 * process is killed at a step, a link after a byte.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../../../dom0-tools/migrate/guest.h"

enum { UP, DOWN };                      /* directions of the link: to the target, to the source */
enum link_fault { LINK_CUT, LINK_STALL };

struct world {
    /* the two copies */
    _Atomic(enum guest_is) copy[2];     /* by enum migrate_role */
    atomic_bool went_on, started, bad;  /* ran again at the source; ran at the target; could not be started there */
    atomic_bool summed;                 /* the image went with checksums */
    atomic_bool frames;                 /* what came for it at the source was heard of at the target */
    atomic_int wrong;                   /* rules broken */
    char what[200];
    /* what is to go wrong */
    int kill_at[2], store_fails_at[2];  /* by role: the n-th step, the n-th record; 0: never */
    atomic_int steps[2], stores[2];
    long cut_at[2];                     /* by direction: bytes of the first connection; -1: never */
    long flip_at;                       /* a bit of this byte to the target */
    enum link_fault fault;
    atomic_int connections;
    int welcome_ms;                     /* so long the target takes to its first word */
    bool start_fails, welcome_fails, settle_fails, receive_fails;
    atomic_int undroppable;             /* so many times the target cannot remove its copy */
    atomic_bool hold, holding;          /* the source waits in the middle of the image */
};

extern struct world *world;
extern enum migrate_role world_side;    /* which host this process runs on */

/* Map DIR/world; the directories of @side become the ones for records and locks. */
void world_open(const char *dir, enum migrate_role side);
void world_wrong(const char *what);
/* A moment at which this side's process may be killed. */
void world_step(void);

#endif
