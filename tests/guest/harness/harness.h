/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * harness.h - one test guest: claims ("items"), checks, one verdict
 *
 * A guest defines guest_test(). It opens an item by its number in the hostile-guest list (or any short
 * name) and checks things; a failed check marks the item and goes on. What is printed, one line each:
 *
 *   ITEM <guest> <item> success|skip|failure [why]
 *   guest-test <guest>: PASS|SKIP|FAIL|ERROR [why]
 *
 * The worst item decides the verdict. A guest that must be killed by what it does announces it:
 *
 *   DIES <guest> <item>       the next thing that happens is that the hypervisor crashes this domain
 *
 * and everything printed by it afterwards counts as failure. On the command line "hv=xen" selects the
 * codes of Xen 4.17 where ours differ on purpose (docs/abi-differences.md); "only=<n>" selects one of the
 * deadly cases of a guest.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "mm.h"


void guest_test(void);

void item(const char *name);
void item_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void item_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Say that the domain dies next. */
void item_dies(const char *name);
/* Reached only if the domain survived what should have killed it. */
void item_survived(void);

/* The hypervisor under test is Xen (the oracle), not ours. */
bool on_xen(void);
/* @ours on Paravane, @theirs on Xen. */
#define EITHER(ours, theirs) (on_xen() ? (theirs) : (ours))
/* @dom0 in the initial domain, @domu elsewhere. */
#define BY_DOMAIN(dom0, domu) (is_initial_domain() ? (dom0) : (domu))

#define CHECK(cond, ...) \
    do { \
        if (!(cond)) \
            item_fail(__VA_ARGS__); \
    } while (0)

void check_rc(const char *what, int line, long got, long want);
void check_negative(const char *what, int line, long got);
void check_one_of(const char *what, int line, long got, const long *set, unsigned n);
/* The call must return exactly @want. */
#define RC(call, want) check_rc(#call, __LINE__, (call), (want))
/* The call must return some error. */
#define NEGATIVE(call) check_negative(#call, __LINE__, (call))
/* The call must return one of the listed values. */
#define ONE_OF(call, ...) \
    do { \
        const long set_[] = { __VA_ARGS__ }; \
        check_one_of(#call, __LINE__, (call), set_, ARRAY_SIZE(set_)); \
    } while (0)

/* How much of something repeated to do: @full with "long" on the command line (make guest-soak), else @quick. */
uint64_t effort(uint64_t quick, uint64_t full);

/* A repeatable generator (xorshift64*); seed= on the command line. */
uint64_t random_next(uint64_t *state);

#endif
