/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules.h - when a path takes a value, do something, once
 *
 * A rule file has one rule a line (# starts a comment):
 *
 *   on NAME: PATTERN CONDITION [debounce MS] [limit N/SECONDS] do WORD...
 *
 *   PATTERN    a path of the schema with its placeholders, any of which may be a fixed value or *:
 *              /local/domain/<domid>/control/shutdown, /local/domain/0/backend/vbd/7/<devid>/state
 *   CONDITION  = VALUE    != VALUE    appears    changes    gone
 *   debounce   the condition must have held for so many milliseconds
 *   limit      at most N actions of this rule in so many seconds; the rest wait their turn
 *   WORD       a command and its arguments, "quoted" if need be; ${path}, ${value}, ${rule} and the
 *              placeholders' names (${domid}) are replaced inside a word. No shell is involved.
 *
 * What a rule promises. State counts, not events: when the store is looked at and the condition
 * holds with a value that was not acted upon yet, one action is due. Values that come and go
 * between two looks are not seen. An action upon a value is not repeated until the condition has
 * failed or the value has changed in between. With a journal (below) this holds across restarts of
 * the program and, as far as the store itself survives, of xenstored. An action that was under way
 * at a crash has an unknown outcome and is done again, marked as such: at least once then, exactly
 * once otherwise. `changes` takes the first value it ever sees as given.
 *
 * This half decides and does no I/O: the caller observes paths, performs what is due, keeps the
 * journal and owns the clock (any monotonic milliseconds). `vane on` is one such caller, about 300
 * lines; a program with its own loop can be another. One thread per struct rules.
 */
#ifndef STORE_RULES_H
#define STORE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum rule_when { RULE_EQUALS, RULE_DIFFERS, RULE_APPEARS, RULE_CHANGES, RULE_GONE };

struct rules;

/* Something to do now. Everything belongs to the rules until rules_done(). */
struct rule_action {
    const char *rule;
    const char *path;
    const char *value;              /* "" for gone */
    size_t len;
    char **argv;                    /* replaced words, NULL at the end */
    bool again;                     /* it was under way when a journal's writer died */
    struct rule_item *item;         /* ours */
};

/* What the journal must hold for one path of one rule; see rules_journal(). */
enum rule_mark { RULE_MARK_NONE, RULE_MARK_SEEN, RULE_MARK_TRYING, RULE_MARK_ACTED };

typedef void rules_journal_fn(void *arg, const char *rule, const char *path, enum rule_mark mark,
                              const char *value, size_t len);

/* Parse a file. NULL with "line N: why" in @err on a mistake. */
struct rules *rules_parse(FILE *in, char *err, size_t size);
void rules_free(struct rules *r);
size_t rules_count(const struct rules *r);

/*
 * Where marks are to be kept, told before each takes effect: a RULE_MARK_TRYING that is stored when
 * the call returns is what makes an action exactly-once. May be NULL.
 */
void rules_journal(struct rules *r, rules_journal_fn *fn, void *arg);

/* Give back a mark, before the first observation. Unknown rules and marks are ignored. */
void rules_restore(struct rules *r, const char *rule, const char *path, enum rule_mark mark,
                   const char *value, size_t len);

/* The shortest set of paths whose watches cover all rules: the @i-th, NULL at the end. */
const char *rules_watch(const struct rules *r, size_t i);

/* Does a rule cover @path without having it in hand yet?  A directory made along with a node below
 * it has no event of its own: ask this for each directory above an event. */
bool rules_unknown(const struct rules *r, const char *path);

/* Is a change at @path of interest?  True also for a directory above a path in hand. */
bool rules_cares(const struct rules *r, const char *path);

/* @path holds v[0..len) now; v NULL: it is not there. */
void rules_observe(struct rules *r, const char *path, const char *v, size_t len, int64_t now);

/* Call fn for each path in hand at or below @dir, which the caller should look at again. */
void rules_below(struct rules *r, const char *dir, void (*fn)(void *arg, const char *path),
                 void *arg);

/* The next action that is due, or NULL. To be answered by rules_done(), at any later time. */
const struct rule_action *rules_due(struct rules *r, int64_t now);
void rules_done(struct rules *r, const struct rule_action *a, int64_t now);

/* When rules_due() may have something if nothing is observed until then; -1: never. */
int64_t rules_next(const struct rules *r);

#endif
