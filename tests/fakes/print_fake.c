/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print_fake.c - the log of the host build: dropped, or on stderr with fake_print */
#include <stdarg.h>
#include <stdio.h>

#include "machine_fake.h"
#include "print.h"

bool fake_print;
_Thread_local char fake_printed[512];

void printk(enum loglvl lvl, const char *fmt, ...)
{
    va_list ap;

    (void)lvl;
    __atomic_fetch_add(&fake_log.prints, 1, __ATOMIC_RELAXED);
    va_start(ap, fmt);
    vsnprintf(fake_printed, sizeof(fake_printed), fmt, ap);
    va_end(ap);
    if (fake_print)
        fputs(fake_printed, stderr);
}

void printk_guest(const struct domain *d, enum loglvl lvl, const char *fmt, ...)
{
    va_list ap;

    (void)lvl;
    __atomic_fetch_add(&fake_log.prints, 1, __ATOMIC_RELAXED);
    if (!fake_print)
        return;
    fprintf(stderr, "(d%u) ", (unsigned)d->id);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}
