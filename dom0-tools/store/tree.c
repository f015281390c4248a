/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.c - the tree itself: building, walking, printing, parsing, comparing
 *
 *   I1  a child's name is one non-empty segment without a slash; the root's is an absolute path.
 *   I2  walks are loops over parent and next, never recursion: a guest chooses the depth.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

struct tree_node *tree_add(struct tree_node *parent, const char *name, size_t len)
{
    struct tree_node *n = calloc(1, sizeof(*n));

    if (!n)
        return NULL;
    n->name = strndup(name, len);
    n->value = strdup("");
    if (!n->name || !n->value) {
        tree_free(n);
        return NULL;
    }
    n->parent = parent;
    if (parent) {
        n->next = parent->child;
        parent->child = n;
    }
    return n;
}

void tree_free(struct tree_node *root)
{
    struct tree_node *n = root;

    while (n) {                                         /* I2: leaves first, by taking them off */
        struct tree_node *up = n->parent;

        if (n->child) {
            n = n->child;
            continue;
        }
        if (n != root)
            up->child = n->next;
        free(n->name);
        free(n->value);
        free(n->perms);
        up = n == root ? NULL : up;
        free(n);
        n = up;
    }
}

struct tree_node *tree_next(const struct tree_node *root, const struct tree_node *at)
{
    if (at->child)
        return at->child;
    while (at != root && !at->next)
        at = at->parent;
    return at == root ? NULL : at->next;
}

static int by_name(const void *a, const void *b)
{
    const struct tree_node *const *x = a, *const *y = b;

    return strverscmp((*x)->name, (*y)->name);
}

static void sort_children(struct tree_node *n)
{
    struct tree_node **list, **link = &n->child;
    size_t count = 0, i = 0;

    for (struct tree_node *c = n->child; c; c = c->next)
        count++;
    list = count > 1 ? malloc(count * sizeof(*list)) : NULL;
    if (!list)
        return;
    for (struct tree_node *c = n->child; c; c = c->next)
        list[i++] = c;
    qsort(list, count, sizeof(*list), by_name);
    for (i = 0; i < count; i++) {
        *link = list[i];
        link = &list[i]->next;
    }
    *link = NULL;
    free(list);
}

void tree_sort(struct tree_node *root)
{
    for (struct tree_node *n = root; n; n = tree_next(root, n))
        sort_children(n);
}

static struct tree_node *child_of(struct tree_node *n, const char *name, size_t len)
{
    struct tree_node *c = n->child;

    while (c && (strncmp(c->name, name, len) || c->name[len]))
        c = c->next;
    return c;
}

struct tree_node *tree_find(struct tree_node *root, const char *path)
{
    size_t len = strlen(root->name);

    if (strcmp(root->name, "/")) {
        if (strncmp(path, root->name, len) || (path[len] && path[len] != '/'))
            return NULL;
        path += len;
    }
    while (root && *path) {
        path += *path == '/';
        len = strcspn(path, "/");
        if (len)
            root = child_of(root, path, len);
        path += len;
    }
    return root;
}

const char *tree_path(const struct tree_node *n, char buf[TREE_PATH_MAX])
{
    size_t at = TREE_PATH_MAX - 1;

    buf[at] = '\0';
    for (; n; n = n->parent) {
        size_t len = strlen(n->name);

        if (!strcmp(n->name, "/") && buf[at] == '/')
            break;
        if (len + 1 > at)
            break;
        at -= len;
        memcpy(buf + at, n->name, len);
        if (n->parent)
            buf[--at] = '/';
    }
    memmove(buf, buf + at, TREE_PATH_MAX - at);
    return buf;
}

