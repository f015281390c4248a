/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lint_rules.c - what must agree between two places of the tree
 *
 *   I1  the toolstack's truth (/libxl, /vane) decides what a device is; front ends are compared
 *       with it, never the other way round.
 *   I2  every rule is tried from one fixed side, so that a fault is reported once.
 */
#include <stdlib.h>
#include <string.h>

#include "lint_internal.h"

#define DOMS 32752

/* Looked up once, so that rules need no search: what exists for a domid. */
struct lint_dom {
    struct tree_node *home, *libxl, *vane;
};

static struct tree_node *at(const struct lint *l, const char *path)
{
    return tree_find(l->root, path);
}

static void index_doms(struct lint *l, const char *dir, size_t offset)
{
    struct tree_node *n = at(l, dir);

    for (n = n ? n->child : NULL; n; n = n->next) {
        uint64_t domid;

        if (!store_value_uint(STORE_TYPE_DOMID, n->name, strlen(n->name), &domid))
            memcpy((char *)&l->doms[domid] + offset, &n, sizeof(n));
    }
}

/* The pattern that the first @n segments of a path follow: its id, or negative. */
static int match_head(const char *path, unsigned n, struct store_arg *args)
{
    size_t len = 0;

    while (n-- && path[len])
        len += 1 + strcspn(path + len + 1, "/");
    return store_match(path, len, args);
}

/* twin of a /vm node: the home of the domain that names it. */
static void index_vms(struct lint *l)
{
    char path[STORE_PATH_MAX];
    struct tree_node *vms;

    store_path_vms(path, sizeof(path));
    vms = at(l, path);
    for (struct tree_node *n = vms ? vms->child : NULL; n; n = n->next)
        n->twin = NULL;
    for (size_t d = 0; vms && d < DOMS; d++) {
        struct tree_node *v = l->doms[d].home ? lint_child(l->doms[d].home, "vm") : NULL;
        struct tree_node *vm = v && !store_match_id(STORE_VM, v->value, v->len, NULL)
                             ? at(l, v->value) : NULL;

        if (vm)
            vm->twin = l->doms[d].home;
    }
}

void lint_rules_start(struct lint *l)
{
    char path[STORE_PATH_MAX];

    l->doms = calloc(DOMS, sizeof(*l->doms));
    if (!l->doms)
        return;
    store_path_doms(path, sizeof(path));
    index_doms(l, path, offsetof(struct lint_dom, home));
    store_path_libxls(path, sizeof(path));
    index_doms(l, path, offsetof(struct lint_dom, libxl));
    store_path_vane_domain(path, sizeof(path));
    index_doms(l, path, offsetof(struct lint_dom, vane));
    index_vms(l);
}

static const struct lint_dom *dom(const struct lint *l, uint64_t domid)
{
    static const struct lint_dom none;

    return l->doms && domid < DOMS ? &l->doms[domid] : &none;
}

bool lint_dom_is_built(const struct lint *l, uint32_t domid)
{
    const struct tree_node *home = dom(l, domid)->home;

    return home && lint_child(home, "domid");
}

/* Which domain a path is about; a /vm node is that of the domain which names it. */
int lint_subject(const struct lint *l, const struct tree_node *n, int id)
{
    struct store_arg args[STORE_ARGS_MAX];

    if (id >= 0 && store_paths[id].arg_dom >= 0)
        return (int)l->args[store_paths[id].arg_dom].n;
    if (match_head(l->path, 2, args) == STORE_VM) {
        while (n->parent && n->parent->parent && n->parent->parent->parent)
            n = n->parent;
        return n->twin ? atoi(n->twin->name) : -1;
    }
    if (id < 0 && match_head(l->path, 3, args) == STORE_DOM)
        return (int)args[0].n;
    return -1;
}

