/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_hostile_test.c - guests against XenStore: H105 to H111 of the hostile-guest list
 *
 * Debian's daemons are the ones attacked; what is ours and under test is that the toolstack's tree,
 * its permissions (sample.c writes them from the schema, as create does), lint and the other guests
 * stay what they were. Each test ends by looking at all of that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "tree.h"

#define RSS_CAP_KIB (64 * 1024)
#define WRITES 3000                     /* of H108's 10^5: each costs a round trip over the ring */

static void add_guest(struct xs_handle *xs, struct guest *g, uint32_t domid)
{
    struct store_io io = store_xs(xs);

    live_make(&io, domid);
    host_add(&live_host, xs, g, domid);
}

static void remove_guest(struct xs_handle *xs, struct guest *g)
{
    host_remove(g);
    live_end(xs, g->domid);
}

/* The daemon lives, Dom0 reads the whole tree, @good is served and nothing of its tree has moved. */
static void check_others(struct guest *good)
{
    char name[32], buf[64];
    struct tree_node *root;

    snprintf(name, sizeof(name), "guest%u", good->domid);
    CU_ASSERT_EQUAL(kill(live_host.pid, 0), 0);
    CU_ASSERT_EQUAL(guest_read(good, "name", buf, sizeof(buf)), (int)strlen(name));
    CU_ASSERT_STRING_EQUAL(buf, name);
    CU_ASSERT_EQUAL_FATAL(tree_load("/", &root), 0);
    tree_free(root);
    CU_ASSERT_EQUAL(live_lint((int)good->domid, true).count, 0);
    CU_ASSERT(host_rss(&live_host) < RSS_CAP_KIB);
}

/* ---- H105 */

static void break_indices(struct guest *g)
{
    g->ring->req_prod = g->ring->req_cons + 70000;
    g->ring->rsp_cons = g->ring->rsp_prod - 123456;
}

static void break_random(struct guest *g)
{
    g->ring->req_prod = (uint32_t)random();
    g->ring->rsp_cons = (uint32_t)random();
}

static void break_header(struct guest *g)
{
    struct xsd_sockmsg hdr = { .type = XS_READ, .len = XENSTORE_PAYLOAD_MAX + 1 };

    guest_raw(g, &hdr, sizeof(hdr));
}

static void break_type(struct guest *g)
{
    struct xsd_sockmsg hdr = { .type = 0xfffffff0, .len = 4 };

    guest_raw(g, &hdr, sizeof(hdr));
    guest_raw(g, "abc", 4);
}

static void stop_in_header(struct guest *g)
{
    struct xsd_sockmsg hdr = { .type = XS_READ, .len = 5 };

    guest_raw(g, &hdr, 9);
}

static void stop_in_body(struct guest *g)
{
    struct xsd_sockmsg hdr = { .type = XS_READ, .len = 5 };

    guest_raw(g, &hdr, sizeof(hdr));
    guest_raw(g, "na", 2);
}

/* Ask for more than the reply ring holds, and read nothing of it. */
static void never_read(struct guest *g)
{
    for (int i = 0; i < 30; i++) {
        struct xsd_sockmsg hdr = { .type = XS_DIRECTORY, .len = 8 };

        if (XENSTORE_RING_SIZE - (g->ring->req_prod - g->ring->req_cons) < sizeof(hdr) + 8)
            break;                          /* the daemon has stopped to take requests */
        guest_raw(g, &hdr, sizeof(hdr));
        guest_raw(g, "control", 8);
    }
}

static void test_h105_broken_rings(void)
{
    static void (*const ways[])(struct guest *g) = {
        break_indices, break_random, break_header, break_type, stop_in_header, stop_in_body,
        never_read,
    };
    struct xs_handle *xs = xs_open(0);
    struct guest bad, good;

    srandom(105);
    add_guest(xs, &good, 15);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        add_guest(xs, &bad, 14);
        ways[i](&bad);
        guest_notify(&bad);
        check_others(&good);
        guest_notify(&bad);
        check_others(&good);
        remove_guest(xs, &bad);
    }
    remove_guest(xs, &good);
    CU_ASSERT_EQUAL(live_lint(-1, true).count, 0);
    xs_close(xs);
}

