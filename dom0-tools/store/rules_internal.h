/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules_internal.h - shared by rules_parse.c and rules.c */
#ifndef STORE_RULES_INTERNAL_H
#define STORE_RULES_INTERNAL_H

#include "rules.h"
#include "store_schema.h"

#define RULE_WORDS_MAX 32
#define RULE_BUCKETS 256

struct rule {
    /* fixed once parsed */
    char name[65];
    int id;                                 /* the schema's path */
    enum rule_when when;
    char *value;                            /* EQUALS, DIFFERS */
    char *fixed[STORE_ARGS_MAX];            /* NULL: any */
    char *arg_name[STORE_ARGS_MAX];
    unsigned nargs;
    int64_t debounce;                       /* ms */
    unsigned limit;                         /* 0: none */
    int64_t period;                         /* ms */
    char *words[RULE_WORDS_MAX + 1];
    char *watch;                            /* the directory above its first placeholder */
    /* changes */
    int64_t *recent;                        /* times of the last `limit` actions, a ring */
    unsigned turn;
    struct rule *next;
};

struct rules {
    struct rule *list;
    size_t count;
    rules_journal_fn *journal;
    void *journal_arg;
    struct rule_item *buckets[RULE_BUCKETS];
};

void rule_free(struct rule *rule);

#endif
