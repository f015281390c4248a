/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_store_tree.c - dump, lint, diff: the subcommands that look at whole trees
 *
 * A live store moves while it is read, so lint looks twice, LOOK_MS apart, and reports what was
 * wrong both times. --once, and a dump as source, report what cannot be at any moment, without
 * "stalled".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_internal.h"
#include "lint.h"
#include "store_schema.h"

#define LOOK_MS 300

static int load_live(const char *verb, const char *path, struct tree_node **root)
{
    int rc = tree_load(path, root);

    if (rc == -ENOENT)
        return store_fail(verb, "%s is not there", path);
    return rc ? store_fail(verb, "cannot read the store: %s; is xenstored running, and are you "
                           "root?", strerror(-rc)) : 0;
}

static int load_dump(const char *verb, const char *name, struct tree_node **root)
{
    FILE *f = !strcmp(name, "-") ? stdin : fopen(name, "r");
    unsigned line;
    int rc;

    if (!f)
        return store_fail(verb, "%s: %s", name, strerror(errno));
    rc = tree_parse(f, root, &line);
    if (f != stdin)
        fclose(f);
    return rc ? store_fail(verb, "%s:%u: not a dump of XenStore", name, line) : 0;
}

int store_cmd_dump(int argc, char **argv)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { "output", 1, NULL, 'o' },
                                             { NULL, 0, NULL, 0 } };
    const char *output = NULL;
    struct tree_node *root;
    bool json = false;
    FILE *out = stdout;
    int c;

    while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (c == '?')
            return store_fail(argv[0], "see vane store --help");
        json |= c == 'j';
        output = c == 'o' ? optarg : output;
    }
    if (load_live(argv[0], optind < argc ? argv[optind] : "/", &root))
        return EXIT_FAILED;
    if (output)
        out = fopen(output, "w");
    if (out)
        tree_print(out, root, json);
    tree_free(root);
    if (!out || ferror(out) || (out != stdout && fclose(out)))
        return store_fail(argv[0], "%s: %s", output ? output : "output", strerror(errno));
    return 0;
}

/* ---- lint */

struct list {
    struct lint_finding *f;
    size_t n;
};

static void collect(void *arg, const struct lint_finding *f)
{
    struct list *l = arg;
    struct lint_finding *more = reallocarray(l->f, l->n + 1, sizeof(*more));

    if (!more)
        return;
    l->f = more;
    more[l->n] = *f;
    more[l->n].path = strdup(f->path);
    more[l->n].text = strdup(f->text);
    if (more[l->n].path && more[l->n].text)
        l->n++;
}

static void free_list(struct list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free((void *)(uintptr_t)l->f[i].path);
        free((void *)(uintptr_t)l->f[i].text);
    }
    free(l->f);
}

static bool has(const struct list *l, const struct lint_finding *f)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->f[i].kind == f->kind && !strcmp(l->f[i].path, f->path) &&
            !strcmp(l->f[i].text, f->text))
            return true;
    }
    return false;
}

static void print_finding(const struct lint_finding *f, bool json)
{
    if (!json) {
        printf("%s: %s: %s [%s]\n", lint_level_name(f->level), f->path, f->text,
               lint_kind_name(f->kind));
        return;
    }
    printf("{\"level\": \"%s\", \"kind\": \"%s\", \"path\": ", lint_level_name(f->level),
           lint_kind_name(f->kind));
    tree_quote(stdout, f->path, strlen(f->path), true);
    printf(", \"text\": ");
    tree_quote(stdout, f->text, strlen(f->text), true);
    puts("}");
}

static int find_domain(const char *verb, struct tree_node *root, const char *who, int *domid)
{
    char doms[STORE_PATH_MAX];
    struct tree_node *n;
    uint64_t id;

    store_path_doms(doms, sizeof(doms));
    n = tree_find(root, doms);
    for (n = n ? n->child : NULL; n; n = n->next) {
        const struct tree_node *c = n->child;

        while (c && strcmp(c->name, "name"))
            c = c->next;
        if ((c && !strcmp(c->value, who)) || !strcmp(n->name, who)) {
            if (store_value_uint(STORE_TYPE_DOMID, n->name, strlen(n->name), &id))
                continue;
            *domid = (int)id;
            return 0;
        }
    }
    return store_fail(verb, "no domain %s", who);
}

struct lint_options {
    const char *verb, *from, *who;
    bool json, once;
    int level;
};

