/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_store.c - `vane store`: the table of subcommands, and the simple ones
 *
 * write holds values against the schema before it touches the store: a typing mistake in a path or
 * a value is refused, --force says one knows better.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_internal.h"
#include "contract.h"
#include "pipe.h"
#include "store_cmd.h"
#include "store_schema.h"
#include "tree.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} verbs[] = {
    { "ls", store_cmd_ls, "[--json] [PATH]", "names below PATH, with values" },
    { "read", store_cmd_read, "[--json] PATH...", "values, one a line" },
    { "write", store_cmd_write, "[--force] PATH VALUE [PATH VALUE]...", "all or none of them" },
    { "rm", store_cmd_rm, "PATH...", "PATH and what is below" },
    { "watch", store_cmd_watch, "[--json] [--count N] [--timeout S] PATH...",
      "print each change as it comes" },
    { "wait", store_cmd_wait, "[--timeout S] {PATH=VALUE | PATH | --gone PATH}...",
      "until all hold" },
    { "dump", store_cmd_dump, "[--json] [--output FILE] [PATH]", "everything, with permissions" },
    { "lint", store_cmd_lint, "[--json] [--once] [--from DUMP] [--level LEVEL] [DOMAIN]",
      "hold the store against the schema" },
    { "diff", store_cmd_diff, "[--json] DUMP [DUMP]", "two dumps, or one and the live store" },
    { "explain", store_cmd_explain, "[--json] PATH", "what the schema says about PATH" },
};

#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

int store_fail(const char *verb, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "vane store %s: ", verb);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

struct xs_handle *store_connect(const char *verb)
{
    struct xs_handle *xs = store_open();

    if (!xs)
        store_fail(verb, "cannot reach xenstored at %s: %s; is it running, and are you root?",
                   xs_daemon_socket(), strerror(errno));
    return xs;
}

long store_parse_seconds(const char *s)
{
    char *end;
    double v = strtod(s, &end);

    return *s && !*end && v >= 0 && v < 1e6 ? (long)(v * 1000) : -1;
}

static int usage(FILE *out)
{
    fprintf(out, "vane store VERB ...\n");
    for (size_t i = 0; i < NVERBS; i++)
        fprintf(out, "  %-8s %-58s %s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
    return out == stderr ? EXIT_FAILED : 0;
}

int store_main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    for (size_t i = 0; i < NVERBS; i++) {
        if (!strcmp(verbs[i].name, argv[1])) {
            optind = 0;                             /* each verb scans its own words (GNU: reset) */
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(stdout);
    fprintf(stderr, "vane store: no verb %s\n", argv[1]);
    return usage(stderr);
}

/* --json and --force are all that the simple verbs know. */
static int flags(int argc, char **argv, bool *json, bool *force)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { "force", 0, NULL, 'f' },
                                             { NULL, 0, NULL, 0 } };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j' && json)
            *json = true;
        else if (c == 'f' && force)
            *force = true;
        else if (c != 'j')                          /* nothing to print: --json changes nothing */
            return store_fail(argv[0], "see vane store --help");
    }
    return 0;
}

static void print_pair(const char *path, const char *v, size_t len, bool json)
{
    if (json) {
        printf("{\"path\": ");
        tree_quote(stdout, path, strlen(path), true);
        printf(", \"value\": ");
        tree_quote(stdout, v, len, true);
        puts("}");
    } else {
        printf("%s = ", path);
        tree_quote(stdout, v, len, false);
        putchar('\n');
    }
}

int store_cmd_ls(int argc, char **argv)
{
    bool json = false;
    const char *dir;
    struct xs_handle *xs;
    char **names, path[TREE_PATH_MAX];
    unsigned n;

    if (flags(argc, argv, &json, NULL))
        return EXIT_FAILED;
    dir = optind < argc ? argv[optind] : "/";
    xs = store_connect(argv[0]);
    if (!xs)
        return EXIT_FAILED;
    names = xs_directory(xs, XBT_NULL, dir, &n);
    for (unsigned i = 0; names && i < n; i++) {
        unsigned len = 0;
        char *v;

        snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") ? dir : "", names[i]);
        v = xs_read(xs, XBT_NULL, path, &len);
        if (v)                                      /* else it went away meanwhile */
            print_pair(json ? path : names[i], v, len, json);
        free(v);
    }
    if (!names)
        store_fail(argv[0], "%s: %s", dir, strerror(errno));
    xs_close(xs);
    free(names);
    return names ? 0 : EXIT_NO;
}

