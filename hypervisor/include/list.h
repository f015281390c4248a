/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - intrusive doubly linked list with a head; an unlinked node points to itself
 */
#ifndef PARAVANE_LIST_H
#define PARAVANE_LIST_H

#include "types.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_between(struct list *n, struct list *prev, struct list *next)
{
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}

static inline void list_push_front(struct list *head, struct list *n)
{
    list_insert_between(n, head, head->next);
}

static inline void list_push_back(struct list *head, struct list *n)
{
    list_insert_between(n, head->prev, head);
}

/* Unlinks and re-initialises, so that unlinking twice is harmless and list_empty(n) means "not queued". */
static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_for_each(pos, head) \
    for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, tmp, head)                                           \
    for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); \
         pos = tmp, tmp = pos->next)

#endif