/* ---- H106 */

static void test_h106_other_trees(void)
{
    static const char *const forbidden[] = {
        "/", "/local", "/local/domain", "/local/domain/11", "/local/domain/12", "/local/domain/12/name",
        "/local/domain/12/device/vbd/51712/state", "/libxl", "/libxl/11/type",
        "/libxl/11/device/vbd/51712/backend", "/vane/domain/11/phase", "/vm",
        "/local/domain/0/backend/vbd/11/51712/state", "/local/domain/0/backend/vbd/11/51712/params",
        "name", "domid", "console/tty", "console/limit", "device/vbd/51713/state",
        "/vm/8f2c1d3e-0a1b-4c5d-9e8f-00000000000b/name", "@introduceDomain", "@releaseDomain",
    };
    static const char *const unreadable[] = {
        "/libxl/11/type", "/libxl", "/local/domain/12/name", "/local/domain/12",
        "/local/domain/0/backend/vbd/12/51712/state", "/vm/8f2c1d3e-0a1b-4c5d-9e8f-00000000000c/name",
    };
    struct xs_handle *xs = xs_open(0);
    struct guest g, other;
    char buf[4097];
    unsigned before;

    add_guest(xs, &g, 11);
    add_guest(xs, &other, 12);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        CU_ASSERT(guest_write(&g, forbidden[i], "4") < 0);
        CU_ASSERT(guest_rm(&g, forbidden[i]) < 0);
        CU_ASSERT(guest_chmod(&g, forbidden[i], "b11") < 0);
    }
    for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
        const char *p = unreadable[i];

        CU_ASSERT_EQUAL(guest_read(&g, p, buf, sizeof(buf)), -EACCES);
        CU_ASSERT(guest_request(&g, XS_DIRECTORY, 0, p, strlen(p) + 1, buf, sizeof(buf)) < 0);
        CU_ASSERT(guest_request(&g, XS_GET_PERMS, 0, p, strlen(p) + 1, buf, sizeof(buf)) < 0);
        guest_watch(&g, p, "t");            /* may be accepted, with the one event at its start */
    }
    guest_watch(&g, "@introduceDomain", "t");
    guest_watch(&g, "@releaseDomain", "t");
    CU_ASSERT_EQUAL(guest_read(&g, "name", buf, sizeof(buf)), 7);
    before = g.events;
    CU_ASSERT(xs_write(xs, XBT_NULL, "/local/domain/12/name", "guest12", 7));
    CU_ASSERT(xs_write(xs, XBT_NULL, "/libxl/11/type", "pv", 2));
    CU_ASSERT(xs_write(xs, XBT_NULL, "/local/domain/0/backend/vbd/12/51712/state", "4", 1));
    remove_guest(xs, &other);               /* fires the special watch, for those who may */
    add_guest(xs, &other, 12);
    CU_ASSERT_EQUAL(guest_read(&g, "name", buf, sizeof(buf)), 7);
    CU_ASSERT_EQUAL(g.events, before);
    if (g.events != before)
        fprintf(stderr, "  an event it may not have: %s\n", g.event);
    check_others(&other);
    CU_ASSERT_EQUAL(live_lint(-1, true).count, 0);
    remove_guest(xs, &g);
    remove_guest(xs, &other);
    xs_close(xs);
}

/* ---- H107 */

