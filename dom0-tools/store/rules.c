/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules.c - which action is due, and when
 *
 * An item is one path in the hands of one rule. It exists from the first time the path is seen
 * until it is gone and nothing is owed.
 *
 *   I1  mark ACTED with value v: an action upon v was completed; none is due while the path holds
 *       v.
 *   I2  due >= 0 only while the condition holds with a value that is not the mark's.
 *   I3  busy: an action of this item is with the caller; its strings do not move. What is observed
 *       meanwhile is kept and judged when it is done.
 *   I4  the journal is told a mark before anything that the mark stands for becomes visible.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "rules_internal.h"

#define NEVER (-1)

struct text {
    char *s;
    size_t len;
};

struct rule_item {
    struct rule *rule;
    char *path;
    struct text now;                /* what was observed last; s NULL: not there */
    struct text acted;              /* the mark's value */
    enum rule_mark mark;
    int64_t due;
    bool busy, again;
    struct rule_action action;
    struct text doing;              /* the action's value */
    struct rule_item *next;
};

static void set(struct text *t, const char *s, size_t len)
{
    char *copy = NULL;

    if (s && (copy = malloc(len + 1)) != NULL) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    free(t->s);
    t->s = copy;
    t->len = copy ? len : 0;
}

static bool same(const struct text *t, const char *s, size_t len)
{
    return t->s && s && t->len == len && !memcmp(t->s, s, len);
}

static unsigned bucket_of(const char *path)
{
    uint64_t h = 14695981039346656037ULL;

    while (*path)
        h = (h ^ (unsigned char)*path++) * 1099511628211ULL;
    return (unsigned)(h >> 32) % RULE_BUCKETS;
}

static struct rule_item *find(const struct rules *r, const struct rule *rule, const char *path)
{
    struct rule_item *i = r->buckets[bucket_of(path)];

    while (i && (i->rule != rule || strcmp(i->path, path)))
        i = i->next;
    return i;
}

static struct rule_item *make(struct rules *r, struct rule *rule, const char *path)
{
    struct rule_item *i = find(r, rule, path), **bucket = &r->buckets[bucket_of(path)];

    if (i)
        return i;
    i = calloc(1, sizeof(*i));
    if (i && !(i->path = strdup(path))) {
        free(i);
        i = NULL;
    }
    if (!i)
        return NULL;
    i->rule = rule;
    i->due = NEVER;
    i->next = *bucket;
    *bucket = i;
    return i;
}

static void drop(struct rules *r, struct rule_item *i)
{
    struct rule_item **link = &r->buckets[bucket_of(i->path)];

    while (*link != i)
        link = &(*link)->next;
    *link = i->next;
    for (char **w = i->action.argv; w && *w; w++)
        free(*w);
    free(i->action.argv);
    free(i->now.s);
    free(i->acted.s);
    free(i->doing.s);
    free(i->path);
    free(i);
}

void rules_free(struct rules *r)
{
    for (size_t b = 0; b < RULE_BUCKETS; b++) {
        while (r->buckets[b])
            drop(r, r->buckets[b]);
    }
    while (r->list) {
        struct rule *next = r->list->next;

        rule_free(r->list);
        r->list = next;
    }
    free(r);
}

size_t rules_count(const struct rules *r)
{
    return r->count;
}

void rules_journal(struct rules *r, rules_journal_fn *fn, void *arg)
{
    r->journal = fn;
    r->journal_arg = arg;
}

static void set_mark(struct rules *r, struct rule_item *i, enum rule_mark mark, const char *v,
                     size_t len)
{
    if (i->mark == mark && (mark == RULE_MARK_NONE || same(&i->acted, v, len)))
        return;
    if (r->journal)                                                                 /* I4 */
        r->journal(r->journal_arg, i->rule->name, i->path, mark, v, len);
    i->mark = mark;
    set(&i->acted, mark == RULE_MARK_NONE ? NULL : v, len);
}

static bool fits(const struct rule *rule, int id, const struct store_arg *args)
{
    if (rule->id != id)
        return false;
    for (unsigned i = 0; i < rule->nargs; i++) {
        char num[STORE_NUM_MAX];
        struct store_arg a = args[i];

        if (!rule->fixed[i])
            continue;
        if (!a.s) {
            snprintf(num, sizeof(num), "%llu", (unsigned long long)a.n);
            a = store_s(num);
        }
        if (strlen(rule->fixed[i]) != a.len || memcmp(rule->fixed[i], a.s, a.len))
            return false;
    }
    return true;
}

