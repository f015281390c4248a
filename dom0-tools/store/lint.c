/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lint.c - node by node: known path, value, permissions, required children
 *
 * What needs two places of the tree at once (device ends, references, leftovers) is in
 * lint_rules.c. Here:
 *
 *   I1  a finding is about the first node that is wrong on a path; what is below an unknown node is
 *       not judged.
 *   I2  values are quoted before they enter a text: their writer may be a guest.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lint_internal.h"

static const char *const kind_names[] = { "unknown", "value", "perms", "exposed", "missing",
                                          "dangling", "forged", "identity", "orphan", "state",
                                          "stalled" };
static const char *const level_names[] = { "note", "warning", "error" };

const char *lint_kind_name(enum lint_kind kind)
{
    return kind_names[kind];
}

const char *lint_level_name(enum lint_level level)
{
    return level_names[level];
}

void lint_report(struct lint *l, enum lint_level level, enum lint_kind kind, const char *fmt, ...)
{
    char text[512];
    struct lint_finding f = { .level = level, .kind = kind, .path = l->path, .text = text };
    va_list ap;

    if (l->only >= 0 && l->subject != l->only)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    l->count++;
    l->fn(l->arg, &f);
}

const char *lint_quote(const struct tree_node *n, char *buf, size_t size)
{
    FILE *f = fmemopen(buf, size, "w");

    buf[0] = '\0';
    if (f) {
        tree_quote(f, n->value, n->len > 60 ? 60 : n->len, false);
        fclose(f);
    }
    return buf;
}

static uint32_t arg_num(const struct lint *l, int arg, uint32_t otherwise)
{
    return arg >= 0 ? (uint32_t)l->args[arg].n : otherwise;
}

static bool is_guest_owned(const struct tree_node *n)
{
    return n->nperms > 0 && n->perms[0].id != 0;
}

/* Access of an unprivileged domain to a node: 3 both. Dom0 is never asked about. */
static unsigned access_of(const struct xs_permissions *p, unsigned n, unsigned domid)
{
    if (p[0].id == domid)
        return XS_PERM_READ | XS_PERM_WRITE;
    for (unsigned i = 1; i < n; i++) {
        if (p[i].id == domid)
            return p[i].perms & 3U;
    }
    return p[0].perms & 3U;
}

/*
 * Two lists mean the same when every domain they name, and one they do not, has the same access.
 * Dom0's entries are left out: nothing is denied to it. A right to write that the guest has no use
 * for (libxl gives the whole front end directory away) may be missing.
 */
static void check_perms(struct lint *l, const struct tree_node *n, const struct store_path *p)
{
    uint32_t who[STORE_PERMS_MAX], asked[STORE_PERMS_MAX + 17];
    char access[STORE_PERMS_MAX], has[256], text[256];
    struct xs_permissions want[STORE_PERMS_MAX];
    unsigned nwant, nasked = 0, more = 0, less = 0;
    struct tree_node wanted = { .perms = want };

    if (l->subject < 0 && p->perms[p->nperms - 1].who == STORE_WHO_GUEST)
        return;                                             /* whose it is, is not known */
    nwant = (unsigned)store_perms((unsigned)(p - store_paths),
                                  l->subject < 0 ? 0 : (uint32_t)l->subject,
                                  arg_num(l, p->arg_back, 0), who, access);
    for (unsigned i = 0; i < nwant; i++) {
        want[i].id = who[i];
        want[i].perms = access[i] == 'n' ? 0 : access[i] == 'r' ? 1 : access[i] == 'w' ? 2 : 3;
        asked[nasked++] = who[i];
    }
    for (unsigned i = 0; i < n->nperms && i < 16; i++)
        asked[nasked++] = n->perms[i].id;
    asked[nasked++] = UINT32_MAX;                           /* anybody else */
    for (unsigned i = 0; i < nasked; i++) {
        unsigned a = access_of(n->perms, n->nperms, asked[i]);
        unsigned b = access_of(want, nwant, asked[i]);

        if (asked[i] == 0)
            continue;
        more |= a & ~b;
        less |= b & ~a & (p->writers & STORE_ROLE_GUEST ? 3U : XS_PERM_READ);
    }
    wanted.nperms = nwant;
    tree_perms(n, has, sizeof(has));
    tree_perms(&wanted, text, sizeof(text));
    if (more && !is_guest_owned(&wanted))
        lint_report(l, LINT_ERROR, LINT_EXPOSED, "permissions %s give a guest more than %s", has,
                    text);
    else if (more || less)
        lint_report(l, is_guest_owned(n) ? LINT_NOTE : LINT_WARNING, LINT_PERMS,
                    "permissions are %s, not %s", has, text);
}

