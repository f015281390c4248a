/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * live.h - tests on a running daemon: the suite runs once on xenstored and once on oxenstored
 *
 * The daemons are Debian's, as the build unpacked them. Where one is not there its suite fails: a
 * test that has not run has not passed.
 */
#ifndef STORE_LIVE_H
#define STORE_LIVE_H

#include <CUnit/Basic.h>

#include "lint.h"
#include "store_host.h"

extern struct host live_host;

/* What lint has to say about the live store. */
struct verdict {
    size_t count, kinds[LINT_STALLED + 1], errors;
    bool print;
};
/* @domid -1: all. @print: findings to stderr. */
struct verdict live_lint(int domid, bool print);

/* A domain of sample.c that has connected; live_end() leaves what destroy leaves: nothing. */
void live_make(struct store_io *io, uint32_t domid);
void live_end(struct xs_handle *xs, uint32_t domid);

/* Run the tests that @add adds to a suite, on both daemons; the program's exit status. */
int live_main(void (*add)(CU_pSuite s));
/* The same for programs that start and stop the daemon themselves. */
int live_suites(void (*add)(CU_pSuite s), int (*start)(void), int (*stop)(void), bool *ocaml);

#endif
