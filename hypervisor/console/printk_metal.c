/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printk_metal.c - our messages: level, prefix, log ring, consoles
 *
 *   loglvl=LOWER[/UPPER]   none error warning info debug all; messages up to LOWER are printed, those between LOWER
 *   guest_loglvl=...       and UPPER at a limited rate. Defaults: info, and none/warning for what guests cause.
 *
 *   I1  a message that a guest can cause is never printed at an unlimited rate unless guest_loglvl asks for it.
 */
#include "print.h"

#include <string.h>

#include "console/console.h"
#include "console/console_priv.h"
#include "domain/domain.h"
#include "machine.h"
#include "softirq.h"

#define MAX_MESSAGE 512
#define PREFIX "(hv) "
#define BURST 20u
#define INTERVAL_NS 500000000UL         /* one more message every half second */

struct threshold { int lower, upper; };         /* levels below lower: always; below upper: limited */

static struct threshold ours = { LOG_INFO + 1, LOG_INFO + 1 };
static struct threshold guests = { LOG_ERR, LOG_WARNING + 1 };
/* under the console lock */
static bool mid_line;
static unsigned credit = BURST, suppressed;
static uint64_t refilled;

static int parse_level(const char *s, const char **end)
{
    static const struct { const char *name; int threshold; } names[] = {
        { "none", LOG_ERR },         { "error", LOG_ERR + 1 },   { "warning", LOG_WARNING + 1 },
        { "info", LOG_INFO + 1 },    { "debug", LOG_DEBUG + 1 }, { "all", LOG_DEBUG + 1 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const size_t len = strlen(names[i].name);
        if (strncmp(s, names[i].name, len) == 0) {
            *end = s + len;
            return names[i].threshold;
        }
    }
    return -1;
}

static void parse_thresholds(const char *s, struct threshold *t)
{
    const int lower = parse_level(s, &s);
    if (lower < 0)
        return;
    const int upper = *s == '/' ? parse_level(s + 1, &s) : lower;
    *t = (struct threshold){ lower, MAX(lower, upper) };
}

void printk_init(const char *cmdline)
{
    char value[32];

    if (console_option(cmdline, "loglvl", value, sizeof(value)))
        parse_thresholds(value, &ours);
    if (console_option(cmdline, "guest_loglvl", value, sizeof(value)))
        parse_thresholds(value, &guests);
}

/* Under the console lock. The clock may not run yet at boot: then the burst is all there is. */
static bool within_rate(void)
{
    const uint64_t now = machine_now(), earned = (now - refilled) / INTERVAL_NS;

    if (earned > 0) {
        credit = (unsigned)MIN(credit + earned, BURST);
        refilled = now;
    }
    if (credit == 0) {
        suppressed++;
        return false;
    }
    credit--;
    return true;
}

static void emit(const char *s, size_t n)
{
    console_ring_put(s, n);
    console_put_locked(s, n);
    if (dom0)
        softirq_raise(SOFTIRQ_KEYS);            /* VIRQ_CON_RING, from where locks may be taken */
}

/* Each line gets the prefix; a message without a final newline is continued by the next. */
static void emit_lines(const char *s)
{
    while (*s) {
        const char *nl = strchr(s, '\n');
        const size_t n = nl ? (size_t)(nl - s) + 1 : strlen(s);
        if (!mid_line)
            emit(PREFIX, sizeof(PREFIX) - 1);
        emit(s, n);
        mid_line = !nl;
        s += n;
    }
}

static void print(const struct threshold *t, enum loglvl lvl, const char *fmt, va_list ap)
{
    char text[MAX_MESSAGE];

    if ((int)lvl >= t->upper)
        return;
    hv_vsnprintf(text, sizeof(text), fmt, ap);

    const unsigned long flags = console_lock();
    if ((int)lvl < t->lower || within_rate()) {
        if (suppressed > 0 && (int)lvl >= t->lower) {
            char note[64];
            hv_snprintf(note, sizeof(note), "%u messages suppressed\n", suppressed);
            suppressed = 0;
            emit_lines(note);
        }
        emit_lines(text);
    }
    console_unlock(flags);
}

void printk(enum loglvl lvl, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    print(&ours, lvl, fmt, ap);
    va_end(ap);
}

void printk_guest(const struct domain *d, enum loglvl lvl, const char *fmt, ...)
{
    char text[MAX_MESSAGE - 32];
    va_list ap;

    if ((int)lvl >= guests.upper)               /* before any work: guests can cause this */
        return;
    va_start(ap, fmt);
    hv_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    char line[MAX_MESSAGE];
    hv_snprintf(line, sizeof(line), "d%u: %s", d ? d->id : 0x7fffu, text);
    const unsigned long flags = console_lock();
    if ((int)lvl < guests.lower || within_rate())
        emit_lines(line);
    console_unlock(flags);
}