const char *tree_perms(const struct tree_node *n, char *buf, size_t size)
{
    size_t at = 0;

    if (size)
        buf[0] = '\0';
    for (unsigned i = 0; i < n->nperms && at < size; i++) {
        unsigned p = (unsigned)n->perms[i].perms & (XS_PERM_READ | XS_PERM_WRITE);

        at += (size_t)snprintf(buf + at, size - at, "%s%c%u", i ? "," : "", "nrwb"[p],
                               n->perms[i].id);
    }
    return buf;
}

void tree_quote(FILE *out, const char *s, size_t len, bool json)
{
    putc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c >= 0x20 && c < 0x7f)
            putc(c, out);
        else
            fprintf(out, json ? "\\u%04x" : "\\x%02x", c);
    }
    putc('"', out);
}

void tree_print(FILE *out, const struct tree_node *root, bool json)
{
    char path[TREE_PATH_MAX], perms[512];
    const char *sep = "[\n";

    for (const struct tree_node *n = root; n; n = tree_next(root, n)) {
        tree_path(n, path);
        tree_perms(n, perms, sizeof(perms));
        if (json) {
            fprintf(out, "%s{\"path\": ", sep);
            tree_quote(out, path, strlen(path), true);
            fputs(", \"value\": ", out);
            tree_quote(out, n->value, n->len, true);
            fprintf(out, ", \"perms\": \"%s\"}", perms);
            sep = ",\n";
        } else {
            fprintf(out, "%s = ", path);
            tree_quote(out, n->value, n->len, false);
            fprintf(out, n->nperms ? "   (%s)\n" : "\n", perms);
        }
    }
    if (json)
        fputs("\n]\n", out);
}

static bool same_perms(const struct tree_node *a, const struct tree_node *b)
{
    if (!a->perms || !b->perms)
        return true;
    if (a->nperms != b->nperms)
        return false;
    for (unsigned i = 0; i < a->nperms; i++) {
        if (a->perms[i].id != b->perms[i].id || a->perms[i].perms != b->perms[i].perms)
            return false;
    }
    return true;
}

static bool same_node(const struct tree_node *a, const struct tree_node *b)
{
    return a->len == b->len && !memcmp(a->value, b->value, a->len) && same_perms(a, b);
}

/* Report @n and everything below it as being on one side only. */
static size_t report_side(const struct tree_node *n, bool left, tree_diff_fn *fn, void *arg)
{
    char path[TREE_PATH_MAX];
    size_t count = 0;

    for (const struct tree_node *at = n; at; at = tree_next(n, at), count++)
        fn(arg, tree_path(at, path), left ? at : NULL, left ? NULL : at);
    return count;
}

/* x and y have the same path: merge their children, and note each pair that goes on (twin). */
static size_t merge_children(struct tree_node *x, struct tree_node *y, tree_diff_fn *fn, void *arg)
{
    struct tree_node *a = x->child, *b = y->child;
    char path[TREE_PATH_MAX];
    size_t count = 0;

    while (a || b) {
        int order = !a ? 1 : !b ? -1 : strverscmp(a->name, b->name);

        if (order == 0) {
            a->twin = b;
            if (!same_node(a, b)) {
                fn(arg, tree_path(a, path), a, b);
                count++;
            }
        } else {
            count += report_side(order < 0 ? a : b, order < 0, fn, arg);
        }
        a = order <= 0 ? a->next : a;
        b = order >= 0 ? b->next : b;
    }
    return count;
}

size_t tree_diff(struct tree_node *a, struct tree_node *b, tree_diff_fn *fn, void *arg)
{
    size_t count = 0;

    if (strcmp(a->name, b->name))
        return report_side(a, true, fn, arg) + report_side(b, false, fn, arg);
    for (struct tree_node *x = a; x; x = tree_next(a, x))
        x->twin = NULL;
    a->twin = b;
    if (!same_node(a, b)) {
        fn(arg, a->name, a, b);
        count++;
    }
    for (struct tree_node *x = a; x; x = tree_next(a, x)) {
        if (x->twin)
            count += merge_children(x, x->twin, fn, arg);
    }
    return count;
}
