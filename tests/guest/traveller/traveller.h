/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traveller.h - a tiny guest that is moved about and tells a witness outside how it fares
 *
 * What tests/agents/checker.c is in a Linux guest, on our own front ends: the same claims, the same words on the network,
 * the same blocks on the disk, so that the same rules (tests/rig/witness.py) judge both. Each file here is one thread.
 */
#ifndef TRAVELLER_H
#define TRAVELLER_H

#include "blkfront.h"
#include "harness.h"
#include "ip.h"
#include "netfront.h"
#include "thread.h"

struct traveller {
    bool stop;                          /* asked to end: every thread returns */
    bool away;                          /* between a resume and the interface's connection: nothing is sent */
    bool has_disk;
    uint64_t rate;                      /* pages to dirty a second */
    uint64_t steps, block, errors;      /* what the heartbeats tell */
    struct netfront net;
    struct blkfront disk;
};
extern struct traveller traveller;

/* Count an error; the first is printed. */
void bad(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Let others run for @ns nanoseconds. */
void rest(uint64_t ns);

/* Make the pages: false without memory. Then the thread. */
bool memory_init(uint64_t mib, uint64_t cold_mib);
void memory_work(void *arg);

/* The disk is connected. */
bool disk_init(void);
void disk_work(void *arg);

/* The interface is connected. */
void heart_init(void);
void heart_work(void *arg);

#endif