static int look(const struct lint_options *o, struct list *l)
{
    struct tree_node *root;
    int domid = -1, rc;

    rc = o->from ? load_dump(o->verb, o->from, &root) : load_live(o->verb, "/", &root);
    if (rc)
        return rc;
    if (strcmp(root->name, "/"))
        rc = store_fail(o->verb, "%s is not a dump of the whole store", o->from);
    else if (o->who)
        rc = find_domain(o->verb, root, o->who, &domid);
    if (!rc)
        lint_tree(root, domid, collect, l);
    tree_free(root);
    return rc;
}

static int parse_lint(int argc, char **argv, struct lint_options *o)
{
    static const struct option options[] = {
        { "json", 0, NULL, 'j' }, { "once", 0, NULL, '1' }, { "from", 1, NULL, 'f' },
        { "level", 1, NULL, 'l' }, { NULL, 0, NULL, 0 }
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'j':
            o->json = true;
            break;
        case '1':
            o->once = true;
            break;
        case 'f':
            o->from = optarg;
            o->once = true;
            break;
        case 'l':
            for (o->level = LINT_ERROR; o->level >= 0; o->level--) {
                if (!strcmp(lint_level_name((enum lint_level)o->level), optarg))
                    break;
            }
            if (o->level >= 0)
                break;
            return store_fail(argv[0], "--level note, warning or error");
        default:
            return store_fail(argv[0], "see vane store --help");
        }
    }
    o->who = optind < argc ? argv[optind] : NULL;
    return 0;
}

int store_cmd_lint(int argc, char **argv)
{
    struct lint_options o = { .verb = argv[0], .level = LINT_WARNING };
    struct list first = { 0 }, second = { 0 };
    int rc = parse_lint(argc, argv, &o);
    size_t counted = 0;

    if (rc || look(&o, &first))
        return EXIT_FAILED;
    if (!o.once && first.n) {
        usleep(LOOK_MS * 1000);
        if (look(&o, &second))
            return EXIT_FAILED;
    }
    for (size_t i = 0; i < first.n; i++) {
        const struct lint_finding *f = &first.f[i];

        if (o.once ? f->kind == LINT_STALLED : !has(&second, f))
            continue;
        if ((int)f->level < o.level)
            continue;
        print_finding(f, o.json);
        counted++;
    }
    if (!o.json)
        fprintf(stderr, "%zu finding%s (schema version %d)\n", counted, counted == 1 ? "" : "s",
                STORE_SCHEMA_VERSION);
    free_list(&first);
    free_list(&second);
    return counted ? EXIT_NO : 0;
}

/* ---- diff */

static void print_side(const char *mark, const struct tree_node *n)
{
    char perms[256];

    printf("%s", mark);
    tree_quote(stdout, n->value, n->len, false);
    if (n->nperms)
        printf(" (%s)", tree_perms(n, perms, sizeof(perms)));
}

static void json_side(const char *key, const struct tree_node *n)
{
    char perms[256];

    printf(", \"%s\": {\"value\": ", key);
    tree_quote(stdout, n->value, n->len, true);
    printf(", \"perms\": \"%s\"}", tree_perms(n, perms, sizeof(perms)));
}

static void print_diff(void *arg, const char *path, const struct tree_node *a,
                       const struct tree_node *b)
{
    const bool *json = arg;

    if (*json) {
        printf("{\"path\": ");
        tree_quote(stdout, path, strlen(path), true);
        if (a)
            json_side("old", a);
        if (b)
            json_side("new", b);
        puts("}");
        return;
    }
    printf("%c %s", a && b ? '~' : a ? '-' : '+', path);
    if (a)
        print_side(" = ", a);
    if (b)
        print_side(a ? " -> " : " = ", b);
    putchar('\n');
}

int store_cmd_diff(int argc, char **argv)
{
    static const struct option options[] = { { "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    struct tree_node *a = NULL, *b = NULL;
    bool json = false;
    size_t n;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c != 'j')
            return store_fail(argv[0], "see vane store --help");
        json = true;
    }
    if (argc - optind < 1 || argc - optind > 2)
        return store_fail(argv[0], "one or two dumps (see vane store --help)");
    if (load_dump(argv[0], argv[optind], &a))
        return EXIT_FAILED;
    if (argc - optind == 2 ? load_dump(argv[0], argv[optind + 1], &b)
                           : load_live(argv[0], a->name, &b)) {
        tree_free(a);
        return EXIT_FAILED;
    }
    n = tree_diff(a, b, print_diff, &json);
    tree_free(a);
    tree_free(b);
    return n ? EXIT_NO : 0;
}
