/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_on.c - `vane on`: a rule file, the live store and child processes put together
 *
 *   I1  the journal is the store's own: /vane/on/RULE/PATH holds the mark and the value of PATH for
 *       RULE, so it goes where the state goes it is about, and no guest can reach it.
 *   I2  commands run without a shell, with what the store says in arguments and environment only.
 *   I3  at most CHILDREN_MAX commands at a time, one per path and rule.
 *
 * A lost daemon is waited for; then all is looked at again, and the journal says what is new.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd_internal.h"
#include "rules.h"
#include "store_cmd.h"
#include "store_schema.h"
#include "tree.h"
#include "watch.h"

#define CHILDREN_MAX 16

extern char **environ;

struct child {
    pid_t pid;                              /* 0: free */
    const struct rule_action *action;
};

struct runner {
    struct rules *rules;
    struct watcher *w;
    struct child children[CHILDREN_MAX];
    int signals;
    bool json, stop;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int complain(const char *fmt, const char *what, const char *why)
{
    fprintf(stderr, "vane on: ");
    fprintf(stderr, fmt, what, why);
    fputc('\n', stderr);
    return EXIT_FAILED;
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
        if (!xs_write(xs, XBT_NULL, at, text, (unsigned)len + 1))
            complain("cannot note %s: %s; a restart may repeat its action", path, strerror(errno));
    }
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

/* ---- acting */

static void log_action(FILE *f, const struct runner *r, const struct rule_action *a,
                       const char *what, int n)
{
    if (r->json) {
        fprintf(f, "{\"event\": \"%s\", \"rule\": \"%s\", \"path\": ", what, a->rule);
        tree_quote(f, a->path, strlen(a->path), true);
        fprintf(f, ", \"value\": ");
        tree_quote(f, a->value, a->len, true);
        fprintf(f, ", \"status\": %d}\n", n);
    } else {
        fprintf(f, "%s %s: %s = ", a->rule, what, a->path);
        tree_quote(f, a->value, a->len, false);
        fprintf(f, n ? " (status %d)\n" : "\n", n);
    }
    fflush(f);
}

/* "ended" is said once the journal has it: who reads it may rely on it. */
static void finish(struct runner *r, const struct rule_action *a, const char *what, int status)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (f) {
        log_action(f, r, a, what, status);
        fclose(f);
    }
    rules_done(r->rules, a, now_ms());
    fwrite(text, 1, len, stdout);
    fflush(stdout);
    free(text);
}

static int spawn(const struct rule_action *a, pid_t *pid)
{
    char rule[96], again[] = "VANE_AGAIN=1", *path = NULL, *value = NULL;
    char **env;
    size_t n = 0;
    posix_spawnattr_t attr;
    sigset_t none;
    int rc;

    while (environ[n])
        n++;
    env = calloc(n + 5, sizeof(*env));
    snprintf(rule, sizeof(rule), "VANE_RULE=%s", a->rule);
    if (!env || asprintf(&path, "VANE_PATH=%s", a->path) < 0 ||
        asprintf(&value, "VANE_VALUE=%s", a->value) < 0) {
        free(env);
        return ENOMEM;
    }
    memcpy(env, environ, n * sizeof(*env));
    env[n++] = rule;
    env[n++] = path;
    env[n++] = value;
    if (a->again)
        env[n++] = again;
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    rc = posix_spawnp(pid, a->argv[0], NULL, &attr, a->argv, env);                  /* I2 */
    posix_spawnattr_destroy(&attr);
    free(path);
    free(value);
    free(env);
    return rc;
}

static struct child *free_child(struct runner *r)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (!r->children[i].pid)
            return &r->children[i];
    }
    return NULL;
}

static void act(struct runner *r)
{
    const struct rule_action *a;
    struct child *c;

    while (!r->stop && (c = free_child(r)) && (a = rules_due(r->rules, now_ms()))) {        /* I3 */
        int rc = spawn(a, &c->pid);

        if (rc) {
            c->pid = 0;
            complain("%s: %s", a->argv[0], strerror(rc));
            finish(r, a, "failed", 127);
            continue;
        }
        c->action = a;
        log_action(stdout, r, a, "began", 0);
    }
}

