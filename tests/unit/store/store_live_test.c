/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_live_test.c - the store verbs on Debian's own daemons, xenstored and oxenstored
 *
 * Both run on this machine (store_host.h). Hostile guests have their own file, store_hostile_test.c.
 */
#define _GNU_SOURCE
#include <CUnit/Basic.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "tree.h"
#include "watch.h"

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- lint */

static void check_many(unsigned n)
{
    struct xs_handle *xs = xs_open(0);
    struct store_io io = store_xs(xs);
    struct tree_node *root;
    int64_t start;
    size_t nodes = 0;

    for (unsigned d = 1; d <= n; d++)
        live_make(&io, d);
    CU_ASSERT_EQUAL(live_lint(-1, true).count, 0);
    start = now_us();
    CU_ASSERT_EQUAL_FATAL(tree_load("/", &root), 0);
    for (struct tree_node *at = root; at; at = tree_next(root, at))
        nodes++;
    tree_free(root);
    printf("%u domains: %zu nodes in %lld us; %lu requests a domain ", n, nodes,
           (long long)(now_us() - start), io.ops / n);
    for (unsigned d = 1; d <= n; d++)
        live_end(xs, d);
    xs_close(xs);
}

static void test_lint_is_clean(void)
{
    check_many(1);
    check_many(16);
    check_many(100);
}

/* One fault each, put into the store by Dom0; lint must name its kind, and nothing before it. */
static void test_lint_finds_each_fault(void)
{
    static const struct {
        const char *path, *value;       /* NULL: remove */
        enum lint_kind kind;
    } faults[] = {
        { "/local/domain/3/nmae", "x", LINT_UNKNOWN },
        { "/local/domain/3/memory/target", "12x", LINT_VALUE },
        { "/local/domain/3/memory/target", "-1", LINT_VALUE },
        { "/local/domain/0/backend/vbd/3/51712/sector-size", "511", LINT_VALUE },
        { "/local/domain/3/console/port", NULL, LINT_MISSING },
        { "/local/domain/0/backend/vbd/3/51712/sectors", NULL, LINT_MISSING },
        { "/local/domain/0/backend/vbd/3/51712", NULL, LINT_DANGLING },
        { "/local/domain/3/device/vif/0", NULL, LINT_DANGLING },
        { "/vm/8f2c1d3e-0a1b-4c5d-9e8f-000000000003", NULL, LINT_DANGLING },
        { "/local/domain/3/device/vbd/51712/backend", "/local/domain/0/backend/vbd/2/51712",
          LINT_FORGED },
        { "/local/domain/3/domid", "4", LINT_IDENTITY },
        { "/local/domain/3/name", "guest2", LINT_IDENTITY },
        { "/local/domain/0/backend/vif/3/0/frontend-id", "2", LINT_IDENTITY },
        { "/vm/8f2c1d3e-0a1b-4c5d-9e8f-000000000003/uuid", "8f2c1d3e-0a1b-4c5d-9e8f-000000000004",
          LINT_IDENTITY },
        { "/local/domain/3", NULL, LINT_ORPHAN },
        { "/libxl/3", NULL, LINT_ORPHAN },
        { "/local/domain/0/backend/vbd/3/51712/state", "1", LINT_STATE },
        { "/local/domain/3/device/vif/0/state", "1", LINT_STATE },
        { "/local/domain/0/backend/vif/3/0/state", "2", LINT_STALLED },
    };
    struct xs_handle *xs = xs_open(0);
    struct store_io io = store_xs(xs);

    live_make(&io, 2);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct verdict s;

        live_make(&io, 3);
        CU_ASSERT_EQUAL(live_lint(-1, true).count, 0);
        if (faults[i].value)
            xs_write(xs, XBT_NULL, faults[i].path, faults[i].value,
                     (unsigned)strlen(faults[i].value));
        else
            xs_rm(xs, XBT_NULL, faults[i].path);
        s = live_lint(-1, false);
        if (!s.kinds[faults[i].kind])
            fprintf(stderr, "%s = %s: no %s among %zu findings\n", faults[i].path,
                    faults[i].value ? faults[i].value : "(gone)", lint_kind_name(faults[i].kind),
                    s.count);
        CU_ASSERT(s.kinds[faults[i].kind] > 0);
        CU_ASSERT_EQUAL(live_lint(2, true).count, 0);            /* none of it is domain 2's fault */
        live_end(xs, 3);
    }
    live_end(xs, 2);
    xs_close(xs);
}