static void test_h107_malformed_paths(void)
{
    static const unsigned types[] = { XS_READ, XS_DIRECTORY, XS_MKDIR, XS_RM, XS_GET_PERMS };
    static const struct {
        const char *path;
        size_t len;                         /* 0: up to and with its terminator */
    } bad[] = {
        { "", 0 }, { "//", 0 }, { "data/", 0 }, { "data//x", 0 }, { "/local/domain/", 0 },
        { "/local//domain", 0 }, { "na\0me", 6 }, { "data/a b", 0 }, { "data/\xff", 0 }, { "name", 4 },
        { "data/\n", 0 },
    };
    struct xs_handle *xs = xs_open(0);
    struct guest g, good;
    char longest[XENSTORE_PAYLOAD_MAX];

    add_guest(xs, &g, 17);
    add_guest(xs, &good, 18);
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            size_t len = bad[i].len ? bad[i].len : strlen(bad[i].path) + 1;
            int rc = guest_request(&g, types[t], 0, bad[i].path, len, NULL, 0);

            CU_ASSERT(rc < 0 && rc != -ETIMEDOUT);
        }
        memset(longest, 'x', sizeof(longest));
        longest[0] = '/';                                       /* one more than an absolute path has */
        longest[XENSTORE_ABS_PATH_MAX + 1] = '\0';
        CU_ASSERT(guest_request(&g, types[t], 0, longest, XENSTORE_ABS_PATH_MAX + 2, NULL, 0) < 0);
        memcpy(longest, "data/", 5);                            /* and than a relative one has */
        longest[XENSTORE_REL_PATH_MAX + 1] = '\0';
        CU_ASSERT(guest_request(&g, types[t], 0, longest, XENSTORE_REL_PATH_MAX + 2, NULL, 0) < 0);
    }
    check_others(&good);
    CU_ASSERT_EQUAL(live_lint(-1, true).count, 0);
    remove_guest(xs, &g);
    remove_guest(xs, &good);
    xs_close(xs);
}

/* ---- H108 */

static int write_in(struct guest *g, uint32_t tx, const char *path)
{
    char p[64];
    size_t len = (size_t)snprintf(p, sizeof(p), "%s", path) + 1;

    p[len] = 'x';
    return guest_request(g, XS_WRITE, tx, p, len + 1, NULL, 0);
}

static void open_transactions(struct guest *g)
{
    unsigned refused = 0;

    for (int t = 0; t < 12; t++) {
        uint32_t tx = guest_begin(g);
        int rc = tx ? 0 : -1;

        for (int n = 0; rc >= 0 && n < 1100; n++) {
            char path[64];

            snprintf(path, sizeof(path), "data/t%d/%d", t, n);
            rc = write_in(g, tx, path);
        }
        refused += rc < 0;
    }
    CU_ASSERT(refused > 0);                 /* at a transaction, or at a node in one */
}

static void set_watches(struct guest *g)
{
    char path[64], deep[64] = "data";
    int rc = 0, n = 0;

    for (int i = 0; i < 20; i++)
        snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/d");
    CU_ASSERT_EQUAL(guest_write(g, deep, "x"), 0);
    for (; n < 1000 && !rc; n++) {
        snprintf(path, sizeof(path), "data/w%d", n);
        rc = guest_watch(g, n % 2 ? path : deep, path);
    }
    CU_ASSERT(rc < 0 && n > 100);           /* a hundred are everybody's; without end is nobody's */
    CU_ASSERT_EQUAL(guest_rm(g, "data/d"), 0);
}

static void fill_quota(struct guest *g)
{
    int rc = 0, n = 0;

    for (; n < 2000 && !rc; n++) {
        char path[64];

        snprintf(path, sizeof(path), "data/%d/%d/%d/%d", n % 7, n % 11, n % 13, n);
        rc = guest_write(g, path, "x");
    }
    CU_ASSERT(rc < 0);
    CU_ASSERT(n > 100 && n < 1100);
}

static void test_h108_resources(void)
{
    struct xs_handle *xs = xs_open(0);
    struct guest g, good;

    add_guest(xs, &g, 13);
    add_guest(xs, &good, 18);
    open_transactions(&g);
    check_others(&good);
    set_watches(&g);
    check_others(&good);
    fill_quota(&g);
    check_others(&good);
    for (int i = 0; i < WRITES; i++)
        guest_write(&g, "control/sysrq", i % 2 ? "h" : "");
    check_others(&good);
    CU_ASSERT_EQUAL(live_lint(13, true).errors, 0);
    remove_guest(xs, &g);
    remove_guest(xs, &good);
    xs_close(xs);
}

