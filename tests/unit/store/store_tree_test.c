/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_tree_test.c - dumps, comparison and rules: what needs no daemon
 */
#define _GNU_SOURCE
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "tree.h"

/* ---- trees */

static int parse(const char *text, size_t len, struct tree_node **root)
{
    FILE *f = fmemopen((void *)(uintptr_t)text, len, "r");
    int rc;

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    rc = tree_parse(f, root, NULL);
    fclose(f);
    return rc;
}

static struct tree_node *tree_of(const char *text)
{
    struct tree_node *root = NULL;

    CU_ASSERT_EQUAL_FATAL(parse(text, strlen(text), &root), 0);
    return root;
}

static struct tree_node *reparse(struct tree_node *root, bool json)
{
    struct tree_node *again = NULL;
    char *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    tree_print(f, root, json);
    fclose(f);
    CU_ASSERT_EQUAL(parse(text, len, &again), 0);
    free(text);
    return again;
}

static void no_diff(void *arg, const char *path, const struct tree_node *a,
                    const struct tree_node *b)
{
    (void)arg;
    fprintf(stderr, "%s differs (%d, %d)\n", path, a != NULL, b != NULL);
}

/* parse(print(x)) == x, in both forms, for every byte a value can hold. */
static void test_dump_round_trip(void)
{
    struct tree_node *root = tree_add(NULL, "/", 1), *n = root;

    for (unsigned c = 0; c < 256; c++) {
        char name[16];
        struct tree_node *k;

        snprintf(name, sizeof(name), "n%u", c);
        k = tree_add(c % 16 ? root : n, name, strlen(name));
        n = c % 16 ? n : k;
        free(k->value);
        k->value = malloc(8);
        k->len = 7;
        memcpy(k->value, "\"a\\x\", ", 8);
        k->value[3] = (char)c;
        k->nperms = 2;
        k->perms = calloc(2, sizeof(*k->perms));
        k->perms[0].id = c;
        k->perms[1].id = c * 7;
        k->perms[1].perms = c % 4;
    }
    tree_sort(root);
    for (int json = 0; json < 2; json++) {
        struct tree_node *again = reparse(root, json);

        CU_ASSERT_PTR_NOT_NULL_FATAL(again);
        CU_ASSERT_EQUAL(tree_diff(root, again, no_diff, NULL), 0);
        CU_ASSERT_EQUAL(tree_diff(again, root, no_diff, NULL), 0);
        tree_free(again);
    }
    tree_free(root);
}

static void test_dump_of_xenstore_ls(void)
{
    struct tree_node *root = tree_of("/tool = \"\"   (n0)\n"
                                     "/local = \"\" . . . . . . . .  (n0,r3)\n"
                                     "/local/a = \"x\\ny\"   (b7)\n");
    struct tree_node *n = tree_find(root, "/local/a");

    CU_ASSERT_STRING_EQUAL(root->name, "/");
    CU_ASSERT_PTR_NOT_NULL_FATAL(n);
    CU_ASSERT_EQUAL(n->len, 3);
    CU_ASSERT(!memcmp(n->value, "x\ny", 3));
    CU_ASSERT(n->nperms == 1 && n->perms[0].id == 7 && n->perms[0].perms == 3);
    CU_ASSERT_EQUAL(n->parent->nperms, 2);
    CU_ASSERT_PTR_NULL(tree_find(root, "/local/b"));
    CU_ASSERT_PTR_NULL(tree_find(root, "/loca"));
    tree_free(root);
}

static void test_bad_dumps(void)
{
    static const char *const bad[] = {
        "x", "/a", "/a = ", "/a = \"", "a = \"x\"", "/a = \"x\" (q0)", "/a = \"x\" (n)",
        "/a = \"\\x4\"", "/a/ = \"x\"", "/a/b = \"\"\n/c/d = \"\"", "{", "{\"path\": \"",
        "{\"path\": \"/a\", \"value\": \"x\"}", "{\"path\": \"/a\", \"value\": \"\\u12\", \"perms\": \"\"}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tree_node *root = NULL;

        CU_ASSERT_EQUAL(parse(bad[i], strlen(bad[i]), &root), -EINVAL);
    }
}

