/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_log.c - what an unprivileged guest writes with console_io, as lines of our log
 *
 * A guest can neither inject terminal control codes, nor fake a line of ours (each starts with "(dN) "), nor flood
 * the log: lines are paid for from a bucket that fills with time, and what is dropped is counted and told once.
 *
 *   I1  the buffer holds printable bytes and tabs only, and never more than LINE_MAX.
 *
 * ABI: console_io write; abi-map pitfall 72, XSA-146.
 */
#include "console/console.h"

#include "heap.h"
#include "lock.h"
#include "machine.h"
#include "print.h"

#define LINE_MAX 160u
#define BURST_LINES 200u
#define LINE_INTERVAL_NS 20000000UL     /* 50 lines a second in the long run */

struct guest_log {
    spinlock_t lock;            /* RANK_IOCAPS: any rank outside CONSOLE does */
    unsigned len;
    uint64_t refilled;          /* machine_now() up to which credit has been given */
    unsigned credit, dropped;
    char line[LINE_MAX + 1];
};

/* d->log is made by the first byte written; two vCPUs may race to do it. */
static struct guest_log *log_of(struct domain *d)
{
    struct guest_log *have = __atomic_load_n(&d->log, __ATOMIC_ACQUIRE);
    if (have)
        return have;

    struct guest_log *made = heap_alloc(sizeof(*made));
    if (!made)
        return NULL;
    spin_lock_init(&made->lock, RANK_IOCAPS);
    made->credit = BURST_LINES;
    made->refilled = machine_now();
    if (__atomic_compare_exchange_n(&d->log, &have, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    heap_free(made);
    return have;
}

static bool may_print(struct guest_log *l)
{
    const uint64_t now = machine_now();
    const uint64_t earned = (now - l->refilled) / LINE_INTERVAL_NS;

    if (earned > 0) {
        l->credit = (unsigned)MIN(l->credit + earned, BURST_LINES);
        l->refilled += earned * LINE_INTERVAL_NS;
    }
    if (l->credit == 0)
        return false;
    l->credit--;
    return true;
}

static void flush_line(struct domain *d, struct guest_log *l)
{
    l->line[l->len] = '\0';
    l->len = 0;
    if (!may_print(l)) {
        l->dropped++;
        return;
    }
    if (l->dropped > 0)
        pr_info("d%u: %u lines of console output dropped\n", d->id, l->dropped);
    l->dropped = 0;
    pr_info("(d%u) %s\n", d->id, l->line);
}

void console_guest_write(struct domain *d, const char *s, size_t n)
{
    struct guest_log *l = log_of(d);
    if (!l)
        return;

    spin_lock(&l->lock);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];
        if (c == '\n') {
            flush_line(d, l);
            continue;
        }
        if ((c < ' ' && c != '\t') || c >= 0x7f)                /* I1 */
            continue;
        l->line[l->len++] = (char)c;
        if (l->len == LINE_MAX)
            flush_line(d, l);
    }
    spin_unlock(&l->lock);
}

void console_domain_destroy(struct domain *d)
{
    heap_free(d->log);
    d->log = NULL;
}