/* Does the condition hold?  For gone: the caller has seen to it that the path was there once. */
static bool holds(const struct rule_item *i)
{
    const struct rule *rule = i->rule;
    bool equal = rule->value && same(&i->now, rule->value, strlen(rule->value));

    switch (rule->when) {
    case RULE_EQUALS:
        return equal;
    case RULE_DIFFERS:
        return i->now.s && !equal;
    case RULE_GONE:
        return !i->now.s;
    default:
        return i->now.s != NULL;
    }
}

/* Judge an item by what it holds now. May free it. */
static void judge(struct rules *r, struct rule_item *i, int64_t now)
{
    const struct rule *rule = i->rule;
    bool once = rule->when == RULE_APPEARS || rule->when == RULE_GONE;
    bool did = i->mark == RULE_MARK_ACTED && (once || same(&i->acted, i->now.s, i->now.len));

    if (i->busy)                                                                    /* I3 */
        return;
    if (rule->when == RULE_GONE && i->now.s) {
        set_mark(r, i, RULE_MARK_SEEN, "", 0);
        i->due = NEVER;
        return;
    }
    if (rule->when == RULE_CHANGES && i->mark == RULE_MARK_NONE && i->now.s)
        set_mark(r, i, RULE_MARK_ACTED, i->now.s, i->now.len);
    else if (holds(i) && !did && (rule->when != RULE_GONE || i->mark != RULE_MARK_NONE))
        i->due = i->due == NEVER ? now + rule->debounce : i->due;
    else
        i->due = NEVER;
    if (!holds(i) && i->mark != RULE_MARK_NONE)
        set_mark(r, i, RULE_MARK_NONE, NULL, 0);
    if (!i->now.s && i->due == NEVER) {
        set_mark(r, i, RULE_MARK_NONE, NULL, 0);
        drop(r, i);
    }
}

void rules_restore(struct rules *r, const char *rule_name, const char *path, enum rule_mark mark,
                   const char *value, size_t len)
{
    struct store_arg args[STORE_ARGS_MAX];
    int id = store_match(path, strlen(path), args);

    for (struct rule *rule = r->list; rule; rule = rule->next) {
        struct rule_item *i;

        if (strcmp(rule->name, rule_name) || !fits(rule, id, args) || mark == RULE_MARK_NONE)
            continue;
        i = make(r, rule, path);
        if (!i)
            return;
        i->mark = mark;
        i->again = mark == RULE_MARK_TRYING;
        set(&i->acted, value, len);
    }
}

void rules_observe(struct rules *r, const char *path, const char *v, size_t len, int64_t now)
{
    struct store_arg args[STORE_ARGS_MAX];
    int id = store_match(path, strlen(path), args);

    for (struct rule *rule = r->list; rule; rule = rule->next) {
        struct rule_item *i;

        if (!fits(rule, id, args))
            continue;
        i = v ? make(r, rule, path) : find(r, rule, path);
        if (!i)
            continue;
        if (!same(&i->now, v, len))
            i->due = NEVER;                         /* debounce: the new value starts anew */
        set(&i->now, v, len);
        judge(r, i, now);
    }
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return !strcmp(dir, "/") || (!strncmp(path, dir, len) && (!path[len] || path[len] == '/'));
}

const char *rules_watch(const struct rules *r, size_t n)
{
    for (const struct rule *a = r->list; a; a = a->next) {
        bool covered = false;

        for (const struct rule *b = r->list; b && !covered; b = b->next) {
            bool equal = !strcmp(a->watch, b->watch);

            covered = b != a && is_below(a->watch, b->watch) && (!equal || b < a);
        }
        if (!covered && n-- == 0)
            return a->watch;
    }
    return NULL;
}

bool rules_cares(const struct rules *r, const char *path)
{
    struct store_arg args[STORE_ARGS_MAX];
    int id = store_match(path, strlen(path), args);

    for (const struct rule *rule = r->list; rule; rule = rule->next) {
        if (fits(rule, id, args) || is_below(rule->watch, path))
            return true;
    }
    for (size_t b = 0; b < RULE_BUCKETS; b++) {
        for (const struct rule_item *i = r->buckets[b]; i; i = i->next) {
            if (is_below(i->path, path))
                return true;
        }
    }
    return false;
}

bool rules_unknown(const struct rules *r, const char *path)
{
    struct store_arg args[STORE_ARGS_MAX];
    int id = store_match(path, strlen(path), args);

    for (const struct rule *rule = r->list; rule; rule = rule->next) {
        if (fits(rule, id, args) && !find(r, rule, path))
            return true;
    }
    return false;
}