struct counts {
    size_t left, right, both;
};

static void count(void *arg, const char *path, const struct tree_node *a, const struct tree_node *b)
{
    struct counts *c = arg;

    (void)path;
    c->both += a && b;
    c->left += a && !b;
    c->right += b && !a;
}

static void test_diff(void)
{
    struct tree_node *a = tree_of("/ = \"\" (n0)\n/a = \"1\" (n0)\n/a/b = \"2\" (n0)\n/a/b/c = \"3\" (n0)\n"
                                  "/d = \"4\" (n0)\n/e10 = \"\" (n0)\n/e9 = \"\" (n0)\n");
    struct tree_node *b = tree_of("/ = \"\" (n0)\n/a = \"1\" (n0)\n/d = \"5\" (n0)\n/d/x = \"\" (n0)\n"
                                  "/d/x/y = \"\" (n0)\n/e9 = \"\" (n0,r1)\n/e10 = \"\" (n0)\n");
    struct counts c = { 0 };

    CU_ASSERT_EQUAL(tree_diff(a, b, count, &c), 6);
    CU_ASSERT_EQUAL(c.left, 2);
    CU_ASSERT_EQUAL(c.right, 2);
    CU_ASSERT_EQUAL(c.both, 2);
    tree_free(a);
    tree_free(b);
}

/* ---- rules */

struct entry {
    char key[200], value[64];
    enum rule_mark mark;
};

static struct entry book[32];
static unsigned book_writes;

static void keep(void *arg, const char *rule, const char *path, enum rule_mark mark,
                 const char *value, size_t len)
{
    struct entry *e = book;
    char key[200];

    (void)arg;
    snprintf(key, sizeof(key), "%s %s", rule, path);
    while (e->key[0] && strcmp(e->key, key))
        e++;
    CU_ASSERT_FATAL(e < book + 31);
    snprintf(e->key, sizeof(e->key), "%s", key);
    snprintf(e->value, sizeof(e->value), "%.*s", (int)len, value ? value : "");
    e->mark = mark;
    book_writes++;
}

static struct rules *rules_of(const char *text)
{
    FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    struct rules *r;
    char err[256];

    r = rules_parse(f, err, sizeof(err));
    if (!r)
        fprintf(stderr, "%s\n", err);
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    rules_journal(r, keep, NULL);
    return r;
}

/* The program died and a new one reads its journal. */
static struct rules *restart(struct rules *r, const char *text)
{
    rules_free(r);
    r = rules_of(text);
    for (struct entry *e = book; e->key[0]; e++) {
        char rule[65] = "";

        snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(e->key, " "), e->key);
        rules_restore(r, rule, strchr(e->key, ' ') + 1, e->mark, e->value, strlen(e->value));
    }
    return r;
}

static void observe(struct rules *r, const char *path, const char *v, int64_t now)
{
    rules_observe(r, path, v, v ? strlen(v) : 0, now);
}

/* Perform what is due; how many, and the last one's first argument. */
static char said[128];
static unsigned perform(struct rules *r, int64_t now)
{
    const struct rule_action *a;
    unsigned n = 0;

    for (; (a = rules_due(r, now)) != NULL; n++) {
        snprintf(said, sizeof(said), "%s%s", a->argv[1] ? a->argv[1] : "", a->again ? " again" : "");
        rules_done(r, a, now);
    }
    return n;
}

#define STATE "/local/domain/0/backend/vbd/3/51712/state"
#define OFF   "/local/domain/5/control/shutdown"

static void forget_book(void)
{
    memset(book, 0, sizeof(book));
    book_writes = 0;
}

