/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_on_test.c - `vane on` as a process, killed and restarted, on both daemons
 *
 * The runner is store_tool. Its rules append lines to a file; the test counts them.
 */
#define _GNU_SOURCE
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "tree.h"

static struct host host;
static struct xs_handle *xs;
static bool ocaml;
static char out[128], rule_file[128];

static const char *const rule_text =
    "on off:  /local/domain/<domid>/control/shutdown = poweroff do sh -c \"echo off ${domid} >>%s\"\n"
    "on mem:  /local/domain/<domid>/memory/target changes do sh -c \"echo mem ${value} >>%s\"\n"
    "on gone: /local/domain/<domid> gone do sh -c \"echo gone ${domid} >>%s\"\n"
    "on slow: /local/domain/<domid>/data appears do sh -c \"echo slow $VANE_AGAIN >>%s; sleep 1\"\n"
    "on raw:  /local/domain/<domid>/name changes do printf \"%%s\\\\n\" ${value}\n";

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void put(const char *path, const char *value)
{
    CU_ASSERT(xs_write(xs, XBT_NULL, path, value, (unsigned)strlen(value)));
}

/* How many lines of @name equal @line (a leading part of them when it ends in a blank). */
static int lines(const char *name, const char *line)
{
    FILE *f = fopen(name, "r");
    char buf[512];
    int n = 0;

    while (f && fgets(buf, sizeof(buf), f)) {
        buf[strcspn(buf, "\n")] = '\0';
        n += line[strlen(line) - 1] == ' ' ? !strncmp(buf, line, strlen(line)) : !strcmp(buf, line);
    }
    if (f)
        fclose(f);
    return n;
}

static bool comes(const char *name, const char *line, int n)
{
    for (int i = 0; i < 40000; i++) {
        if (lines(name, line) >= n)
            return true;
        usleep(500);
    }
    return false;
}

static char log_file[128];

/* store_tool with these words; what it prints goes behind what @to holds. */
static pid_t start_tool(const char *to, char *const words[])
{
    char self[256], *slash;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 16);
    pid_t pid;

    CU_ASSERT_FATAL(n > 0);
    self[n] = '\0';
    slash = strrchr(self, '/');
    strcpy(slash + 1, "store_tool");
    pid = fork();
    if (pid == 0) {
        int fd = open(to, O_WRONLY | O_CREAT | O_APPEND, 0600);

        dup2(fd, 1);
        execv(self, words);
        _exit(127);
    }
    return pid;
}

static pid_t start_runner(void)
{
    pid_t pid;

    truncate(log_file, 0);
    pid = start_tool(log_file, (char *[]){ "store_tool", "on", rule_file, NULL });
    CU_ASSERT(comes(log_file, "ready: ", 1));
    return pid;
}

