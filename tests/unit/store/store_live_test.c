/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_live_test.c - the store verbs on Debian's own daemons, xenstored and oxenstored
 *
 * Both run on this machine (store_host.h). Domains are rings on which the test writes what a guest
 * may write, honest or hostile.
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

#include "lint.h"
#include "store_host.h"
#include "tree.h"
#include "watch.h"

static struct host host;
static bool ocaml;

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- lint */

struct seen {
    size_t count, kinds[LINT_STALLED + 1], errors;
    bool print;
};

static void see(void *arg, const struct lint_finding *f)
{
    struct seen *s = arg;

    s->count++;
    s->kinds[f->kind]++;
    s->errors += f->level == LINT_ERROR;
    if (s->print)
        fprintf(stderr, "  %s %s: %s\n", lint_kind_name(f->kind), f->path, f->text);
}

static struct seen lint(int domid, bool print)
{
    struct seen s = { .print = print };
    struct tree_node *root;

    CU_ASSERT_EQUAL_FATAL(tree_load("/", &root), 0);
    lint_tree(root, domid, see, &s);
    tree_free(root);
    return s;
}

static void make_domain(struct store_io *io, uint32_t domid)
{
    host_make(&host, domid);
    CU_ASSERT_EQUAL_FATAL(sample_domain(io, domid), 0);
}

/* What destroy leaves behind, if it does its work: nothing. */
static void end_domain(struct xs_handle *xs, uint32_t domid)
{
    static const char *const trees[] = {
        "/local/domain/%u", "/libxl/%u", "/vm/8f2c1d3e-0a1b-4c5d-9e8f-%012x",
        "/local/domain/0/backend/vbd/%u", "/local/domain/0/backend/vif/%u",
        "/local/domain/0/backend/console/%u",
    };
    char path[64];

    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        snprintf(path, sizeof(path), trees[i], domid);
        xs_rm(xs, XBT_NULL, path);
    }
    host_gone(&host, domid);
}

static void check_many(unsigned n)
{
    struct xs_handle *xs = xs_open(0);
    struct store_io io = store_xs(xs);
    struct tree_node *root;
    int64_t start;
    size_t nodes = 0;

    for (unsigned d = 1; d <= n; d++)
        make_domain(&io, d);
    CU_ASSERT_EQUAL(lint(-1, true).count, 0);
    start = now_us();
    CU_ASSERT_EQUAL_FATAL(tree_load("/", &root), 0);
    for (struct tree_node *at = root; at; at = tree_next(root, at))
        nodes++;
    tree_free(root);
    printf("%u domains: %zu nodes in %lld us; %lu requests a domain ", n, nodes,
           (long long)(now_us() - start), io.ops / n);
    for (unsigned d = 1; d <= n; d++)
        end_domain(xs, d);
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

    make_domain(&io, 2);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct seen s;

        make_domain(&io, 3);
        CU_ASSERT_EQUAL(lint(-1, true).count, 0);
        if (faults[i].value)
            xs_write(xs, XBT_NULL, faults[i].path, faults[i].value,
                     (unsigned)strlen(faults[i].value));
        else
            xs_rm(xs, XBT_NULL, faults[i].path);
        s = lint(-1, false);
        if (!s.kinds[faults[i].kind])
            fprintf(stderr, "%s = %s: no %s among %zu findings\n", faults[i].path,
                    faults[i].value ? faults[i].value : "(gone)", lint_kind_name(faults[i].kind),
                    s.count);
        CU_ASSERT(s.kinds[faults[i].kind] > 0);
        CU_ASSERT_EQUAL(lint(2, true).count, 0);            /* none of it is domain 2's fault */
        end_domain(xs, 3);
    }
    end_domain(xs, 2);
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

    make_domain(&io, 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xs_permissions perms[2] = { cases[i].perms[0], cases[i].perms[1] };
        unsigned n = 0;
        struct xs_permissions *old = xs_get_permissions(xs, XBT_NULL, cases[i].path, &n);
        struct seen s;

        CU_ASSERT_FATAL(xs_set_permissions(xs, XBT_NULL, cases[i].path, perms, cases[i].n));
        s = lint(4, false);
        CU_ASSERT_EQUAL(s.count, 1);
        CU_ASSERT_EQUAL(s.kinds[cases[i].kind], 1);
        CU_ASSERT_EQUAL(s.errors, cases[i].error);
        xs_set_permissions(xs, XBT_NULL, cases[i].path, old, n);
        free(old);
        CU_ASSERT_EQUAL(lint(4, true).count, 0);
    }
    end_domain(xs, 4);
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