int store_cmd_read(int argc, char **argv)
{
    bool json = false;
    struct xs_handle *xs;
    int rc = 0;

    if (flags(argc, argv, &json, NULL))
        return EXIT_FAILED;
    if (optind == argc)
        return store_fail(argv[0], "which PATH?");
    xs = store_connect(argv[0]);
    if (!xs)
        return EXIT_FAILED;
    for (int i = optind; i < argc; i++) {
        unsigned len = 0;
        char *v = xs_read(xs, XBT_NULL, argv[i], &len);

        if (!v) {
            store_fail(argv[0], "%s: %s", argv[i], strerror(errno));
            rc = EXIT_NO;
        } else if (json) {
            print_pair(argv[i], v, len, true);
        } else {
            fwrite(v, 1, len, stdout);              /* raw: for scripts */
            putchar('\n');
        }
        free(v);
    }
    xs_close(xs);
    return rc;
}

static bool write_all(struct xs_handle *xs, xs_transaction_t t, int n, char **pairs)
{
    for (int i = 0; i < n; i += 2) {
        if (!xs_write(xs, t, pairs[i], pairs[i + 1], (unsigned)strlen(pairs[i + 1])))
            return false;
    }
    return true;
}

int store_cmd_write(int argc, char **argv)
{
    struct xs_handle *xs;
    bool force = false, ok;
    char why[512];

    if (flags(argc, argv, NULL, &force))
        return EXIT_FAILED;
    if (optind == argc || (argc - optind) % 2)
        return store_fail(argv[0], "PATH VALUE, in pairs");
    for (int i = optind; i < argc && !force; i += 2) {
        const char *breach = store_contract_breach(argv[i], argv[i + 1], why, sizeof(why));

        if (breach)
            return store_fail(argv[0], "%s (--force writes it all the same)", breach);
    }
    xs = store_connect(argv[0]);
    if (!xs)
        return EXIT_FAILED;
    do {                                            /* again while others get in between: EAGAIN */
        xs_transaction_t t = xs_transaction_start(xs);

        ok = t != XBT_NULL && write_all(xs, t, argc - optind, argv + optind);
        if (t != XBT_NULL && !ok) {
            int error = errno;

            xs_transaction_end(xs, t, true);
            errno = error;
        } else if (ok) {
            ok = xs_transaction_end(xs, t, false);
        }
    } while (!ok && errno == EAGAIN);
    if (!ok)
        store_fail(argv[0], "nothing written: %s", strerror(errno));
    xs_close(xs);
    return ok ? 0 : EXIT_FAILED;
}

int store_cmd_rm(int argc, char **argv)
{
    struct xs_handle *xs;
    int rc = 0;

    if (flags(argc, argv, NULL, NULL))
        return EXIT_FAILED;
    if (optind == argc)
        return store_fail(argv[0], "which PATH?");
    xs = store_connect(argv[0]);
    if (!xs)
        return EXIT_FAILED;
    for (int i = optind; i < argc; i++) {
        if (!xs_rm(xs, XBT_NULL, argv[i])) {
            store_fail(argv[0], "%s: %s", argv[i], strerror(errno));
            rc = EXIT_NO;
        }
    }
    xs_close(xs);
    return rc;
}

int store_cmd_explain(int argc, char **argv)
{
    static const char *const lives[] = { "boot", "create", "build", "attach", "connect", "run",
                                         "end" };
    const struct store_path *p;
    bool json = false;
    int id;

    if (flags(argc, argv, &json, NULL))
        return EXIT_FAILED;
    if (optind + 1 != argc)
        return store_fail(argv[0], "which PATH?");
    id = store_match(argv[optind], strlen(argv[optind]), NULL);
    if (id < 0) {
        store_fail(argv[0], "%s is not in the schema", argv[optind]);
        return EXIT_NO;
    }
    p = &store_paths[id];
    if (json) {
        printf("{\"pattern\": \"%s\", \"type\": \"%s\", \"need\": \"%s\", \"life\": \"%s\", "
               "\"forgeable\": %s, \"meaning\": ", p->pattern, store_types[p->type].name,
               p->must ? "must" : "may", lives[p->life], p->forgeable ? "true" : "false");
        tree_quote(stdout, p->meaning, strlen(p->meaning), true);
        puts("}");
    } else {
        printf("%s: %s\nvalue: %s; %s exist from %s on%s\n", p->pattern, p->meaning,
               store_types[p->type].name, p->must ? "must" : "may", lives[p->life],
               p->forgeable ? "; the guest can write it: a hint, no fact" : "");
    }
    return 0;
}