/* ---- H109 */

static void test_h109_domid_again(void)
{
    static const char share[] = "data/share\0n17\0r16";
    struct xs_handle *xs = xs_open(0);
    struct guest g, other;
    char buf[64];
    int rc = 0;

    add_guest(xs, &g, 16);
    add_guest(xs, &other, 17);
    CU_ASSERT_EQUAL(guest_write(&other, "data/share", "secret"), 0);
    CU_ASSERT(guest_request(&other, XS_SET_PERMS, 0, share, sizeof(share), NULL, 0) >= 0);
    CU_ASSERT_EQUAL(guest_read(&g, "/local/domain/17/data/share", buf, sizeof(buf)), 6);
    CU_ASSERT_EQUAL(guest_write(&g, "data/mine", "x"), 0);
    CU_ASSERT_EQUAL(guest_watch(&g, "data", "old"), 0);
    CU_ASSERT_EQUAL(guest_watch(&g, "/local/domain/17/data/share", "old"), 0);
    fill_quota(&g);
    remove_guest(xs, &g);

    add_guest(xs, &g, 16);                  /* another machine of the same number */
    CU_ASSERT_EQUAL(guest_read(&g, "data/mine", buf, sizeof(buf)), -ENOENT);
    CU_ASSERT_EQUAL(guest_read(&g, "/local/domain/17/data/share", buf, sizeof(buf)), -EACCES);
    CU_ASSERT_EQUAL(guest_write(&other, "data/share", "again"), 0);
    for (int n = 0; n < 100 && !rc; n++) {
        char path[32];

        snprintf(path, sizeof(path), "data/n%d", n);
        rc = guest_write(&g, path, "x");
    }
    CU_ASSERT_EQUAL(rc, 0);                 /* its quota is its own */
    CU_ASSERT_EQUAL(g.events, 0);           /* and so are its watches: it has none */
    CU_ASSERT_EQUAL(guest_rm(&other, "data/share"), 0);
    check_others(&other);
    remove_guest(xs, &g);
    remove_guest(xs, &other);
    CU_ASSERT_EQUAL(live_lint(-1, true).count, 0);
    xs_close(xs);
}

/* ---- H110 */

static void test_h110_reset_in_a_transaction(void)
{
    struct xs_handle *xs = xs_open(0);
    struct guest g, good;
    char buf[64];
    unsigned before;
    uint32_t tx;

    add_guest(xs, &g, 19);
    add_guest(xs, &good, 18);
    CU_ASSERT_EQUAL(guest_watch(&g, "data", "t"), 0);
    tx = guest_begin(&g);
    CU_ASSERT(tx != 0);
    CU_ASSERT(write_in(&g, tx, "data/in") >= 0);
    guest_request(&g, XS_RESET_WATCHES, tx, "", 1, NULL, 0);
    CU_ASSERT(guest_request(&g, XS_RESET_WATCHES, 0, "", 1, NULL, 0) >= 0);
    guest_request(&g, XS_TRANSACTION_END, tx, "T", 2, NULL, 0);     /* done, or unknown by now */
    check_others(&good);
    CU_ASSERT_EQUAL(guest_read(&g, "name", buf, sizeof(buf)), 7);
    before = g.events;
    CU_ASSERT_EQUAL(guest_write(&g, "data/after", "x"), 0);
    CU_ASSERT_EQUAL(guest_read(&g, "data/after", buf, sizeof(buf)), 1);
    CU_ASSERT_EQUAL(g.events, before);                              /* the watch is gone */
    tx = guest_begin(&g);
    CU_ASSERT(tx != 0 && write_in(&g, tx, "data/new") >= 0);
    CU_ASSERT(guest_request(&g, XS_TRANSACTION_END, tx, "T", 2, NULL, 0) >= 0);
    CU_ASSERT_EQUAL(guest_read(&g, "data/new", buf, sizeof(buf)), 1);
    remove_guest(xs, &g);
    remove_guest(xs, &good);
    xs_close(xs);
}