static void test_rule_acts_once_per_change(void)
{
    const char *text = "on up: /local/domain/<backid>/backend/vbd/<domid>/<devid>/state = 4 "
                       "do x \"${domid}:${devid}:${backid}:${value}:${path}:${rule}:$x\"\n";
    struct rules *r;

    forget_book();
    r = rules_of(text);
    observe(r, STATE, "2", 0);
    CU_ASSERT_EQUAL(perform(r, 1), 0);
    observe(r, STATE, "4", 2);
    CU_ASSERT_EQUAL(perform(r, 2), 1);
    CU_ASSERT_STRING_EQUAL(said, "3:51712:0:4:" STATE ":up:$x");
    observe(r, STATE, "4", 3);
    CU_ASSERT_EQUAL(perform(r, 3), 0);
    r = restart(r, text);
    observe(r, STATE, "4", 0);
    CU_ASSERT_EQUAL(perform(r, 1), 0);
    observe(r, STATE, "5", 2);
    observe(r, STATE, "4", 3);
    CU_ASSERT_EQUAL(perform(r, 3), 1);
    observe(r, STATE, NULL, 4);
    observe(r, STATE, "4", 5);
    CU_ASSERT_EQUAL(perform(r, 5), 1);
    observe(r, "/local/domain/0/backend/vbd/3/51712/mode", "4", 6);
    observe(r, "/local/domain/0/backend/vif/3/0/state", "4", 6);
    CU_ASSERT_EQUAL(perform(r, 6), 0);
    rules_free(r);
}

/* Killed between "trying" and "acted": done again, and marked so. Killed after: not. */
static void test_rule_survives_a_crash(void)
{
    const char *text = "on off: " OFF " = poweroff do x ${value}\n";
    struct rules *r;

    forget_book();
    r = rules_of(text);
    observe(r, OFF, "poweroff", 0);
    CU_ASSERT_PTR_NOT_NULL(rules_due(r, 0));
    CU_ASSERT_EQUAL(book[0].mark, RULE_MARK_TRYING);
    r = restart(r, text);
    observe(r, OFF, "poweroff", 0);
    CU_ASSERT_EQUAL(perform(r, 0), 1);
    CU_ASSERT_STRING_EQUAL(said, "poweroff again");
    CU_ASSERT_EQUAL(book[0].mark, RULE_MARK_ACTED);
    r = restart(r, text);
    observe(r, OFF, "poweroff", 0);
    CU_ASSERT_EQUAL(perform(r, 0), 0);
    observe(r, OFF, "", 0);
    CU_ASSERT_EQUAL(book[0].mark, RULE_MARK_NONE);
    rules_free(r);
}

static void test_rule_debounce(void)
{
    struct rules *r;

    forget_book();
    r = rules_of("on off: /local/domain/<domid>/control/shutdown != \"\" debounce 100 do x ${value}");
    observe(r, OFF, "reboot", 0);
    CU_ASSERT_EQUAL(rules_next(r), 100);
    CU_ASSERT_EQUAL(perform(r, 99), 0);
    observe(r, OFF, "poweroff", 60);                /* another value: the time starts anew */
    CU_ASSERT_EQUAL(perform(r, 120), 0);
    observe(r, OFF, "poweroff", 130);               /* the same: it does not */
    CU_ASSERT_EQUAL(perform(r, 160), 1);
    CU_ASSERT_STRING_EQUAL(said, "poweroff");
    observe(r, OFF, "reboot", 200);
    observe(r, OFF, "", 250);
    CU_ASSERT_EQUAL(rules_next(r), -1);
    CU_ASSERT_EQUAL(perform(r, 1000), 0);
    rules_free(r);
}