/* SIGTERM: it ends in order. SIGKILL: it does not. */
static void stop_runner(pid_t pid, int sig)
{
    int status = 0;

    kill(pid, sig);
    waitpid(pid, &status, 0);
    CU_ASSERT(sig == SIGKILL || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

static int start_host(void)
{
    FILE *f;

    host_start(&host, ocaml);
    xs = xs_open(0);
    snprintf(out, sizeof(out), "%s/out", host.dir);
    snprintf(log_file, sizeof(log_file), "%s/runner", host.dir);
    snprintf(rule_file, sizeof(rule_file), "%s/rules", host.dir);
    f = fopen(rule_file, "w");
    if (!f || !xs)
        return 1;
    fprintf(f, rule_text, out, out, out, out);
    fclose(f);
    f = fopen(log_file, "w");
    fclose(f);
    return 0;
}

static int stop_host(void)
{
    xs_close(xs);
    host_stop(&host);
    ocaml = true;
    return 0;
}

static void test_once_across_restarts(void)
{
    pid_t pid;

    put("/local/domain/5/control/shutdown", "poweroff");
    put("/local/domain/5/memory/target", "1");
    pid = start_runner();
    CU_ASSERT(comes(out, "off 5", 1));              /* it held before we came: due once */
    put("/local/domain/5/memory/target", "2");
    CU_ASSERT(comes(out, "mem 2", 1));
    put("/local/domain/6/control/shutdown", "poweroff");
    CU_ASSERT(comes(out, "off 6", 1));
    stop_runner(pid, SIGTERM);
    put("/local/domain/5/memory/target", "3");      /* while nobody looks */
    put("/local/domain/6/control/shutdown", "");
    put("/local/domain/6/control/shutdown", "poweroff");    /* ... and back: not seen, by contract */
    put("/local/domain/7/control/shutdown", "poweroff");
    pid = start_runner();
    CU_ASSERT(comes(out, "mem 3", 1));
    CU_ASSERT(comes(out, "off 7", 1));
    CU_ASSERT(comes(log_file, "mem ended: /local/domain/5/memory/target = \"3\"", 1));
    CU_ASSERT(comes(log_file, "off ended: /local/domain/7/control/shutdown = \"poweroff\"", 1));
    stop_runner(pid, SIGKILL);                      /* nothing under way: nothing is done again */
    pid = start_runner();
    xs_rm(xs, XBT_NULL, "/local/domain/7");
    CU_ASSERT(comes(log_file, "gone ended: /local/domain/7 = \"\"", 1));
    stop_runner(pid, SIGKILL);
    xs_rm(xs, XBT_NULL, "/local/domain/6");
    pid = start_runner();
    CU_ASSERT(comes(log_file, "gone ended: /local/domain/6 = \"\"", 1));
    put("/local/domain/7/control/shutdown", "poweroff");    /* a new life: due again */
    CU_ASSERT(comes(out, "off 7", 2));
    usleep(200000);
    stop_runner(pid, SIGTERM);
    CU_ASSERT_EQUAL(lines(out, "off 5"), 1);
    CU_ASSERT_EQUAL(lines(out, "off 6"), 1);
    CU_ASSERT_EQUAL(lines(out, "off 7"), 2);
    CU_ASSERT_EQUAL(lines(out, "mem 1"), 0);
    CU_ASSERT_EQUAL(lines(out, "mem "), 2);
    CU_ASSERT_EQUAL(lines(out, "gone "), 2);
}

/* Killed while a command runs: its outcome is unknown, so it is run again and told so. */
static void test_killed_in_the_middle(void)
{
    pid_t pid = start_runner();

    put("/local/domain/5/data", "");
    CU_ASSERT(comes(out, "slow", 1));
    stop_runner(pid, SIGKILL);
    pid = start_runner();
    CU_ASSERT(comes(out, "slow 1", 1));
    CU_ASSERT(comes(log_file, "slow ended: /local/domain/5/data = \"\"", 1));
    stop_runner(pid, SIGTERM);
    pid = start_runner();
    usleep(300000);
    stop_runner(pid, SIGTERM);
    CU_ASSERT_EQUAL(lines(out, "slow ") + lines(out, "slow"), 2);
}

/* Lines of `vane events` without what differs between runs: its time. */
static int told(const char *name, const char *rest)
{
    FILE *f = fopen(name, "r");
    char buf[1024];
    int n = 0;

    while (f && fgets(buf, sizeof(buf), f)) {
        const char *s = strstr(buf, "\"event\"");

        n += s && !strncmp(s, rest, strlen(rest));
    }
    if (f)
        fclose(f);
    return n;
}

static bool is_told(const char *name, const char *rest, int n)
{
    for (int i = 0; i < 40000 && told(name, rest) < n; i++)
        usleep(500);
    return told(name, rest) == n;
}

#define EVENT(what, dom, rest) "\"event\": \"" what "\", \"path\": \"/local/domain/" dom "/memory/target\", " \
    "\"pattern\": \"/local/domain/<domid>/memory/target\", \"args\": {\"domid\": " dom "}" rest "}\n"

/* With a journal each change is told once, whoever is killed in between; --once tells what is new. */
static void test_events(void)
{
    char file[160];
    char *const words[] = { "store_tool", "events", "--journal", "unit", "/local/domain/<domid>/memory/target", NULL };
    char *const once[] = { "store_tool", "events", "--once", "--journal", "unit",
                           "/local/domain/<domid>/memory/target", NULL };
    char *const wrong[] = { "store_tool", "events", "/no/such/path", NULL };
    int status;
    pid_t pid;

    snprintf(file, sizeof(file), "%s/events", host.dir);
    put("/local/domain/15/memory/target", "10");
    pid = start_tool(file, words);
    CU_ASSERT(is_told(file, EVENT("appeared", "15", ", \"value\": \"10\""), 1));
    put("/local/domain/15/memory/target", "11");
    CU_ASSERT(is_told(file, EVENT("changed", "15", ", \"value\": \"11\""), 1));
    put("/local/domain/16/memory/target", "20");
    CU_ASSERT(is_told(file, EVENT("appeared", "16", ", \"value\": \"20\""), 1));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    put("/local/domain/15/memory/target", "12");            /* while nobody looks */
    xs_rm(xs, XBT_NULL, "/local/domain/16");
    pid = start_tool(file, once);
    waitpid(pid, &status, 0);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CU_ASSERT_EQUAL(told(file, EVENT("changed", "15", ", \"value\": \"12\"")), 1);
    CU_ASSERT_EQUAL(told(file, EVENT("gone", "16", "")), 1);
    pid = start_tool(file, once);                           /* nothing is told twice */
    waitpid(pid, NULL, 0);
    CU_ASSERT_EQUAL(told(file, EVENT("appeared", "15", ", \"value\": \"10\"")), 1);
    CU_ASSERT_EQUAL(told(file, EVENT("changed", "15", ", \"value\": \"11\"")), 1);
    CU_ASSERT_EQUAL(told(file, EVENT("changed", "15", ", \"value\": \"12\"")), 1);
    CU_ASSERT_EQUAL(told(file, EVENT("appeared", "16", ", \"value\": \"20\"")), 1);
    CU_ASSERT_EQUAL(told(file, EVENT("gone", "16", "")), 1);
    pid = start_tool("/dev/null", wrong);
    waitpid(pid, &status, 0);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

/* A value a guest chose reaches the command as one argument, whatever it says. */
static void test_values_are_no_commands(void)
{
    pid_t pid;

    put("/local/domain/5/name", "a");
    pid = start_runner();
    put("/local/domain/5/name", "$(touch /tmp/store_on_test.pwned); `id` \"' -n");
    CU_ASSERT(comes(log_file, "$(touch /tmp/store_on_test.pwned); `id` \"' -n", 1));
    CU_ASSERT(access("/tmp/store_on_test.pwned", F_OK) != 0);
    stop_runner(pid, SIGTERM);
}

static volatile bool storm_over;

static void *storm(void *arg)
{
    struct xs_handle *mine = xs_open(0);
    unsigned long *n = arg;

    while (!storm_over) {
        char v[24];
        int len = snprintf(v, sizeof(v), "%lu", ++*n);

        xs_write(mine, XBT_NULL, "/local/domain/8/memory/static-max", v, (unsigned)len);
    }
    xs_close(mine);
    return NULL;
}

static void test_latency(bool in_storm, const char *what)
{
    unsigned long n = 0;
    int64_t sum = 0, worst = 0;
    pid_t pid = start_runner();
    pthread_t t;

    storm_over = !in_storm;
    pthread_create(&t, NULL, storm, &n);
    for (int i = 0; i < 20; i++) {
        char value[32], line[40];
        int64_t start;

        snprintf(value, sizeof(value), "%d", (in_storm ? 2000 : 1000) + i);
        snprintf(line, sizeof(line), "mem %s", value);
        put("/local/domain/5/memory/target", value);
        start = now_us();
        CU_ASSERT(comes(out, line, 1));
        start = now_us() - start;
        sum += start;
        worst = start > worst ? start : worst;
    }
    storm_over = true;
    pthread_join(t, NULL);
    stop_runner(pid, SIGTERM);
    printf("watch to command's effect%s: mean %lld us, worst %lld us (%lu other writes) ", what,
           (long long)sum / 20, (long long)worst, n);
}

static void test_latency_quiet(void)
{
    test_latency(false, "");
}

static void test_latency_in_a_storm(void)
{
    test_latency(true, " in a storm");
}

/* The store is new after the daemon's restart: so is everything in it. */
static void test_daemon_restarts(void)
{
    pid_t pid = start_runner();

    host_restart(&host);
    xs_close(xs);
    xs = xs_open(0);
    put("/local/domain/9/control/shutdown", "poweroff");
    CU_ASSERT(comes(out, "off 9", 1));
    CU_ASSERT(comes(out, "gone 5", 1));
    stop_runner(pid, SIGTERM);
    CU_ASSERT_EQUAL(lines(out, "off 9"), 1);
}

static void add_tests(CU_pSuite s)
{
    CU_add_test(s, "once per change across restarts", test_once_across_restarts);
    CU_add_test(s, "killed in the middle of an action", test_killed_in_the_middle);
    CU_add_test(s, "events with a journal", test_events);
    CU_add_test(s, "values are no commands", test_values_are_no_commands);
    CU_add_test(s, "latency", test_latency_quiet);
    CU_add_test(s, "latency in a storm", test_latency_in_a_storm);
    CU_add_test(s, "the daemon restarts", test_daemon_restarts);
}

int main(void)
{
    return live_suites(add_tests, start_host, stop_host, &ocaml);
}