/* A change under a storm of others is seen, and promptly. */
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
    while (!seen && now_us() - start < 5000000 && watcher_next(w, 5000, &path, &token) > 0)
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
    int64_t start;

    CU_ASSERT_EQUAL(watcher_add(w, "/tool", "t"), 0);
    CU_ASSERT_EQUAL(watcher_next(w, 2000, &path, &token), 1);
    CU_ASSERT_EQUAL(watcher_next(w, 100, &path, &token), 0);
    host_restart(&host);
    CU_ASSERT_EQUAL(watcher_next(w, 5000, &path, &token), 1);       /* set again: fires once */
    CU_ASSERT_STRING_EQUAL(token, "t");
    xs = xs_open(0);
    CU_ASSERT(xs_write(xs, XBT_NULL, "/tool/x", "1", 1));
    start = now_us();
    while (!seen && now_us() - start < 5000000 && watcher_next(w, 2000, &path, &token) == 1)
        seen = !strcmp(path, "/tool/x");
    CU_ASSERT(seen);
    xs_rm(xs, XBT_NULL, "/tool/x");
    xs_close(xs);
    watcher_close(w);
}

/* ---- hostile guests */

static void add_guest(struct xs_handle *xs, struct guest *g, uint32_t domid)
{
    struct store_io io = store_xs(xs);

    make_domain(&io, domid);
    host_add(&host, xs, g, domid);
}

static void remove_guest(struct xs_handle *xs, struct guest *g)
{
    host_remove(g);
    end_domain(xs, g->domid);
}

/* H106, H111: what a guest may not touch stays; what it may rewrite does not move the verdicts. */
static void test_guest_stays_in_its_tree(void)
{
    static const char *const forbidden[] = {
        "/", "/local", "/local/domain", "/local/domain/11", "/local/domain/12/name",
        "/local/domain/12/device/vbd/51712/state", "/libxl/11/type",
        "/libxl/11/device/vbd/51712/backend", "/vane/domain/11/phase",
        "/local/domain/0/backend/vbd/11/51712/state", "/local/domain/0/backend/vbd/11/51712/params",
        "name", "domid", "console/tty", "console/limit", "device/vbd/51713/state",
        "/vm/8f2c1d3e-0a1b-4c5d-9e8f-00000000000b/name", "@introduceDomain",
    };
    struct xs_handle *xs = xs_open(0);
    struct guest g, other;
    char buf[4097];
    struct seen s;

    add_guest(xs, &g, 11);
    add_guest(xs, &other, 12);
    CU_ASSERT_EQUAL(guest_read(&g, "name", buf, sizeof(buf)), 7);
    CU_ASSERT_STRING_EQUAL(buf, "guest11");
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        CU_ASSERT(guest_write(&g, forbidden[i], "4") < 0);
        CU_ASSERT(guest_rm(&g, forbidden[i]) < 0);
        CU_ASSERT(guest_chmod(&g, forbidden[i], "b11") < 0);
    }
    CU_ASSERT_EQUAL(guest_read(&g, "/libxl/11/type", buf, sizeof(buf)), -EACCES);
    CU_ASSERT_EQUAL(guest_read(&g, "/local/domain/12/name", buf, sizeof(buf)), -EACCES);
    CU_ASSERT_EQUAL(lint(-1, true).count, 0);

    /* its own: allowed, noticed, and never worse than its own device's trouble */
    CU_ASSERT_EQUAL(guest_write(&g, "device/vbd/51712/backend",
                                "/local/domain/0/backend/vbd/12/51712"), 0);
    CU_ASSERT_EQUAL(guest_write(&g, "device/vbd/51712/state", "nine"), 0);
    CU_ASSERT_EQUAL(guest_write(&g, "control/feature-poweroff", "\x1b[2J\xff\"\n"), 0);
    CU_ASSERT_EQUAL(guest_write(&g, "data/a/b/c/d", "x"), 0);
    CU_ASSERT_EQUAL(guest_write(&g, "device/vbd/51712/evil", "x"), 0);
    CU_ASSERT_EQUAL(guest_chmod(&g, "device/vif/0", "b11"), 0);
    s = lint(11, false);
    CU_ASSERT_EQUAL(s.kinds[LINT_FORGED], 1);
    CU_ASSERT_EQUAL(s.kinds[LINT_VALUE], 2);
    CU_ASSERT_EQUAL(s.kinds[LINT_UNKNOWN], 1);
    CU_ASSERT_EQUAL(s.kinds[LINT_EXPOSED], 0);
    CU_ASSERT_EQUAL(s.kinds[LINT_PERMS], 1);
    CU_ASSERT_EQUAL(lint(12, true).count, 0);
    remove_guest(xs, &g);
    remove_guest(xs, &other);
    xs_close(xs);
}

