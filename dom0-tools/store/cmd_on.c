/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_on.c - `vane on`: a rule file, a runner and child processes put together
 *
 *   I1  commands run without a shell, with what the store says in arguments and environment only.
 *   I2  at most CHILDREN_MAX commands at a time, one per path and rule.
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
#include <unistd.h>

#include "cmd_internal.h"
#include "runner.h"
#include "store_cmd.h"
#include "tree.h"

#define CHILDREN_MAX 16

extern char **environ;

struct child {
    pid_t pid;                              /* 0: free */
    const struct rule_action *action;
};

struct on {
    struct rules *rules;
    struct runner *runner;
    struct child children[CHILDREN_MAX];
    int signals;
    bool json;
    volatile bool stop;
};

static int complain(const char *fmt, const char *what, const char *why)
{
    fprintf(stderr, "vane on: ");
    fprintf(stderr, fmt, what, why);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

/* ---- acting */

static void log_action(FILE *f, const struct on *o, const struct rule_action *a,
                       const char *what, int n)
{
    if (o->json) {
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
static void finish(struct on *o, const struct rule_action *a, const char *what, int status)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (f) {
        log_action(f, o, a, what, status);
        fclose(f);
    }
    runner_done(o->runner, a);
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
    rc = posix_spawnp(pid, a->argv[0], NULL, &attr, a->argv, env);                  /* I1 */
    posix_spawnattr_destroy(&attr);
    free(path);
    free(value);
    free(env);
    return rc;
}

static struct child *free_child(struct on *o)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (!o->children[i].pid)
            return &o->children[i];
    }
    return NULL;
}

static void act(struct on *o)
{
    const struct rule_action *a;
    struct child *c;

    while (!o->stop && (c = free_child(o)) && (a = runner_due(o->runner))) {        /* I2 */
        int rc = spawn(a, &c->pid);

        if (rc) {
            c->pid = 0;
            complain("%s: %s", a->argv[0], strerror(rc));
            finish(o, a, "failed", 127);
            continue;
        }
        c->action = a;
        log_action(stdout, o, a, "began", 0);
    }
}

static void reap(struct on *o)
{
    struct signalfd_siginfo si;
    int status;

    while (read(o->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo != SIGCHLD)
            o->stop = true;
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &o->children[i];

        if (!c->pid || waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        c->pid = 0;
        finish(o, c->action, "ended", WIFEXITED(status) ? WEXITSTATUS(status)
                                                        : 128 + WTERMSIG(status));
    }
}

static bool is_busy(const struct on *o)
{
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (o->children[i].pid)
            return true;
    }
    return false;
}

/* ---- running */

static void wait_for_news(struct on *o)
{
    int64_t next = runner_next(o->runner), left = next < 0 || next > 1000 ? 1000 : next;
    struct pollfd p[2] = { { .fd = o->signals, .events = POLLIN },
                           { .fd = runner_fd(o->runner), .events = POLLIN } };
    const char *trouble;

    if (!free_child(o))
        left = 1000;
    poll(p, p[1].fd < 0 ? 1 : 2, (int)left);
    if (p[0].revents)
        reap(o);
    runner_poll(o->runner, 0);              /* it also notices a lost daemon */
    trouble = runner_trouble(o->runner);
    if (*trouble)
        complain("cannot note %s: %s", trouble, "a restart may repeat its action");
}

static int run(struct on *o)
{
    int rc = runner_start(o->runner, &o->stop);

    if (rc)
        return complain("cannot watch %s: %s", "XenStore", strerror(-rc));
    if (o->json)                            /* what changes from now on is a change */
        printf("{\"event\": \"ready\"}\n");
    else
        printf("ready: %zu rules\n", rules_count(o->rules));
    fflush(stdout);
    while (!o->stop || is_busy(o)) {
        act(o);
        wait_for_news(o);
    }
    return 0;
}

static int open_runner(struct on *o)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    o->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    o->runner = runner_open(o->rules, true);
    if (o->signals < 0 || !o->runner)
        return complain("cannot reach xenstored at %s: %s", xs_daemon_socket(), strerror(errno));
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
    struct on o = { .json = false };
    bool check = false;
    char err[256];
    FILE *f;
    int c, rc;

    optind = 0;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            return usage();
        o.json |= c == 'j';
        check |= c == 'c';
    }
    if (optind + 1 != argc)
        return usage();
    f = fopen(argv[optind], "re");
    if (!f)
        return complain("%s: %s", argv[optind], strerror(errno));
    o.rules = rules_parse(f, err, sizeof(err));
    fclose(f);
    if (!o.rules)
        return complain("%s: %s", argv[optind], err);
    rc = check ? 0 : open_runner(&o);
    if (!rc && !check)
        rc = run(&o);
    if (o.runner)
        runner_close(o.runner);
    rules_free(o.rules);
    return rc;
}