/* Permissions: too wide is an error, narrower or other a warning; Dom0's own entry means nothing. */
static void test_lint_knows_permissions(void)
{
    static const struct {
        const char *path;
        struct xs_permissions perms[2];
        unsigned n;
        enum lint_kind kind;
        bool error;
    } cases[] = {
        { "/libxl/4/type", { { 0, 0 }, { 4, XS_PERM_READ } }, 2, LINT_EXPOSED, true },
        { "/local/domain/4/console/tty", { { 4, 0 } }, 1, LINT_EXPOSED, true },
        { "/local/domain/4/name", { { 0, XS_PERM_READ } }, 1, LINT_EXPOSED, true },
        { "/local/domain/4/name", { { 0, 0 } }, 1, LINT_PERMS, false },
        { "/local/domain/4/control/shutdown", { { 0, 0 }, { 4, XS_PERM_READ } }, 2, LINT_PERMS,
          false },
    };
    struct xs_handle *xs = xs_open(0);
    struct store_io io = store_xs(xs);

    live_make(&io, 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xs_permissions perms[2] = { cases[i].perms[0], cases[i].perms[1] };
        unsigned n = 0;
        struct xs_permissions *old = xs_get_permissions(xs, XBT_NULL, cases[i].path, &n);
        struct verdict s;

        CU_ASSERT_FATAL(xs_set_permissions(xs, XBT_NULL, cases[i].path, perms, cases[i].n));
        s = live_lint(4, false);
        CU_ASSERT_EQUAL(s.count, 1);
        CU_ASSERT_EQUAL(s.kinds[cases[i].kind], 1);
        CU_ASSERT_EQUAL(s.errors, cases[i].error);
        xs_set_permissions(xs, XBT_NULL, cases[i].path, old, n);
        free(old);
        CU_ASSERT_EQUAL(live_lint(4, true).count, 0);
    }
    live_end(xs, 4);
    xs_close(xs);
}

/* ---- transactions */

/* More nodes than the window has places; in xenstored more than one reply takes (oxenstored answers with
 * a message longer than the protocol allows, which libxenstore refuses too). */
#define MANY (live_host.ocaml ? 250U : 700U)

static int write_many(struct store_io *io, void *arg)
{
    static const char word[] = "a-long-name";
    unsigned *found = arg, n;
    char path[128], **names;

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "/local/domain/5/data/%s%u", word, i);
        CU_ASSERT_EQUAL(store_io_write(io, path, "x", 1), 0);
    }
    names = store_xs_list(io, "/local/domain/5/data", &n);
    for (unsigned i = 0; i < n; i++)
        *found += !strncmp(names[i], word, strlen(word));
    free(names);
    return 0;
}

static int write_half(struct store_io *io, void *arg)
{
    (void)arg;
    store_put_dom_name(io, 5, "half");
    store_io_write(io, "/local//domain", "x", 1);       /* refused, which is known later */
    store_put_dom_domid(io, 5, 5);
    return 0;
}

static int change_mind(struct store_io *io, void *arg)
{
    (void)arg;
    store_put_dom_name(io, 5, "other");
    return -ECANCELED;
}