static void test_rule_limit(void)
{
    struct rules *r;
    char path[64];

    forget_book();
    r = rules_of("on m: /local/domain/<domid>/memory/target appears limit 2/1s do x ${domid}");
    for (int d = 1; d <= 5; d++) {
        snprintf(path, sizeof(path), "/local/domain/%d/memory/target", d);
        observe(r, path, "1024", 0);
    }
    CU_ASSERT_EQUAL(perform(r, 0), 2);
    CU_ASSERT_EQUAL(rules_next(r), 1000);
    CU_ASSERT_EQUAL(perform(r, 999), 0);
    CU_ASSERT_EQUAL(perform(r, 1000), 2);
    CU_ASSERT_EQUAL(perform(r, 5000), 1);
    CU_ASSERT_EQUAL(rules_next(r), -1);
    rules_free(r);
}

static void test_rule_changes_and_gone(void)
{
    const char *text = "on c: /local/domain/7/name changes do x ${value}\n"
                       "on g: /local/domain/<domid> gone do x \"${domid}\"\n";
    struct rules *r;

    forget_book();
    r = rules_of(text);
    observe(r, "/local/domain/7/name", "a", 0);     /* the first value is taken as given */
    observe(r, "/local/domain/7", "", 0);
    observe(r, "/local/domain/8", NULL, 0);         /* never seen: not gone */
    CU_ASSERT_EQUAL(perform(r, 0), 0);
    observe(r, "/local/domain/7/name", "b", 1);
    CU_ASSERT_EQUAL(perform(r, 1), 1);
    CU_ASSERT_STRING_EQUAL(said, "b");
    r = restart(r, text);
    observe(r, "/local/domain/7/name", "c", 0);     /* changed while we were away */
    CU_ASSERT_EQUAL(perform(r, 0), 1);
    observe(r, "/local/domain/7", NULL, 0);         /* went while we were away */
    CU_ASSERT_EQUAL(perform(r, 0), 1);
    CU_ASSERT_STRING_EQUAL(said, "7");
    observe(r, "/local/domain/7", NULL, 1);
    CU_ASSERT_EQUAL(perform(r, 1), 0);
    rules_free(r);
}

static void look(void *arg, const char *path)
{
    observe(arg, path, NULL, 9);
}

