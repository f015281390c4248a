/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rangeset.c - disjoint closed intervals in a sorted list
 *
 *   I1  for neighbours a, b: a.last + 1 < b.first (adjacent ranges are merged).
 *
 * The caller locks. Lists stay short (tens of entries), so linear walks are right.
 */
#include "heap.h"
#include "hv_errno.h"
#include "lib.h"
#include "list.h"

struct range {
    struct list link;
    uint64_t first, last;
};

struct rangeset {
    struct list ranges;
};

#define RANGE(l) list_entry(l, struct range, link)

struct rangeset *rangeset_create(void)
{
    struct rangeset *r = heap_alloc(sizeof(*r));
    if (r)
        list_init(&r->ranges);
    return r;
}

void rangeset_destroy(struct rangeset *r)
{
    if (!r)
        return;
    list_for_each_safe(pos, tmp, &r->ranges) {
        list_remove(pos);
        heap_free(RANGE(pos));
    }
    heap_free(r);
}

int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last)
{
    struct range *n = heap_alloc(sizeof(*n));
    if (!n)
        return -ENOMEM;
    struct list *before = &r->ranges;
    list_for_each_safe(pos, tmp, &r->ranges) {
        struct range *p = RANGE(pos);
        if (p->last != ~0UL && p->last + 1 < first) {
            before = pos;
            continue;
        }
        if (last != ~0UL && p->first > last + 1)
            break;
        first = MIN(first, p->first);           /* touches: absorb it (I1) */
        last = MAX(last, p->last);
        list_remove(pos);
        heap_free(p);
    }
    n->first = first;
    n->last = last;
    list_push_front(before, &n->link);
    return 0;
}

int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last)
{
    list_for_each_safe(pos, tmp, &r->ranges) {
        struct range *p = RANGE(pos);
        if (p->last < first || p->first > last)
            continue;
        if (p->first < first && p->last > last) {       /* a hole in the middle: split */
            struct range *n = heap_alloc(sizeof(*n));
            if (!n)
                return -ENOMEM;
            n->first = last + 1;
            n->last = p->last;
            p->last = first - 1;
            list_push_front(pos, &n->link);
            return 0;
        }
        if (p->first < first) {
            p->last = first - 1;
        } else if (p->last > last) {
            p->first = last + 1;
        } else {
            list_remove(pos);
            heap_free(p);
        }
    }
    return 0;
}

bool rangeset_contains(const struct rangeset *r, uint64_t first, uint64_t last)
{
    list_for_each(pos, &r->ranges) {
        if (RANGE(pos)->first <= first && RANGE(pos)->last >= last)
            return first <= last;
    }
    return false;
}

bool rangeset_overlaps(const struct rangeset *r, uint64_t first, uint64_t last)
{
    list_for_each(pos, &r->ranges) {
        if (RANGE(pos)->first <= last && RANGE(pos)->last >= first)
            return true;
    }
    return false;
}

bool rangeset_empty(const struct rangeset *r)
{
    return list_empty(&r->ranges);
}