/* ---- H111 */

/* What decisions are taken from: /libxl, the back ends and the console, as one text. */
static char *truth_about(uint32_t domid)
{
    char path[STORE_PATH_MAX], *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    for (int i = 0; i < 4; i++) {
        struct tree_node *root;

        if (i == 0)
            store_path_libxl(path, sizeof(path), domid);
        else if (i == 1)
            store_path_vbd_be(path, sizeof(path), 0, domid, 51712);
        else if (i == 2)
            store_path_vif_be(path, sizeof(path), 0, domid, 0);
        else
            store_path_con(path, sizeof(path), domid);
        CU_ASSERT_EQUAL_FATAL(tree_load(path, &root), 0);
        tree_print(f, root, false);
        tree_free(root);
    }
    fclose(f);
    return text;
}

static void random_value(char *v, size_t size)
{
    static const char *const words[] = { "", "0", "6", "5", "poweroff", "4294967296", "-1", "/etc/shadow",
                                         "/local/domain/0/backend/vbd/12/51712", "/dev/pts/0", "../../name" };
    size_t n = (size_t)random() % (size - 1);

    if (random() % 2) {
        snprintf(v, size, "%s", words[(size_t)random() % (sizeof(words) / sizeof(words[0]))]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (char)(1 + random() % 255);
    v[n] = '\0';
}

static void test_h111_rewritten_keys(void)
{
    static const char *const keys[] = {
        "console/tty", "console/limit", "console/output", "console/type", "console/port",
        "device/vbd/51712/backend", "device/vbd/51712/backend-id", "device/vbd/51712/state",
        "device/vbd/51712/virtual-device", "device/vif/0/backend", "device/vif/0/state",
        "device/vif/0/mac", "device/vbd/51712/evil", "control/shutdown", "control/feature-poweroff",
        "control/sysrq", "data/x", "error/x", "name", "domid", "memory/target", "cpu/0/availability",
    };
    struct xs_handle *xs = xs_open(0);
    struct guest g, other;
    char *before, *after;
    struct verdict s;

    srandom(111);
    add_guest(xs, &g, 11);
    add_guest(xs, &other, 12);
    before = truth_about(11);
    for (int i = 0; i < 1000; i++) {
        char v[200];

        random_value(v, sizeof(v));
        guest_write(&g, keys[(size_t)random() % (sizeof(keys) / sizeof(keys[0]))], v);
    }
    guest_rm(&g, "device/vbd/51712/state");
    guest_chmod(&g, "device/vif/0", "b11");
    after = truth_about(11);
    CU_ASSERT_STRING_EQUAL(before, after);
    free(before);
    free(after);
    CU_ASSERT_EQUAL(guest_write(&g, "device/vbd/51712/backend", "/local/domain/0/backend/vbd/12/51712"), 0);
    s = live_lint(11, false);
    CU_ASSERT(s.kinds[LINT_FORGED] > 0);            /* noticed ... */
    CU_ASSERT_EQUAL(s.kinds[LINT_EXPOSED], 0);
    check_others(&other);                           /* ... and nobody else's trouble */
    remove_guest(xs, &g);
    remove_guest(xs, &other);
    xs_close(xs);
}

static void add_tests(CU_pSuite s)
{
    CU_add_test(s, "H105 rings that are broken, cut short or never read", test_h105_broken_rings);
    CU_add_test(s, "H106 other trees are out of reach, watches among them", test_h106_other_trees);
    CU_add_test(s, "H107 malformed paths are refused", test_h107_malformed_paths);
    CU_add_test(s, "H108 transactions, watches, nodes and writes without end", test_h108_resources);
    CU_add_test(s, "H109 a domid used again inherits nothing", test_h109_domid_again);
    CU_add_test(s, "H110 watches reset inside a transaction", test_h110_reset_in_a_transaction);
    CU_add_test(s, "H111 rewritten keys move no decision", test_h111_rewritten_keys);
}

int main(void)
{
    return live_main(add_tests);
}