static void check_value(struct lint *l, const struct tree_node *n, const struct store_path *p)
{
    const struct store_type *t = &store_types[p->type];
    int rc = store_value_check(p->type, n->value, n->len);
    char value[256];

    if (!rc)
        return;
    lint_report(l, p->forgeable ? LINT_NOTE : LINT_WARNING, LINT_VALUE, "%s is %s %s%s",
                lint_quote(n, value, sizeof(value)),
                rc == -STORE_ERANGE ? "out of range for" : "no", t->name, p->forgeable ? " (its guest may write it)" : "");
}

struct tree_node *lint_child(const struct tree_node *n, const char *name)
{
    struct tree_node *c = n->child;

    while (c && strcmp(c->name, name))
        c = c->next;
    return c;
}

bool lint_is(const struct tree_node *n, const char *value)
{
    return n && n->len == strlen(value) && !memcmp(n->value, value, n->len);
}

static bool has_begun(const struct lint *l, const struct tree_node *dir, const struct store_path *p,
                      enum store_life life)
{
    switch (life) {
    case STORE_LIFE_CREATE:
        return arg_num(l, p->arg_dom, 1) != 0;      /* Dom0's own tree is not made by create */
    case STORE_LIFE_BUILD:
        return arg_num(l, p->arg_dom, 1) != 0 && lint_dom_is_built(l, arg_num(l, p->arg_dom, 0));
    case STORE_LIFE_CONNECT:
        return lint_is(lint_child(dir, "state"), "4");
    default:
        return true;
    }
}

/* A child with a fixed name that must be there; and those below optional ones wait for theirs. */
static void check_children(struct lint *l, const struct tree_node *dir, const struct store_path *p)
{
    for (uint16_t s = store_segs[p->seg].child; s != STORE_NONE; s = store_segs[s].next) {
        const struct store_path *c = &store_paths[store_segs[s].path];

        if (store_segs[s].path == STORE_NONE || store_segs[s].param != STORE_NONE || !c->must)
            continue;
        if (has_begun(l, dir, c, c->life) && !lint_child(dir, store_segs[s].lit))
            lint_report(l, LINT_WARNING, LINT_MISSING, "no %s in it: %s", store_segs[s].lit,
                        c->meaning);
    }
}

static void check_node(struct lint *l, struct tree_node *n, int id)
{
    const struct store_path *p = &store_paths[id];

    if (n->nperms)
        check_perms(l, n, p);
    if (p->rest)
        return;
    check_value(l, n, p);
    check_children(l, n, p);
    lint_rules(l, n, id);
}

/* The node after @n and all below it. */
static struct tree_node *skip(struct tree_node *root, struct tree_node *n)
{
    while (n != root && !n->next)
        n = n->parent;
    return n == root ? NULL : n->next;
}

size_t lint_tree(struct tree_node *root, int domid, lint_fn *fn, void *arg)
{
    struct lint l = { .root = root, .only = domid, .fn = fn, .arg = arg };
    struct tree_node *n = tree_next(root, root);

    lint_rules_start(&l);
    while (n) {
        size_t len = strlen(tree_path(n, l.path));
        int id = store_match(l.path, len, l.args);

        l.subject = lint_subject(&l, n, id);
        if (id < 0) {                                                               /* I1 */
            lint_report(&l, is_guest_owned(n) ? LINT_NOTE : LINT_WARNING, LINT_UNKNOWN,
                        is_guest_owned(n) ? "not in the schema; domain %u made it"
                                          : "not in the schema",
                        n->nperms ? n->perms[0].id : 0);
            n = skip(root, n);
            continue;
        }
        check_node(&l, n, id);
        n = tree_next(root, n);
    }
    lint_rules_end(&l);
    return l.count;
}