/* H108: a guest fills its quota; Dom0 still reads the whole tree, quickly, and lint still ends. */
static void test_guest_fills_its_quota(void)
{
    struct xs_handle *xs = xs_open(0);
    struct tree_node *root;
    struct guest g;
    int64_t start;
    int rc = 0, n = 0;

    add_guest(xs, &g, 13);
    for (; n < 2000 && !rc; n++) {
        char path[128];

        snprintf(path, sizeof(path), "data/%d/%d/%d/%d", n % 7, n % 11, n % 13, n);
        rc = guest_write(&g, path, "x");
    }
    CU_ASSERT(rc < 0);
    CU_ASSERT(n > 100 && n < 1100);
    start = now_us();
    CU_ASSERT_EQUAL_FATAL(tree_load("/", &root), 0);
    tree_free(root);
    CU_ASSERT(now_us() - start < 2000000);
    CU_ASSERT_EQUAL(lint(13, true).count, 0);
    CU_ASSERT(host_rss(&host) < 64 * 1024);
    remove_guest(xs, &g);
    xs_close(xs);
}

/* H105: nonsense on the ring costs the guest its connection, and nobody else anything. */
static void test_guest_breaks_its_ring(void)
{
    struct xs_handle *xs = xs_open(0);
    struct guest bad, good;
    struct xsd_sockmsg hdr = { .type = XS_READ, .len = 5000 };
    char buf[64];

    add_guest(xs, &bad, 14);
    add_guest(xs, &good, 15);
    guest_raw(&bad, &hdr, sizeof(hdr));
    bad.ring->req_prod = bad.ring->req_cons + 70000;
    bad.ring->rsp_cons = bad.ring->rsp_prod - 123456;
    guest_notify(&bad);
    CU_ASSERT_EQUAL(guest_read(&good, "name", buf, sizeof(buf)), 7);
    CU_ASSERT_EQUAL(lint(-1, true).count, 0);
    CU_ASSERT_EQUAL(kill(host.pid, 0), 0);
    remove_guest(xs, &bad);
    remove_guest(xs, &good);
    xs_close(xs);
}

static void add_tests(CU_pSuite s)
{
    CU_add_test(s, "lint is clean on 1, 16, 100 domains", test_lint_is_clean);
    CU_add_test(s, "lint finds each fault", test_lint_finds_each_fault);
    CU_add_test(s, "lint knows permissions", test_lint_knows_permissions);
    CU_add_test(s, "a watch sees its change in a storm", test_watch_under_storm);
    CU_add_test(s, "a watch outlives the daemon", test_watch_outlives_the_daemon);
    CU_add_test(s, "a guest stays in its tree", test_guest_stays_in_its_tree);
    CU_add_test(s, "a guest fills its quota", test_guest_fills_its_quota);
    CU_add_test(s, "a guest breaks its ring", test_guest_breaks_its_ring);
}

static int start_host(void)
{
    host_start(&host, ocaml);
    return 0;
}

static int stop_host(void)
{
    host_stop(&host);
    ocaml = true;                       /* for the next suite */
    return 0;
}

int main(void)
{
    unsigned failed;

    CU_initialize_registry();
    if (host_available(false))
        add_tests(CU_add_suite("xenstored", start_host, stop_host));
    else
        ocaml = true;
    if (host_available(true))
        add_tests(CU_add_suite("oxenstored", start_host, stop_host));
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    printf("%u passed, %u failed\n", CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    return failed != 0;
}