/* May the ends be in these states?  Rows: front end; bits: back end. xen/io/xenbus.h. */
#define B(n) (1U << (n))
static const unsigned state_possible[9] = {
    0x1ff,
    B(1) | B(2) | B(3) | B(5) | B(6),
    B(1) | B(2) | B(3) | B(5) | B(6),
    B(2) | B(3) | B(4) | B(5) | B(6),
    B(2) | B(3) | B(4) | B(5) | B(7) | B(8),
    B(2) | B(3) | B(4) | B(5) | B(6),
    B(1) | B(2) | B(3) | B(4) | B(5) | B(6),
    B(4) | B(7) | B(8),
    B(4) | B(7) | B(8),
};
/* Possible, but on the way to something else: a hotplug script or a back end does not answer. */
static const unsigned state_passing[9] = {
    [3] = B(2) | B(3), [4] = B(2) | B(3) | B(5), [5] = B(2) | B(3) | B(4), [6] = B(4),
};
#undef B

static const char *const state_names[] = { "Unknown", "Initialising", "InitWait", "Initialised",
                                           "Connected", "Closing", "Closed", "Reconfiguring",
                                           "Reconfigured" };

static bool state_of(const struct tree_node *dir, uint64_t *state)
{
    const struct tree_node *n = lint_child(dir, "state");

    return n && !store_value_uint(STORE_TYPE_STATE, n->value, n->len, state);
}

static void check_states(struct lint *l, const struct tree_node *fe, const struct tree_node *be)
{
    uint64_t f, b;

    if (!state_of(fe, &f) || !state_of(be, &b))
        return;
    if (!(state_possible[f] & (1U << b)))
        lint_report(l, LINT_ERROR, LINT_STATE, "front end is %s while back end is %s",
                    state_names[f], state_names[b]);
    else if (state_passing[f] & (1U << b))
        lint_report(l, LINT_WARNING, LINT_STALLED, "front end is %s, back end still %s",
                    state_names[f], state_names[b]);
}

/* Follow a reference node to the directory it names; its absence is a finding. */
static struct tree_node *follow(struct lint *l, const struct tree_node *dir, const char *key)
{
    const struct tree_node *n = lint_child(dir, key);
    struct tree_node *target;

    if (!n || strlen(n->value) != n->len || n->value[0] != '/')
        return NULL;                        /* missing and ill-formed are reported elsewhere */
    target = at(l, n->value);
    if (!target)
        lint_report(l, LINT_ERROR, LINT_DANGLING, "%s names a path that is not there", key);
    return target;
}

/* The back end that the toolstack gave to the front end at l->path, or NULL with @truth NULL. */
static const struct tree_node *truth_of(const struct lint *l)
{
    const struct tree_node *n = dom(l, l->args[0].n)->libxl;
    const char *name = strstr(l->path, "/device/");

    while (n && name && *name) {
        char segment[64];
        size_t len = strcspn(++name, "/");

        if (len >= sizeof(segment))
            return NULL;
        memcpy(segment, name, len);
        segment[len] = '\0';
        n = lint_child(n, segment);
        name += len;
    }
    return n ? lint_child(n, "backend") : NULL;
}

static void check_front(struct lint *l, struct tree_node *fe)
{
    const struct tree_node *truth = truth_of(l), *says = lint_child(fe, "backend");
    const struct tree_node *be;

    if (!truth) {
        lint_report(l, LINT_WARNING, LINT_ORPHAN, "no toolstack knows this front end");
        truth = says;
    } else if (says && (says->len != truth->len || memcmp(says->value, truth->value, says->len))) {
        lint_report(l, LINT_ERROR, LINT_FORGED, "backend is not the one the toolstack gave it");
    }
    if (!truth)
        return;
    be = at(l, truth->value);
    if (be)
        check_states(l, fe, be);
    else
        lint_report(l, LINT_ERROR, LINT_DANGLING, "its back end is not there");
}

