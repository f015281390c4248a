/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_store_watch.c - watch and wait: what scripts used to do with sleep
 *
 * wait looks after every event on any of its paths, so a value that was there before it started
 * counts, and one that comes back counts again. Both go on across a restart of the daemon.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd_internal.h"
#include "tree.h"
#include "watch.h"

struct condition {
    char *path;
    const char *value;              /* NULL: any */
    bool gone;
};

static long now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

static struct watcher *start(const char *verb)
{
    struct watcher *w = watcher_open();

    if (!w)
        store_fail(verb, "cannot reach xenstored: %s; is it running, and are you root?",
                   strerror(errno));
    return w;
}

static void print_event(struct watcher *w, const char *path, bool json)
{
    struct xs_handle *xs = watcher_xs(w);
    unsigned len = 0;
    char *v = xs ? xs_read(xs, XBT_NULL, path, &len) : NULL;

    if (json) {
        printf("{\"path\": ");
        tree_quote(stdout, path, strlen(path), true);
        if (v) {
            printf(", \"value\": ");
            tree_quote(stdout, v, len, true);
        }
        puts("}");
    } else {
        printf("%s", path);
        if (v) {
            printf(" = ");
            tree_quote(stdout, v, len, false);
        }
        putchar('\n');
    }
    fflush(stdout);
    free(v);
}

int store_cmd_watch(int argc, char **argv)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { "count", 1, NULL, 'n' },
                                             { "timeout", 1, NULL, 't' }, { NULL, 0, NULL, 0 } };
    long count = -1, timeout = -1, end;
    const char *path, *token;
    struct watcher *w;
    bool json = false;
    int c, rc = 0;

    while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
        json |= c == 'j';
        if (c == '?' || (c == 'n' && (count = atol(optarg)) <= 0) ||
            (c == 't' && (timeout = store_parse_seconds(optarg)) < 0))
            return store_fail(argv[0], "see vane store --help");
    }
    if (optind == argc)
        return store_fail(argv[0], "which PATH?");
    w = start(argv[0]);
    if (!w)
        return EXIT_FAILED;
    for (int i = optind; i < argc && !rc; i++) {
        if (watcher_add(w, argv[i], "w"))
            rc = store_fail(argv[0], "%s: %s", argv[i], strerror(errno));
    }
    end = now_ms() + timeout;
    while (!rc && count) {
        long left = timeout < 0 ? -1 : end - now_ms();
        int got = timeout >= 0 && left <= 0 ? 0 : watcher_next(w, (int)left, &path, &token);

        if (got > 0) {
            print_event(w, path, json);
            count -= count > 0;
        } else if (got == 0 && timeout >= 0 && now_ms() >= end) {
            rc = EXIT_TIMEOUT;
        }
    }
    watcher_close(w);
    return rc;
}

static bool holds(struct watcher *w, const struct condition *c)
{
    struct xs_handle *xs = watcher_xs(w);
    unsigned len = 0;
    char *v = xs ? xs_read(xs, XBT_NULL, c->path, &len) : NULL;
    bool yes;

    if (!v)
        return c->gone && xs && errno == ENOENT;
    yes = !c->gone && (!c->value || (strlen(c->value) == len && !memcmp(v, c->value, len)));
    free(v);
    return yes;
}

static bool all_hold(struct watcher *w, const struct condition *c, int n)
{
    for (int i = 0; i < n; i++) {
        if (!holds(w, &c[i]))
            return false;
    }
    return true;
}

static int wait_for(const char *verb, struct condition *c, int n, long timeout)
{
    struct watcher *w = start(verb);
    const char *path, *token;
    long end = now_ms() + timeout;
    int rc = w ? -1 : EXIT_FAILED;

    for (int i = 0; w && i < n; i++) {
        if (watcher_add(w, c[i].path, "w"))
            rc = store_fail(verb, "%s: %s", c[i].path, strerror(errno));
    }
    while (rc == -1) {
        long left = end - now_ms();

        if (all_hold(w, c, n))
            rc = 0;
        else if (timeout >= 0 && left <= 0)
            rc = EXIT_TIMEOUT;
        else
            watcher_next(w, timeout < 0 ? -1 : (int)left, &path, &token);
    }
    if (rc == EXIT_TIMEOUT) {
        for (int i = 0; i < n; i++) {
            if (!holds(w, &c[i]))
                store_fail(verb, "time is up: %s %s%s", c[i].path,
                           c[i].gone ? "is still there" : c[i].value ? "is not " : "is not there",
                           !c[i].gone && c[i].value ? c[i].value : "");
        }
    }
    if (w)
        watcher_close(w);
    return rc;
}

int store_cmd_wait(int argc, char **argv)
{
    static const struct option options[] = { { "timeout", 1, NULL, 't' }, { "gone", 1, NULL, 'g' },
                                             { "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    struct condition *list = calloc((size_t)argc, sizeof(*list));
    long timeout = -1;
    int c, n = 0, rc;

    if (!list)
        return store_fail(argv[0], "out of memory");
    while ((c = getopt_long(argc, argv, "t:", options, NULL)) != -1) {
        if (c == 'g')
            list[n++] = (struct condition){ .path = optarg, .gone = true };
        else if (c != 'j' && (c != 't' || (timeout = store_parse_seconds(optarg)) < 0))
            return store_fail(argv[0], "see vane store --help");
    }
    for (; optind < argc; optind++) {
        char *eq = strchr(argv[optind], '=');

        if (eq)
            *eq++ = '\0';
        list[n++] = (struct condition){ .path = argv[optind], .value = eq };
    }
    rc = n ? wait_for(argv[0], list, n, timeout)
           : store_fail(argv[0], "for what? PATH=VALUE, PATH or --gone PATH");
    free(list);
    return rc;
}