/* What happens while an action runs is judged when it ends; a subtree that goes takes all along. */
static void test_rule_while_busy(void)
{
    const struct rule_action *a;
    struct rules *r;

    forget_book();
    r = rules_of("on a: /local/domain/<domid>/control/shutdown != \"\" do x ${value}\n"
                 "on b: /local/domain/<domid>/name appears do x ${value}\n");
    observe(r, OFF, "reboot", 0);
    a = rules_due(r, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_NULL(rules_due(r, 0));
    observe(r, OFF, "poweroff", 1);
    observe(r, OFF, NULL, 2);
    observe(r, OFF, "halt", 3);
    CU_ASSERT_STRING_EQUAL(a->value, "reboot");
    rules_done(r, a, 4);
    CU_ASSERT_EQUAL(perform(r, 4), 1);
    CU_ASSERT_STRING_EQUAL(said, "halt");
    observe(r, "/local/domain/5/name", "x", 5);
    a = rules_due(r, 5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT(rules_cares(r, "/local/domain/5"));
    CU_ASSERT(!rules_cares(r, "/local/domain/6/memory/target"));
    rules_below(r, "/local/domain/5", look, r);
    rules_done(r, a, 6);
    CU_ASSERT_EQUAL(rules_next(r), -1);
    CU_ASSERT(!rules_cares(r, "/local/domain/5"));
    rules_free(r);
}

static void test_rule_patterns(void)
{
    struct rules *r;

    forget_book();
    r = rules_of("on a: /local/domain/0/backend/vbd/*/51712/state = 4 do x ${domid}\n"
                 "on b: /local/domain/3/device/vbd/<devid>/queue-1/ring-ref* appears do x ${page}\n"
                 "on c: /vm/<uuid>/name appears do x ${uuid}\n");
    CU_ASSERT_STRING_EQUAL(rules_watch(r, 0), "/local/domain/0/backend/vbd");
    CU_ASSERT_STRING_EQUAL(rules_watch(r, 1), "/local/domain/3/device/vbd");
    CU_ASSERT_STRING_EQUAL(rules_watch(r, 2), "/vm");
    CU_ASSERT_PTR_NULL(rules_watch(r, 3));
    observe(r, STATE, "4", 0);
    observe(r, "/local/domain/0/backend/vbd/3/51728/state", "4", 0);
    observe(r, "/local/domain/1/backend/vbd/3/51712/state", "4", 0);
    CU_ASSERT_EQUAL(perform(r, 0), 1);
    CU_ASSERT_STRING_EQUAL(said, "3");
    observe(r, "/local/domain/3/device/vbd/51712/queue-1/ring-ref7", "99", 1);
    observe(r, "/local/domain/3/device/vbd/51712/queue-2/ring-ref7", "99", 1);
    CU_ASSERT_EQUAL(perform(r, 1), 1);
    CU_ASSERT_STRING_EQUAL(said, "7");
    rules_free(r);
    r = rules_of("on a: /local/domain/<domid>/name appears do x\n"
                 "on b: /local/domain/<domid> appears do x\non c: /local/domain/5/name gone do x\n");
    CU_ASSERT_STRING_EQUAL(rules_watch(r, 0), "/local/domain");
    CU_ASSERT_PTR_NULL(rules_watch(r, 1));
    rules_free(r);
}

static void test_bad_rules(void)
{
    static const char *const bad[] = {
        "of a: /vm appears do x", "on", "on a", "on a:", "on a b: /vm appears do x",
        "on a: vm appears do x", "on a: /vmm appears do x", "on a: /vm appears", "on a: /vm do x",
        "on a: /vm appears do", "on a: /local/domain/<domid>/domid = x do x",
        "on a: /local/domain/<domid>/domid = do x", "on a: /vm appears debounce x do x",
        "on a: /vm appears limit 3 do x", "on a: /vm appears limit 0/1 do x",
        "on a: /vm appears limit 1/0 do x", "on a: /vm appears do ${domid}",
        "on a: /vm appears do x\non a: /vm gone do y", "on a/b: /vm appears do x",
        "on a: /local/domain/99999/name appears do x", "on a: /local/domain/<domid>/data/x gone do x",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FILE *f = fmemopen((void *)(uintptr_t)bad[i], strlen(bad[i]), "r");
        char err[256];
        struct rules *r = rules_parse(f, err, sizeof(err));

        CU_ASSERT_PTR_NULL(r);
        if (r)
            fprintf(stderr, "accepted: %s\n", bad[i]);
        CU_ASSERT(!strncmp(err, "line ", 5));
        fclose(f);
    }
}

int main(void)
{
    CU_pSuite s;
    unsigned failed;

    CU_initialize_registry();
    s = CU_add_suite("store", NULL, NULL);
    CU_add_test(s, "dumps go there and back", test_dump_round_trip);
    CU_add_test(s, "dumps of xenstore-ls are read", test_dump_of_xenstore_ls);
    CU_add_test(s, "bad dumps are refused", test_bad_dumps);
    CU_add_test(s, "diff", test_diff);
    CU_add_test(s, "a rule acts once per change", test_rule_acts_once_per_change);
    CU_add_test(s, "a rule survives a crash", test_rule_survives_a_crash);
    CU_add_test(s, "debounce", test_rule_debounce);
    CU_add_test(s, "limit", test_rule_limit);
    CU_add_test(s, "changes and gone", test_rule_changes_and_gone);
    CU_add_test(s, "changes during an action", test_rule_while_busy);
    CU_add_test(s, "patterns and watches", test_rule_patterns);
    CU_add_test(s, "bad rules are refused", test_bad_rules);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    printf("%u passed, %u failed\n", CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    return failed != 0;
}
