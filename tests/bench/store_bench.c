/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_bench.c - what XenStore costs: a domain's requests, 100 domains' dump and lint, a rule's
 * latency, on Debian's daemons on this machine (tests/unit/store/store_host.h)
 *
 * One figure a line: NAME VALUE UNIT. Times are the median of ROUNDS.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lint.h"
#include "store_host.h"
#include "tree.h"

#define DOMAINS 100
#define ROUNDS 9

static const char *daemon_name;

static double now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *list, size_t n)
{
    qsort(list, n, sizeof(*list), by_size);
    return list[n / 2];
}

static void figure(const char *name, double value, const char *unit)
{
    printf("store.%s.%s %.0f %s\n", daemon_name, name, value, unit);
}

static size_t nodes_of(struct tree_node *root)
{
    size_t n = 0;

    for (struct tree_node *at = root; at; at = tree_next(root, at))
        n++;
    return n;
}

static void count_only(void *arg, const struct lint_finding *f)
{
    (void)f;
    ++*(size_t *)arg;
}

/* The same three requests a node, one after the other: what a simple program does. */
static size_t walk_simply(struct xs_handle *xs, const char *path)
{
    unsigned n = 0, len;
    char **names = xs_directory(xs, XBT_NULL, path, &n);
    size_t count = 1;

    free(xs_read(xs, XBT_NULL, path, &len));
    free(xs_get_permissions(xs, XBT_NULL, path, &len));
    for (unsigned i = 0; i < n; i++) {
        char child[TREE_PATH_MAX];

        snprintf(child, sizeof(child), "%s/%s", strcmp(path, "/") ? path : "", names[i]);
        count += walk_simply(xs, child);
    }
    free(names);
    return count;
}

static void bench_trees(struct xs_handle *xs)
{
    double load[ROUNDS], check[ROUNDS], simple[ROUNDS], start;
    size_t nodes = 0, findings = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct tree_node *root;

        start = now_us();
        if (tree_load("/", &root))
            exit(2);
        load[i] = now_us() - start;
        start = now_us();
        lint_tree(root, -1, count_only, &findings);
        check[i] = now_us() - start + load[i];
        nodes = nodes_of(root);
        tree_free(root);
        start = now_us();
        if (walk_simply(xs, "/") != nodes)
            exit(2);
        simple[i] = now_us() - start;
    }
    figure("nodes-of-100-domains", (double)nodes, "nodes");
    figure("findings", (double)findings, "findings");
    figure("dump-100-domains", median(load, ROUNDS), "us");
    figure("dump-100-domains-one-request-at-a-time", median(simple, ROUNDS), "us");
    figure("lint-100-domains", median(check, ROUNDS), "us");
}

static pid_t start_rule(const char *rule, const char *out)
{
    char self[256], *slash;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 16);
    FILE *f = fopen(rule, "w");
    int ready[2];
    char line[64];
    pid_t pid;

    if (n < 0 || !f)
        exit(2);
    self[n] = '\0';
    slash = strrchr(self, '/');
    strcpy(slash + 1, "store_tool");
    fprintf(f, "on x: /local/domain/<domid>/memory/target changes do truncate -s ${value} %s\n", out);
    fclose(f);
    if (pipe(ready) != 0)
        exit(2);
    pid = fork();
    if (pid == 0) {
        dup2(ready[1], 1);
        close(ready[0]);
        execl(self, self, "on", rule, NULL);
        _exit(127);
    }
    close(ready[1]);
    if (read(ready[0], line, sizeof(line)) <= 0)        /* "ready"; the rest is left in the pipe */
        exit(2);
    return pid;
}

/* From the write to the effect of the command, its start included. */
static void bench_rule(const struct host *h, struct xs_handle *xs)
{
    double taken[50];
    char out[128], rule[128], v[16];
    pid_t pid;

    snprintf(out, sizeof(out), "%s/out", h->dir);
    snprintf(rule, sizeof(rule), "%s/rule", h->dir);
    pid = start_rule(rule, out);
    for (int i = 0; i < 50; i++) {
        int len = snprintf(v, sizeof(v), "%d", 1000 + i);
        double start = now_us();
        FILE *f;
        long size = 0;

        if (!xs_write(xs, XBT_NULL, "/local/domain/7/memory/target", v, (unsigned)len))
            exit(2);
        while (size != 1000 + i && now_us() - start < 5e6) {
            f = fopen(out, "r");
            if (f && fseek(f, 0, SEEK_END) == 0)
                size = ftell(f);
            if (f)
                fclose(f);
        }
        taken[i] = now_us() - start;
    }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    figure("watch-to-command-effect", median(taken, 50), "us");
    figure("watch-to-command-effect-worst", taken[49], "us");
}

static void bench(bool ocaml)
{
    struct xs_handle *xs;
    struct store_io io;
    struct host h;
    double start;

    daemon_name = ocaml ? "oxenstored" : "xenstored";
    host_start(&h, ocaml);
    xs = xs_open(0);
    io = store_xs(xs);
    start = now_us();
    for (uint32_t d = 1; d <= DOMAINS; d++) {
        host_make(&h, d);
        if (sample_domain(&io, d))
            exit(2);
    }
    figure("requests-per-domain", (double)io.ops / DOMAINS, "requests");
    figure("time-per-domain", (now_us() - start) / DOMAINS, "us");
    bench_trees(xs);
    bench_rule(&h, xs);
    xs_close(xs);
    host_stop(&h);
}

int main(void)
{
    for (int ocaml = 0; ocaml < 2; ocaml++) {
        if (host_available(ocaml))
            bench(ocaml);
    }
    return 0;
}