/* Posted writes are seen by the same transaction; one that is refused keeps all from happening. */
static void test_transactions(void)
{
    struct xs_handle *xs = xs_open(0);
    struct store_io io = store_xs(xs);
    char name[32] = "";
    unsigned found = 0;

    live_make(&io, 5);
    CU_ASSERT_EQUAL(store_xs_transaction(&io, write_many, &found), 0);
    CU_ASSERT_EQUAL(found, MANY);
    CU_ASSERT_EQUAL(store_xs_transaction(&io, write_half, NULL), -EINVAL);
    CU_ASSERT_EQUAL(io.rc, -EINVAL);
    CU_ASSERT_STRING_EQUAL(io.failed, "/local//domain");
    io.rc = 0;
    CU_ASSERT_EQUAL(store_xs_transaction(&io, change_mind, NULL), -ECANCELED);
    CU_ASSERT(store_get_dom_name(&io, 5, name, sizeof(name)) > 0);
    CU_ASSERT_STRING_EQUAL(name, "guest5");
    live_end(xs, 5);
    xs_close(xs);
}

/* ---- watches */

struct storm {
    volatile bool stop;
    unsigned long writes;
};

static void *storm(void *arg)
{
    struct storm *s = arg;
    struct xs_handle *xs = xs_open(0);
    char v[32];

    while (!s->stop) {
        int n = snprintf(v, sizeof(v), "%lu", s->writes++);

        xs_write(xs, XBT_NULL, "/local/domain/4/data/storm", v, (unsigned)n);
    }
    xs_close(xs);
    return NULL;
}

/* A change under a storm of others is seen. */
static void test_watch_under_storm(void)
{
    struct storm s = { 0 };
    struct watcher *w = watcher_open();
    struct xs_handle *xs = xs_open(0);
    const char *path, *token;
    int64_t start, end;
    bool seen = false;
    pthread_t t;

    CU_ASSERT_EQUAL(watcher_add(w, "/local/domain", "all"), 0);
    pthread_create(&t, NULL, storm, &s);
    usleep(300000);
    start = now_us();
    CU_ASSERT(xs_write(xs, XBT_NULL, "/local/domain/4/control/sysrq", "h", 1));
    while (!seen && watcher_next(w, 20000, &path, &token) > 0)
        seen = !strcmp(path, "/local/domain/4/control/sysrq");
    end = now_us();
    s.stop = true;
    pthread_join(t, NULL);
    CU_ASSERT(seen);
    printf("seen after %lld us among %lu writes ", (long long)(end - start), s.writes);
    xs_rm(xs, XBT_NULL, "/local/domain/4/data/storm");
    xs_close(xs);
    watcher_close(w);
}

static void test_watch_outlives_the_daemon(void)
{
    struct watcher *w = watcher_open();
    const char *path, *token;
    struct xs_handle *xs;
    bool seen = false;

    CU_ASSERT_EQUAL(watcher_add(w, "/tool", "t"), 0);
    CU_ASSERT_EQUAL(watcher_next(w, 20000, &path, &token), 1);
    CU_ASSERT_EQUAL(watcher_next(w, 100, &path, &token), 0);
    host_restart(&live_host);
    CU_ASSERT_EQUAL(watcher_next(w, 20000, &path, &token), 1);       /* set again: fires once */
    CU_ASSERT_STRING_EQUAL(token, "t");
    xs = xs_open(0);
    CU_ASSERT(xs_write(xs, XBT_NULL, "/tool/x", "1", 1));
    while (!seen && watcher_next(w, 20000, &path, &token) == 1)
        seen = !strcmp(path, "/tool/x");
    CU_ASSERT(seen);
    xs_rm(xs, XBT_NULL, "/tool/x");
    xs_close(xs);
    watcher_close(w);
}

static void add_tests(CU_pSuite s)
{
    CU_add_test(s, "lint is clean on 1, 16, 100 domains", test_lint_is_clean);
    CU_add_test(s, "lint finds each fault", test_lint_finds_each_fault);
    CU_add_test(s, "lint knows permissions", test_lint_knows_permissions);
    CU_add_test(s, "transactions post their writes", test_transactions);
    CU_add_test(s, "a watch sees its change in a storm", test_watch_under_storm);
    CU_add_test(s, "a watch outlives the daemon", test_watch_outlives_the_daemon);
}

int main(void)
{
    return live_main(add_tests);
}
