/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdict keeping for test guests; owns the current item and the worst result so far. */
#include "harness.h"

#define NOTES_PER_ITEM 8

enum result { SUCCESS, SKIP, FAILURE, ERROR };

static const char *const result_name[] = { "success", "skip", "failure", "error" };
static const char *const verdict_name[] = { "PASS", "SKIP", "FAIL", "ERROR" };
static const char *current;
static enum result current_result;
static char why[160];
static unsigned counts[4];
static unsigned notes;                  /* failures printed for the current item */

const char guest_name[] = GUEST_NAME;

uint64_t effort(uint64_t quick, uint64_t full)
{
    return cmdline_has("long") ? full : quick;
}

bool on_xen(void)
{
    return cmdline_has("hv=xen");
}

static void item_close(void)
{
    if (current == NULL)
        return;
    counts[current_result]++;
    printf("ITEM %s %s %s%s%s\n", guest_name, current, result_name[current_result], why[0] ? " " : "", why);
    current = NULL;
}

void item(const char *name)
{
    item_close();
    current = name;
    current_result = SUCCESS;
    notes = 0;
    why[0] = '\0';
}

static void note(enum result r, const char *format, va_list ap)
{
    char line[160];

    vsnprintf(line, sizeof(line), format, ap);
    if (r == FAILURE && notes++ < NOTES_PER_ITEM)
        printf("  %s: %s\n", current != NULL ? current : "?", line);
    if (r > current_result) {
        current_result = r;
        memcpy(why, line, sizeof(why));
    }
}

void item_fail(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    note(FAILURE, format, ap);
    va_end(ap);
}

void item_skip(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    note(SKIP, format, ap);
    va_end(ap);
}

void item_dies(const char *name)
{
    item_close();
    current = name;
    printf("DIES %s %s\n", guest_name, name);
}

void item_survived(void)
{
    item_fail("the domain is still alive");
}

void check_rc(const char *what, int line, long got, long want)
{
    if (got != want)
        item_fail("line %d: %s = %ld, want %ld", line, what, got, want);
}

void check_negative(const char *what, int line, long got)
{
    if (got >= 0)
        item_fail("line %d: %s = %ld, want an error", line, what, got);
}

void check_one_of(const char *what, int line, long got, const long *set, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (got == set[i])
            return;
    item_fail("line %d: %s = %ld, want %ld or another of %u", line, what, got, set[0], n);
}

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dUL;
}

int guest_main(void)
{
    enum result worst = SUCCESS;

    guest_test();
    item_close();
    for (enum result r = SUCCESS; r <= ERROR; r++)
        if (counts[r] > 0)
            worst = r;
    if (worst == SKIP && counts[SUCCESS] > 0)
        worst = SUCCESS;
    printf("guest-test %s: %s %u items, %u skipped, %u failed\n", guest_name, verdict_name[worst],
           counts[SUCCESS] + counts[SKIP] + counts[FAILURE], counts[SKIP], counts[FAILURE]);
    return SHUTDOWN_poweroff;
}
