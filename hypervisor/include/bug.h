/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bug.h - our own bugs, never a guest's
 *
 * BUG_ON stays in every build and guards memory-safety facts. ASSERT documents and checks an invariant; it is on
 * unless NDEBUG. Neither may ever be reachable from data that a guest, a stream or a tool controls: such data is
 * answered with an error code (hardening.md 1.1, XSA-37, XSA-251).
 */
#ifndef PARAVANE_BUG_H
#define PARAVANE_BUG_H

#include "types.h"

/* Print, dump state, stop the machine (metal) or abort() (host). Supplied by machine.h's implementer. */
NORETURN void bug_report(const char *file, int line, const char *what);

#define BUG() bug_report(__FILE__, __LINE__, "BUG")
#define BUG_ON(cond)                                      \
    do {                                                  \
        if (unlikely(cond))                               \
            bug_report(__FILE__, __LINE__, #cond);        \
    } while (0)

#ifdef NDEBUG
#define ASSERT(cond) do { (void)sizeof(cond); } while (0)
#else
#define ASSERT(cond)                                      \
    do {                                                  \
        if (unlikely(!(cond)))                            \
            bug_report(__FILE__, __LINE__, "ASSERT " #cond); \
    } while (0)
#endif

#endif