static void check_back(struct lint *l, struct tree_node *be, int arg)
{
    const struct tree_node *fid = lint_child(be, "frontend-id");
    uint64_t domid;

    if (!dom(l, l->args[arg].n)->home)
        lint_report(l, LINT_ERROR, LINT_ORPHAN, "back end of a domain that is not there");
    else
        follow(l, be, "frontend");
    if (fid && !store_value_uint(STORE_TYPE_DOMID, fid->value, fid->len, &domid) &&
        domid != l->args[arg].n)
        lint_report(l, LINT_ERROR, LINT_IDENTITY, "frontend-id is not the domain of its path");
}

static void check_dom(struct lint *l, struct tree_node *n)
{
    const struct tree_node *id = lint_child(n, "domid");

    if (id && strcmp(id->value, n->name))
        lint_report(l, LINT_ERROR, LINT_IDENTITY, "domid says it is another domain");
    if (l->args[0].n == 0)
        return;
    if (!dom(l, l->args[0].n)->libxl)
        lint_report(l, LINT_WARNING, LINT_ORPHAN, "no /libxl/%s: no toolstack owns it", n->name);
    follow(l, n, "vm");
}

static void check_vm(struct lint *l, struct tree_node *n)
{
    const struct tree_node *uuid = lint_child(n, "uuid");

    if (uuid && strcmp(uuid->value, n->name))
        lint_report(l, LINT_ERROR, LINT_IDENTITY, "uuid is not that of its path");
}

static void check_gone(struct lint *l)
{
    if (l->args[0].n != 0 && !dom(l, l->args[0].n)->home)
        lint_report(l, LINT_WARNING, LINT_ORPHAN, "truth about a domain that is not there");
}

void lint_rules(struct lint *l, struct tree_node *n, int id)
{
    switch (id) {
    case STORE_DOM:
        check_dom(l, n);
        break;
    case STORE_VM:
        check_vm(l, n);
        break;
    case STORE_LIBXL:
    case STORE_VANE_DOM:
        check_gone(l);
        break;
    case STORE_VBD_FE:
    case STORE_VIF_FE:
    case STORE_CON_FE:
    case STORE_DEV_FE:
        check_front(l, n);
        break;
    case STORE_VBD_BE:
    case STORE_VIF_BE:
    case STORE_CON_BE:
    case STORE_DEV_BE:
        check_back(l, n, store_paths[id].arg_dom);
        break;
    default:
        break;
    }
}

static int by_value(const void *a, const void *b)
{
    const struct tree_node *const *x = a, *const *y = b;

    return strcmp((*x)->value, (*y)->value);
}

/* Two domains of one name or one /vm node: the toolstack would act on the wrong one. */
static void check_unique(struct lint *l, const char *key)
{
    struct tree_node **list = calloc(DOMS, sizeof(struct tree_node *));
    size_t n = 0;

    for (size_t d = 0; list && l->doms && d < DOMS; d++) {
        struct tree_node *v = l->doms[d].home ? lint_child(l->doms[d].home, key) : NULL;

        if (v && v->len)
            list[n++] = v;
    }
    if (n)
        qsort(list, n, sizeof(struct tree_node *), by_value);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(list[i - 1]->value, list[i]->value))
            continue;
        tree_path(list[i], l->path);
        l->subject = atoi(list[i]->parent->name);
        lint_report(l, LINT_ERROR, LINT_IDENTITY, "domain %s has the same %s",
                    list[i - 1]->parent->name, key);
    }
    free(list);
}

/* A /vm node that no domain names. */
static void check_vms(struct lint *l)
{
    char path[STORE_PATH_MAX];
    struct tree_node *vms;

    store_path_vms(path, sizeof(path));
    vms = at(l, path);
    for (struct tree_node *n = vms ? vms->child : NULL; n; n = n->next) {
        if (n->twin)
            continue;
        tree_path(n, l->path);
        l->subject = -1;
        lint_report(l, LINT_WARNING, LINT_ORPHAN, "no domain belongs to it");
    }
}

void lint_rules_end(struct lint *l)
{
    check_unique(l, "name");
    check_unique(l, "vm");
    check_vms(l);
    free(l->doms);
    l->doms = NULL;
}
