/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules_parse.c - the text of a rule
 *
 *   I1  a rule's pattern is one the schema has: a typing mistake in a path is found here, not by a
 *       rule that never fires.
 *   I2  a rule's value is one the path can take, for the same reason.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rules_internal.h"

struct parser {
    char *at, *err;
    size_t size;
    unsigned line;
};

static bool fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct parser *p, const char *fmt, ...)
{
    int n = snprintf(p->err, p->size, "line %u: ", p->line);
    va_list ap;

    va_start(ap, fmt);
    if (n > 0 && (size_t)n < p->size)
        vsnprintf(p->err + n, p->size - (size_t)n, fmt, ap);
    va_end(ap);
    return false;
}

/* The next word, or NULL; "quoted words" may hold blanks, \" and \\. Cuts the line in place. */
static char *word(struct parser *p)
{
    char *s = p->at + strspn(p->at, " \t"), *out = s;

    if (!*s || *s == '#')
        return NULL;
    if (*s != '"') {
        p->at = s + strcspn(s, " \t");
        if (*p->at)
            *p->at++ = '\0';
        return s;
    }
    for (p->at = s + 1; *p->at && *p->at != '"'; p->at++) {
        if (*p->at == '\\' && p->at[1])
            p->at++;
        *out++ = *p->at;
    }
    if (*p->at)
        p->at++;
    *out = '\0';
    return s;
}

void rule_free(struct rule *rule)
{
    for (size_t i = 0; i < STORE_ARGS_MAX; i++) {
        free(rule->fixed[i]);
        free(rule->arg_name[i]);
    }
    for (size_t i = 0; rule->words[i]; i++)
        free(rule->words[i]);
    free(rule->value);
    free(rule->watch);
    free(rule->recent);
    free(rule);
}

/* The trie node for one segment of a pattern; a fixed value for a placeholder goes to @rule. */
static uint16_t pattern_step(struct rule *rule, uint16_t seg, const char *s, size_t len)
{
    size_t lit = 0;
    struct store_arg arg;
    uint16_t c;

    while (lit < len && s[lit] != '<' && s[lit] != '*')
        lit++;
    if (lit == len) {
        c = store_step(seg, s, len, &arg);
        if (c != STORE_NONE && store_segs[c].param != STORE_NONE) {
            size_t skip = strlen(store_segs[c].lit);

            rule->fixed[rule->nargs++] = strndup(s + skip, len - skip);
        }
        return c;
    }
    for (c = store_segs[seg].child; c != STORE_NONE; c = store_segs[c].next) {
        if (store_segs[c].param != STORE_NONE && strlen(store_segs[c].lit) == lit &&
            !strncmp(store_segs[c].lit, s, lit)) {
            rule->nargs++;
            break;
        }
    }
    return c;
}

static bool name_args(struct rule *rule)
{
    const char *s = store_paths[rule->id].pattern;

    for (unsigned i = 0; i < rule->nargs; i++) {
        s = strchr(s, '<') + 1;
        rule->arg_name[i] = strndup(s, strcspn(s, ":>"));
        if (!rule->arg_name[i])
            return false;
    }
    return true;
}

static bool parse_pattern(struct parser *p, struct rule *rule, const char *pattern)
{
    size_t fixed = strcspn(pattern, "<*");
    uint16_t seg = 0;

    if (pattern[0] != '/')
        return fail(p, "a path of the schema begins with /");
    for (const char *s = pattern; *s && seg != STORE_NONE;) {
        size_t len = strcspn(++s, "/");

        seg = len ? pattern_step(rule, seg, s, len) : STORE_NONE;
        s += len;
    }
    if (seg == STORE_NONE || store_segs[seg].path == STORE_NONE)
        return fail(p, "%s is not in the schema (see docs/xenstore.md)", pattern);          /* I1 */
    rule->id = store_segs[seg].path;
    while (pattern[fixed] && fixed > 1 && pattern[fixed - 1] != '/')
        fixed--;
    if (pattern[fixed] && fixed > 1)
        fixed--;
    rule->watch = strndup(pattern, fixed);
    return rule->watch && name_args(rule) ? true : fail(p, "out of memory");
}

static bool parse_condition(struct parser *p, struct rule *rule)
{
    static const struct {
        const char *word;
        enum rule_when when;
        bool value;
    } list[] = { { "=", RULE_EQUALS, true }, { "!=", RULE_DIFFERS, true },
                 { "appears", RULE_APPEARS, false }, { "changes", RULE_CHANGES, false },
                 { "gone", RULE_GONE, false } };
    const char *w = word(p), *v;

    for (size_t i = 0; w && i < sizeof(list) / sizeof(list[0]); i++) {
        if (strcmp(list[i].word, w))
            continue;
        rule->when = list[i].when;
        if (!list[i].value)
            return true;
        v = word(p);
        if (!v || !(rule->value = strdup(v)))
            return fail(p, "%s what?", w);
        if (store_value_check(store_paths[rule->id].type, v, strlen(v)))                    /* I2 */
            return fail(p, "%s can never be \"%s\": it is a %s", store_paths[rule->id].pattern, v,
                        store_types[store_paths[rule->id].type].name);
        return true;
    }
    return fail(p, "after the path: = VALUE, != VALUE, appears, changes or gone");
}

