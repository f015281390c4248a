/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_fuzz.c - text that others wrote: paths and values, dumps, rule files
 *
 * The first byte chooses. What must hold besides memory safety:
 *   a path that matches builds back to itself;   a value that is accepted as a number prints back;
 *   a dump that parses prints to one that parses to the same tree;   rules act only on their path.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "lint.h"
#include "rules.h"
#include "store_schema.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void fuzz_path(const char *s, size_t len)
{
    struct store_arg args[STORE_ARGS_MAX];
    char path[STORE_PATH_MAX];
    int id = store_match(s, len, args);
    size_t n = 0;

    if (id < 0 || store_paths[id].rest)
        return;
    for (const char *p = store_paths[id].pattern; *p; p++)
        n += *p == '<';
    require(store_build(path, sizeof(path), (unsigned)id, args, n) == (int)len);
    require(!memcmp(path, s, len));
}

static void fuzz_value(const char *s, size_t len)
{
    char num[STORE_NUM_MAX];

    for (unsigned t = 0; t < store_type_count; t++) {
        bool ok = !store_value_check(t, s, len);
        const char *text;
        uint64_t n;

        if (!store_value_uint(t, s, len, &n)) {
            text = store_value_text(t, n, num);
            require(ok && text && strlen(text) == len && !memcmp(text, s, len));
        }
    }
}

static void no_difference(void *arg, const char *path, const struct tree_node *a,
                          const struct tree_node *b)
{
    (void)arg;
    (void)path;
    (void)a;
    (void)b;
    abort();
}

static void ignore_finding(void *arg, const struct lint_finding *f)
{
    require(arg && f->path[0] == '/');
}

static struct tree_node *parse(const char *s, size_t len)
{
    FILE *f = fmemopen((void *)(uintptr_t)s, len, "r");
    struct tree_node *root = NULL;

    if (f && tree_parse(f, &root, NULL))
        root = NULL;
    if (f)
        fclose(f);
    return root;
}

static void fuzz_dump(const char *s, size_t len)
{
    struct tree_node *root = parse(s, len), *again;
    char *text = NULL;
    size_t size = 0;
    FILE *f;

    if (!root)
        return;
    f = open_memstream(&text, &size);
    tree_print(f, root, size % 2);
    fclose(f);
    again = parse(text, size);
    require(again);
    tree_diff(root, again, no_difference, NULL);
    lint_tree(root, -1, ignore_finding, &size);
    tree_free(root);
    tree_free(again);
    free(text);
}

static void fuzz_rules(const char *s, size_t len)
{
    FILE *f = fmemopen((void *)(uintptr_t)s, len, "r");
    const struct rule_action *a;
    struct rules *r;
    char err[64];

    r = f ? rules_parse(f, err, sizeof(err)) : NULL;
    if (f)
        fclose(f);
    if (!r)
        return;
    for (int i = 0; i < 4; i++) {
        rules_observe(r, "/local/domain/5/control/shutdown", i % 2 ? "poweroff" : NULL, 8, i);
        rules_observe(r, "/local/domain/0/backend/vbd/3/51712/state", i % 2 ? "4" : "2", 1, i);
        while ((a = rules_due(r, 100000 * i)) != NULL) {
            require(a->argv[0] && a->path[0] == '/');
            rules_done(r, a, 100000 * i);
        }
    }
    rules_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const char *, size_t) = { fuzz_path, fuzz_value, fuzz_dump,
                                                             fuzz_rules };

    if (size > 1)
        targets[data[0] % 4]((const char *)data + 1, size - 1);
    return 0;
}