static void reap(struct runner *r)
{
    struct signalfd_siginfo si;
    int status;

    while (read(r->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo != SIGCHLD)
            r->stop = true;
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &r->children[i];

        if (!c->pid || waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        c->pid = 0;
        finish(r, c->action, "ended", WIFEXITED(status) ? WEXITSTATUS(status)
                                                        : 128 + WTERMSIG(status));
    }
}

static bool is_busy(const struct runner *r)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (r->children[i].pid)
            return true;
    }
    return false;
}

/* ---- running */

static void wait_for_news(struct runner *r)
{
    int64_t next = rules_next(r->rules), left = next < 0 ? 1000 : next - now_ms();
    struct pollfd p[2] = { { .fd = r->signals, .events = POLLIN },
                           { .fd = watcher_fd(r->w), .events = POLLIN } };
    const char *path, *root;

    if (!free_child(r) || left > 1000)
        left = 1000;                        /* watcher_next notices a lost daemon */
    poll(p, p[1].fd < 0 ? 1 : 2, left < 0 ? 0 : (int)left);
    if (p[0].revents)
        reap(r);
    if (!p[1].revents && left < 1000)
        return;
    while (watcher_next(r->w, 0, &path, &root) > 0)
        event(r, path, root);
}

static int run(struct runner *r)
{
    const char *dir, *path, *root;
    size_t i;
    int rc;

    restore(r);
    for (i = 0; (dir = rules_watch(r->rules, i)) != NULL; i++) {
        rc = watcher_add(r->w, dir, dir);
        if (rc)
            return complain("cannot watch %s: %s", dir, strerror(-rc));
    }
    while (i && !r->stop) {                 /* each watch fires at once: look below it */
        rc = watcher_next(r->w, 1000, &path, &root);
        if (rc > 0) {
            i -= !strcmp(path, root);
            event(r, path, root);
        }
    }
    rules_below(r->rules, "/", look_at, r); /* "ready": what changes from now on is a change */
    if (r->json)
        printf("{\"event\": \"ready\"}\n");
    else
        printf("ready: %zu rules\n", rules_count(r->rules));
    fflush(stdout);
    while (!r->stop || is_busy(r)) {
        act(r);
        wait_for_news(r);
    }
    return 0;
}

static int open_runner(struct runner *r)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r->w = watcher_open();
    if (r->signals < 0 || !r->w)
        return complain("cannot reach xenstored at %s: %s", xs_daemon_socket(), strerror(errno));
    rules_journal(r->rules, journal, r);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "vane on [--check] [--json] RULEFILE\n"
            "  on NAME: PATTERN CONDITION [debounce MS] [limit N/SECONDS] do WORD...\n"
            "  CONDITION: = VALUE, != VALUE, appears, changes, gone\n"
            "  --check parses the file and stops\n");
    return EXIT_FAILED;
}

int on_main(int argc, char **argv)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { "check", 0, NULL, 'c' },
                                             { NULL, 0, NULL, 0 } };
    struct runner r = { .json = false };
    bool check = false;
    char err[256];
    FILE *f;
    int c, rc;

    optind = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            return usage();
        r.json |= c == 'j';
        check |= c == 'c';
    }
    if (optind + 1 != argc)
        return usage();
    f = fopen(argv[optind], "re");
    if (!f)
        return complain("%s: %s", argv[optind], strerror(errno));
    r.rules = rules_parse(f, err, sizeof(err));
    fclose(f);
    if (!r.rules)
        return complain("%s: %s", argv[optind], err);
    rc = check ? 0 : open_runner(&r);
    if (!rc && !check)
        rc = run(&r);
    if (r.w)
        watcher_close(r.w);
    rules_free(r.rules);
    return rc;
}
