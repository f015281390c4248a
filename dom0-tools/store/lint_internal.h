/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lint_internal.h - what lint.c and lint_rules.c share */
#ifndef STORE_LINT_INTERNAL_H
#define STORE_LINT_INTERNAL_H

#include "lint.h"
#include "store_schema.h"

struct lint {
    struct tree_node *root;
    int only;                               /* report this domain alone; -1 all */
    lint_fn *fn;
    void *arg;
    size_t count;
    /* the node being judged */
    char path[TREE_PATH_MAX];
    struct store_arg args[STORE_ARGS_MAX];
    int subject;                            /* the domain it concerns, -1 none */
    struct lint_dom *doms;                  /* by lint_rules_start: one per domid */
};

void lint_report(struct lint *l, enum lint_level level, enum lint_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
const char *lint_quote(const struct tree_node *n, char *buf, size_t size);
struct tree_node *lint_child(const struct tree_node *n, const char *name);
bool lint_is(const struct tree_node *n, const char *value);

void lint_rules_start(struct lint *l);
void lint_rules(struct lint *l, struct tree_node *n, int id);
void lint_rules_end(struct lint *l);
bool lint_dom_is_built(const struct lint *l, uint32_t domid);
int lint_subject(const struct lint *l, const struct tree_node *n, int id);

#endif