void rules_below(struct rules *r, const char *dir, void (*fn)(void *arg, const char *path),
                 void *arg)
{
    for (size_t b = 0; b < RULE_BUCKETS; b++) {
        for (struct rule_item *i = r->buckets[b], *next; i; i = next) {
            char *path = is_below(i->path, dir) ? strdup(i->path) : NULL;

            next = i->next;                         /* fn may observe i away, and only i's path */
            while (path && next && !strcmp(next->path, path))
                next = next->next;
            if (path)
                fn(arg, path);
            free(path);
        }
    }
}

/* When the rule's limit lets the next action through. */
static int64_t allowed(const struct rule *rule)
{
    return rule->limit ? rule->recent[rule->turn] + rule->period : INT64_MIN;
}

/* One word with its ${...} replaced. */
static char *expand(const struct rule_item *i, const char *w, const struct store_arg *args)
{
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);

    while (f && *w) {
        size_t len;

        if (strncmp(w, "${", 2)) {
            putc(*w++, f);
            continue;
        }
        w += 2;
        len = strcspn(w, "}");
        if (!strncmp(w, "path}", 5))
            fputs(i->path, f);
        else if (!strncmp(w, "value}", 6))
            fputs(i->doing.s ? i->doing.s : "", f);
        else if (!strncmp(w, "rule}", 5))
            fputs(i->rule->name, f);
        for (unsigned a = 0; a < i->rule->nargs; a++) {
            if (strlen(i->rule->arg_name[a]) != len || strncmp(i->rule->arg_name[a], w, len))
                continue;
            if (args[a].s)
                fwrite(args[a].s, 1, args[a].len, f);
            else
                fprintf(f, "%llu", (unsigned long long)args[a].n);
        }
        w += len + (w[len] == '}');
    }
    if (!f || fclose(f) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

/* Hand the item's action out. False without memory: it stays due. */
static bool begin(struct rules *r, struct rule_item *i, int64_t now)
{
    struct store_arg args[STORE_ARGS_MAX];
    struct rule *rule = i->rule;
    size_t n = 0;

    store_match(i->path, strlen(i->path), args);
    for (char **w = i->action.argv; w && *w; w++)
        free(*w);
    free(i->action.argv);
    i->action.argv = calloc(RULE_WORDS_MAX + 1, sizeof(char *));
    set(&i->doing, i->now.s ? i->now.s : "", i->now.len);
    while (i->action.argv && i->doing.s && rule->words[n]) {
        i->action.argv[n] = expand(i, rule->words[n], args);
        if (!i->action.argv[n])
            return false;
        n++;
    }
    if (!i->action.argv || !i->doing.s)
        return false;
    i->action.rule = rule->name;
    i->action.path = i->path;
    i->action.value = i->doing.s;
    i->action.len = i->doing.len;
    i->action.again = i->again && same(&i->acted, i->doing.s, i->doing.len);
    i->action.item = i;
    i->mark = i->action.again ? RULE_MARK_NONE : i->mark;       /* tell the journal again */
    set_mark(r, i, RULE_MARK_TRYING, i->doing.s, i->doing.len);
    i->again = false;
    i->busy = true;
    i->due = NEVER;
    if (rule->limit) {
        rule->recent[rule->turn] = now;
        rule->turn = (rule->turn + 1) % rule->limit;
    }
    return true;
}

const struct rule_action *rules_due(struct rules *r, int64_t now)
{
    struct rule_item *best = NULL;

    for (size_t b = 0; b < RULE_BUCKETS; b++) {
        for (struct rule_item *i = r->buckets[b]; i; i = i->next) {
            if (!i->busy && i->due != NEVER && i->due <= now && allowed(i->rule) <= now &&
                (!best || i->due < best->due))
                best = i;
        }
    }
    return best && begin(r, best, now) ? &best->action : NULL;
}

void rules_done(struct rules *r, const struct rule_action *a, int64_t now)
{
    struct rule_item *i = a->item;

    i->busy = false;
    set_mark(r, i, RULE_MARK_ACTED, i->doing.s, i->doing.len);
    if (i->rule->when == RULE_GONE && !i->now.s) {
        set_mark(r, i, RULE_MARK_NONE, NULL, 0);
        drop(r, i);
        return;
    }
    judge(r, i, now);
}

int64_t rules_next(const struct rules *r)
{
    int64_t soonest = NEVER;

    for (size_t b = 0; b < RULE_BUCKETS; b++) {
        for (const struct rule_item *i = r->buckets[b]; i; i = i->next) {
            int64_t at = i->due;

            if (i->busy || at == NEVER)
                continue;
            if (allowed(i->rule) > at)
                at = allowed(i->rule);
            if (soonest == NEVER || at < soonest)
                soonest = at;
        }
    }
    return soonest;
}
