/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - a copy of a part of XenStore, or of a dump of one
 *
 * Children are sorted by name (numbers by value), so two copies can be walked side by side. A tree
 * is a picture, not a transaction: nodes that came or went while it was taken may or may not be in
 * it. Names and values are whatever their writers chose; print them only through tree_print and
 * tree_quote.
 */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <xenstore.h>

#define TREE_PATH_MAX 3073              /* XENSTORE_ABS_PATH_MAX and a terminator */

struct tree_node {
    char *name;                         /* one segment; the root's is its whole path */
    char *value;                        /* len bytes, and a terminator that is not counted */
    size_t len;
    struct xs_permissions *perms;       /* owner first; NULL when not known */
    unsigned nperms;
    struct tree_node *parent, *child, *next;
    struct tree_node *twin;             /* tree_diff's own: the same path in the other tree */
};

/*
 * Read everything at and below the absolute @path, in one pass: three requests a node, many of them
 * under way at a time, so the time is linear in the number of nodes and one round trip is paid for
 * dozens of them.
 *
 *   0          *@root is the tree, to be given to tree_free
 *   -ENOENT    there is no such node
 *   -errno     no daemon, no memory, or the daemon broke the protocol (-EPROTO)
 */
int tree_load(const char *path, struct tree_node **root);

/*
 * Read a dump as tree_print makes it (either form), or as `xenstore-ls -fp` does.
 * -EINVAL for a line that is neither; *@line (may be NULL) then tells which.
 */
int tree_parse(FILE *in, struct tree_node **root, unsigned *line);

void tree_free(struct tree_node *root);

/* The node at the absolute @path, or NULL. Linear in the number of siblings on the way. */
struct tree_node *tree_find(struct tree_node *root, const char *path);

/* The next node of a walk that visits parents first; NULL at the end of @root's tree. */
struct tree_node *tree_next(const struct tree_node *root, const struct tree_node *at);

/* The absolute path of a node, cut at TREE_PATH_MAX. Returns @buf. */
const char *tree_path(const struct tree_node *n, char buf[TREE_PATH_MAX]);

/* "n0,r5": cut to @size. Returns @buf. */
const char *tree_perms(const struct tree_node *n, char *buf, size_t size);

/* All nodes, one a line: PATH = "VALUE" (PERMS); or a JSON array of objects path, value, perms. */
void tree_print(FILE *out, const struct tree_node *root, bool json);

/* Bytes as a quoted string, what is not printable ASCII escaped (\xHH, or \u00HH for JSON). */
void tree_quote(FILE *out, const char *s, size_t len, bool json);

/* One place where two trees differ. A NULL side lacks the node. */
typedef void tree_diff_fn(void *arg, const char *path, const struct tree_node *a,
                          const struct tree_node *b);

/* Call @fn for each node that is on one side only or differs in value or permissions; the count. */
size_t tree_diff(struct tree_node *a, struct tree_node *b, tree_diff_fn *fn, void *arg);

/* For the readers of trees: a new child of @parent (NULL: a root), unsorted; NULL: no memory. */
struct tree_node *tree_add(struct tree_node *parent, const char *name, size_t len);
void tree_sort(struct tree_node *root);

#endif
