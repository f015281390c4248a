/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_events.c - `vane events PATTERN...`: what happens to paths of the schema, a JSON object a line
 *
 * The engine is that of `vane on` (runner.h): each pattern is three rules, `appears`, `changes` and
 * `gone`, whose action is the line. So the lines keep the rules' promises: with --journal NAME a
 * change is told once across restarts of the program, and again, marked so, only if the program died
 * between the line and its mark.
 *
 *   I1  a line has left the process when its mark is made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xenstore.h>

#include "cmd_internal.h"
#include "runner.h"
#include "store_cmd.h"
#include "store_schema.h"
#include "tree.h"

static const char *const whens[] = { "appears", "changes", "gone" };
static const char *const events[] = { "appeared", "changed", "gone" };

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "vane events: %s: %s\n", what, why);
    return EXIT_FAILED;
}

/* Rules NAME-I-W for pattern I and condition W; the command is a word that is never run. */
static struct rules *make_rules(const char *name, char **patterns, int n, char *err, size_t size)
{
    struct rules *rules = NULL;
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    for (int i = 0; f && i < n; i++) {
        if (strpbrk(patterns[i], " \t\n\"#"))
            snprintf(err, size, "%s is no pattern", patterns[i]);
        for (int w = 0; w < 3; w++)
            fprintf(f, "on %s-%d-%d: %s %s do print\n", name, i, w, patterns[i], whens[w]);
    }
    if (f && fclose(f) == 0 && !err[0] && (f = fmemopen(text, len, "r")) != NULL) {
        rules = rules_parse(f, err, size);
        fclose(f);
    }
    free(text);
    return rules;
}

static void put_args(FILE *f, const char *pattern, const struct store_arg *args)
{
    const char *sep = "";

    fputs(", \"args\": {", f);
    for (const char *s = strchr(pattern, '<'); s; s = strchr(s, '<'), args++) {
        size_t len = strcspn(++s, ":>");

        fprintf(f, "%s\"%.*s\": ", sep, (int)len, s);
        if (args->s)
            tree_quote(f, args->s, args->len, true);
        else
            fprintf(f, "%llu", (unsigned long long)args->n);
        sep = ", ";
    }
    putc('}', f);
}

/* False when nobody reads any more. */
static bool print_event(const struct rule_action *a)
{
    struct store_arg args[STORE_ARGS_MAX];
    int id = store_match(a->path, strlen(a->path), args);
    const char *event = events[a->rule[strlen(a->rule) - 1] - '0'];
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    printf("{\"time\": %lld.%06ld, \"event\": \"%s\", \"path\": ", (long long)ts.tv_sec,
           ts.tv_nsec / 1000, event);
    tree_quote(stdout, a->path, strlen(a->path), true);
    printf(", \"pattern\": \"%s\"", store_paths[id].pattern);
    put_args(stdout, store_paths[id].pattern, args);
    if (strcmp(event, "gone") != 0) {
        printf(", \"value\": ");
        tree_quote(stdout, a->value, a->len, true);
    }
    puts(a->again ? ", \"again\": true}" : "}");
    return fflush(stdout) == 0;                                                     /* I1 */
}

static bool drain(struct runner *r)
{
    const struct rule_action *a;
    const char *trouble;

    while ((a = runner_due(r)) != NULL) {
        if (!print_event(a))
            return false;
        runner_done(r, a);
    }
    trouble = runner_trouble(r);
    if (*trouble)
        complain(trouble, "cannot be noted in the journal; it may be told again");
    return true;
}

static int run(struct rules *rules, bool journal, bool once)
{
    struct runner *r = runner_open(rules, journal);
    const volatile bool stop = false;       /* a signal ends us where we are: that is what I1 is for */
    int rc;

    if (!r)
        return complain("cannot reach xenstored", strerror(errno));
    rc = runner_start(r, &stop);
    if (rc)
        complain("cannot watch XenStore", strerror(-rc));
    while (!rc && drain(r) && !once)
        runner_poll(r, 1000);
    runner_close(r);
    return rc || ferror(stdout) ? EXIT_FAILED : 0;
}

static int usage(void)
{
    fprintf(stderr, "vane events [--once] [--journal NAME] PATTERN...\n"
            "  PATTERN: a path of the schema, placeholders in <> or fixed: see docs/xenstore.md\n"
            "  --once: tell what is there (with a journal: what has changed since) and stop\n"
            "  --journal NAME: go on where the last run of that name ended\n");
    return EXIT_FAILED;
}

int events_main(int argc, char **argv)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { "once", 0, NULL, 'o' },
                                             { "journal", 1, NULL, 'J' }, { NULL, 0, NULL, 0 } };
    const char *name = NULL;
    struct rules *rules;
    bool once = false;
    char err[256] = "";
    int c, rc;

    optind = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            return usage();
        once |= c == 'o';
        if (c == 'J')
            name = optarg;                  /* --json is what we always print */
    }
    if (optind == argc)
        return usage();
    if (name && (strlen(name) > 32 || store_value_check(STORE_TYPE_WORD, name, strlen(name))))
        return complain(name, "a journal's name is 1 to 32 of A-Z a-z 0-9 _ @ -");
    rules = make_rules(name ? name : "events", argv + optind, argc - optind, err, sizeof(err));
    if (!rules)
        return complain("patterns", err);
    rc = run(rules, name != NULL, once);
    rules_free(rules);
    return rc;
}
