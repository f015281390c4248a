/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner.c - from watch events to observations, and from marks to the journal
 *
 *   I1  a mark is in the store when the call that reports it returns (rules.h I4 stands on that), or
 *       runner_trouble() names its path.
 *   I2  an event says where to look, never what is there; what is observed was read after it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runner.h"
#include "store_schema.h"
#include "tree.h"
#include "watch.h"

struct runner {
    struct rules *rules;
    struct watcher *w;
    bool journal;
    char trouble[TREE_PATH_MAX];
    char told[TREE_PATH_MAX];
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- journal */

static const char marks[] = { [RULE_MARK_SEEN] = 's', [RULE_MARK_TRYING] = 't',
                              [RULE_MARK_ACTED] = 'a' };

/* Take a mark out, and the directories that led to it alone. */
static void forget(struct xs_handle *xs, char *at, size_t home)
{
    bool empty = xs_rm(xs, XBT_NULL, at);

    while (empty && strlen(at) > home) {
        unsigned n = 1, len = 1;
        char **names, *value;

        *strrchr(at, '/') = '\0';
        names = xs_directory(xs, XBT_NULL, at, &n);
        value = xs_read(xs, XBT_NULL, at, &len);
        empty = names && value && n == 0 && len == 0 && xs_rm(xs, XBT_NULL, at);
        free(names);
        free(value);
    }
}

static void journal(void *arg, const char *rule, const char *path, enum rule_mark mark,
                    const char *value, size_t len)
{
    struct runner *r = arg;
    struct xs_handle *xs = watcher_xs(r->w);
    char at[TREE_PATH_MAX + 128], home[STORE_PATH_MAX], *text;

    if (!xs || store_path_vane_rule(home, sizeof(home), rule) < 0)
        return;
    snprintf(at, sizeof(at), "%s%s", home, path);
    if (mark == RULE_MARK_NONE) {
        forget(xs, at, strlen(home));
        return;
    }
    text = malloc(len + 1);
    if (text) {
        text[0] = marks[mark];
        memcpy(text + 1, value, len);
    }
    if (!text || !xs_write(xs, XBT_NULL, at, text, (unsigned)len + 1))
        snprintf(r->trouble, sizeof(r->trouble), "%s", path);
    free(text);
}

static void restore(struct runner *r)
{
    char home[STORE_PATH_MAX], path[TREE_PATH_MAX];
    struct tree_node *root;
    size_t len = (size_t)store_path_vane_on(home, sizeof(home));

    if (tree_load(home, &root))
        return;                             /* no journal yet */
    for (struct tree_node *n = root; n; n = tree_next(root, n)) {
        const char *mark = n->len ? memchr(marks + 1, n->value[0], sizeof(marks) - 1) : NULL;
        char *rule, *at;

        if (!mark)
            continue;
        tree_path(n, path);
        rule = path + len + 1;
        at = strchr(rule, '/');
        if (!at)
            continue;
        memmove(path, rule, strlen(rule) + 1);
        at = strchr(path, '/');
        *at = '\0';
        rule = strdup(path);
        *at = '/';
        if (rule)
            rules_restore(r->rules, rule, at, (enum rule_mark)(mark - marks), n->value + 1,
                          n->len - 1);
        free(rule);
    }
    tree_free(root);
}

/* ---- looking */

static void look_at(void *arg, const char *path)
{
    struct runner *r = arg;
    struct xs_handle *xs = watcher_xs(r->w);
    unsigned len = 0;
    char *v = xs ? xs_read(xs, XBT_NULL, path, &len) : NULL;

    if (v || (xs && errno == ENOENT))
        rules_observe(r->rules, path, v, len, now_ms());
    free(v);
}

static void look_below(struct runner *r, const char *dir)
{
    char path[TREE_PATH_MAX];
    struct tree_node *root;
    int rc = tree_load(dir, &root);

    for (struct tree_node *n = rc ? NULL : root; n; n = tree_next(root, n))
        rules_observe(r->rules, tree_path(n, path), n->value, n->len, now_ms());
    if (!rc)
        tree_free(root);
    if (!rc || rc == -ENOENT)
        rules_below(r->rules, dir, look_at, r);
}

static void look_above(struct runner *r, const char *path)
{
    char dir[TREE_PATH_MAX];
    char *slash;

    snprintf(dir, sizeof(dir), "%s", path);
    while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
        *slash = '\0';
        if (rules_unknown(r->rules, dir))
            look_at(r, dir);
    }
}

static void event(struct runner *r, const char *path, const char *root)
{
    look_above(r, path);
    if (!strcmp(path, root))                /* set just now, or all of it moved */
        look_below(r, path);
    else if (rules_cares(r->rules, path)) {
        look_at(r, path);
        rules_below(r->rules, path, look_at, r);
    }
}

/* ---- the caller's side */

struct runner *runner_open(struct rules *rules, bool keep)
{
    struct runner *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->rules = rules;
    r->journal = keep;
    r->w = watcher_open();
    if (!r->w) {
        free(r);
        return NULL;
    }
    if (keep)
        rules_journal(rules, journal, r);
    return r;
}

void runner_close(struct runner *r)
{
    rules_journal(r->rules, NULL, NULL);
    watcher_close(r->w);
    free(r);
}

int runner_start(struct runner *r, const volatile bool *stop)
{
    const char *dir, *path, *root;
    size_t left;

    if (r->journal)
        restore(r);
    for (left = 0; (dir = rules_watch(r->rules, left)) != NULL; left++) {
        int rc = watcher_add(r->w, dir, dir);

        if (rc)
            return rc;
    }
    while (left && !*stop) {                /* each watch fires at once: look below it */
        if (watcher_next(r->w, 1000, &path, &root) > 0) {
            left -= !strcmp(path, root);
            event(r, path, root);
        }
    }
    rules_below(r->rules, "/", look_at, r);
    return *stop ? -EINTR : 0;
}

void runner_poll(struct runner *r, int timeout_ms)
{
    const char *path, *root;

    while (watcher_next(r->w, timeout_ms, &path, &root) > 0) {
        event(r, path, root);
        timeout_ms = 0;
    }
}

int runner_fd(struct runner *r)
{
    return watcher_fd(r->w);
}

const struct rule_action *runner_due(struct runner *r)
{
    return rules_due(r->rules, now_ms());
}

void runner_done(struct runner *r, const struct rule_action *a)
{
    rules_done(r->rules, a, now_ms());
}

int64_t runner_next(const struct runner *r)
{
    int64_t next = rules_next(r->rules), now = now_ms();

    return next < 0 ? -1 : next > now ? next - now : 0;
}

const char *runner_trouble(struct runner *r)
{
    memcpy(r->told, r->trouble, sizeof(r->told));
    r->trouble[0] = '\0';
    return r->told;
}