/* A number with an optional unit at its end; -1 for anything else. */
static int64_t parse_time(const char *s, int64_t bare_unit)
{
    char *end = NULL;
    unsigned long n = s ? strtoul(s, &end, 10) : 0;

    if (!s || end == s || n > 86400000UL)
        return -1;
    if (!strcmp(end, "ms"))
        return (int64_t)n;
    if (!strcmp(end, "s"))
        return (int64_t)n * 1000;
    return *end ? -1 : (int64_t)n * bare_unit;
}

static bool parse_limit(struct parser *p, struct rule *rule, char *w)
{
    char *slash = w ? strchr(w, '/') : NULL;
    unsigned long n;

    if (!slash)
        return fail(p, "limit N/SECONDS");
    *slash = '\0';
    n = strtoul(w, NULL, 10);
    rule->period = parse_time(slash + 1, 1000);
    if (n == 0 || n > 10000 || rule->period <= 0)
        return fail(p, "limit N/SECONDS, both above 0");
    rule->limit = (unsigned)n;
    rule->recent = calloc(n, sizeof(*rule->recent));
    for (unsigned long i = 0; rule->recent && i < n; i++)
        rule->recent[i] = INT64_MIN / 2;
    return rule->recent ? true : fail(p, "out of memory");
}

static bool parse_options(struct parser *p, struct rule *rule)
{
    for (;;) {
        char *w = word(p);

        if (!w)
            return fail(p, "do what?");
        if (!strcmp(w, "do"))
            return true;
        if (!strcmp(w, "debounce")) {
            rule->debounce = parse_time(word(p), 1);
            if (rule->debounce < 0)
                return fail(p, "debounce MILLISECONDS");
        } else if (!strcmp(w, "limit")) {
            if (!parse_limit(p, rule, word(p)))
                return false;
        } else {
            return fail(p, "unknown word %s", w);
        }
    }
}

/* Every ${name} must be one that the rule has. */
static bool check_words(struct parser *p, const struct rule *rule, const char *w)
{
    static const char *const always[] = { "path", "value", "rule" };

    for (w = strstr(w, "${"); w; w = strstr(w, "${")) {
        size_t len = strcspn(w += 2, "}");
        bool known = false;

        for (size_t i = 0; i < 3; i++)
            known |= strlen(always[i]) == len && !strncmp(always[i], w, len);
        for (unsigned i = 0; i < rule->nargs; i++)
            known |= strlen(rule->arg_name[i]) == len && !strncmp(rule->arg_name[i], w, len);
        if (!known)
            return fail(p, "no such value: ${%.*s}", (int)len, w);
    }
    return true;
}

static bool parse_command(struct parser *p, struct rule *rule)
{
    size_t n = 0;
    char *w;

    while ((w = word(p)) != NULL) {
        if (n == RULE_WORDS_MAX)
            return fail(p, "more than %d words", RULE_WORDS_MAX);
        if (!check_words(p, rule, w))
            return false;
        rule->words[n] = strdup(w);
        if (!rule->words[n++])
            return fail(p, "out of memory");
    }
    return n ? true : fail(p, "do what?");
}

static bool parse_rule(struct parser *p, struct rule *rule)
{
    char *name = word(p), *pattern;
    size_t len = name ? strlen(name) : 0;

    if (len < 2 || name[len - 1] != ':')
        return fail(p, "on NAME: PATTERN ...");
    name[len - 1] = '\0';
    if (store_value_check(STORE_TYPE_WORD, name, len - 1))
        return fail(p, "a name is 1 to 64 of A-Z a-z 0-9 _ @ -");
    memcpy(rule->name, name, len);
    pattern = word(p);
    return pattern && parse_pattern(p, rule, pattern) && parse_condition(p, rule) &&
           parse_options(p, rule) && parse_command(p, rule);
}

static bool parse_line(struct parser *p, struct rules *r)
{
    struct rule *rule, **link = &r->list;
    const char *w = word(p);

    if (!w)
        return true;
    if (strcmp(w, "on"))
        return fail(p, "a rule begins with on");
    rule = calloc(1, sizeof(*rule));
    if (!rule)
        return fail(p, "out of memory");
    if (!parse_rule(p, rule)) {
        if (!p->err[0])
            fail(p, "on NAME: PATTERN ...");
        rule_free(rule);
        return false;
    }
    for (; *link; link = &(*link)->next) {
        if (!strcmp((*link)->name, rule->name)) {
            fail(p, "two rules named %s", rule->name);
            rule_free(rule);
            return false;
        }
    }
    *link = rule;
    r->count++;
    return true;
}

struct rules *rules_parse(FILE *in, char *err, size_t size)
{
    struct rules *r = calloc(1, sizeof(*r));
    struct parser p = { .err = err, .size = size };
    char *line = NULL;
    size_t room = 0;
    bool ok = r != NULL;

    err[0] = '\0';
    while (ok && getline(&line, &room, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        p.line++;
        p.at = line;
        ok = parse_line(&p, r);
    }
    free(line);
    if (!ok && r) {
        rules_free(r);
        r = NULL;
    }
    return r;
}
