/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lint.h - hold a tree against the schema
 *
 * What is found is judged by who could have caused it: a toolstack's or a back end's mistake is an
 * error or a warning, what a guest did to its own nodes is a note (it may, and nobody may trust
 * it).
 */
#ifndef STORE_LINT_H
#define STORE_LINT_H

#include "tree.h"

enum lint_level { LINT_NOTE, LINT_WARNING, LINT_ERROR };

enum lint_kind {
    LINT_UNKNOWN,           /* no pattern of the schema covers the path */
    LINT_VALUE,             /* the value breaks its type */
    LINT_PERMS,             /* permissions other than the schema's */
    LINT_EXPOSED,           /* ... that give a guest more than the schema does */
    LINT_MISSING,           /* a node that must be there by now */
    LINT_DANGLING,          /* one end of a device, or of a reference, is not there */
    LINT_FORGED,            /* a guest-writable node contradicts the toolstack's truth */
    LINT_IDENTITY,          /* a node says it is somebody else, or two claim one name */
    LINT_ORPHAN,            /* left over from a domain that is gone */
    LINT_STATE,             /* states of two ends that cannot be */
    LINT_STALLED,           /* states that should have moved on; of meaning when they persist */
};

struct lint_finding {
    enum lint_level level;
    enum lint_kind kind;
    const char *path;
    const char *text;       /* one line; what is wrong and what the schema wants */
};

typedef void lint_fn(void *arg, const struct lint_finding *f);

/* "unknown", "value", ... and "note", "warning", "error". */
const char *lint_kind_name(enum lint_kind kind);
const char *lint_level_name(enum lint_level level);

/*
 * Check everything in @root, a tree of "/"; with @domid >= 0 report only what concerns that domain.
 * Returns how many findings @fn was told. Linear in the number of nodes.
 */
size_t lint_tree(struct tree_node *root, int domid, lint_fn *fn, void *arg);

#endif
