/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.h - what the files that write a stream share */
#ifndef VANE_SAVE_H
#define VANE_SAVE_H

#include "guest_view.h"
#include "pack.h"
#include "precopy.h"
#include "save_guard.h"
#include "stream.h"

struct saver {
    struct vane *v;
    const struct vane_dom *d;
    const struct save_options *opt;
    struct stream_out out;
    struct pack *pack;              /* NULL: pages are not compressed */
    struct guest_view g;
    struct save_guard *guard, own_guard;
    uint64_t *todo;                 /* a bit a pfn: to be sent in this round */
    uint64_t *later;                /* to be sent once the guest stands still */
    bool suspended, logging;
    int64_t start_ms, round_ms;     /* when the whole and the round began */
    uint64_t raw_bytes;             /* what were written without a codec */
    uint64_t told_kb, told_max_kb;  /* target and maximum as the head has them */
    struct precopy precopy;
    /* save_pages.c: one batch */
    uint64_t word[BATCH_PAGES], mfn[BATCH_PAGES];
    unsigned kind[BATCH_PAGES], n;
    uint8_t *copies;                /* BATCH_PAGES pages: rewritten tables, and what must not change */
};

static inline size_t map_words(const struct saver *s)
{
    return s->g.max_pfn / 64 + 1;
}

static inline void map_set(uint64_t *map, uint64_t i)
{
    map[i / 64] |= 1ull << (i % 64);
}

/* Every pfn there is. */
void map_fill(const struct saver *s, uint64_t *map);

/* save.c: tell the user of the library; its error, or 0. */
int save_report(struct saver *s, enum save_phase phase, uint64_t pages, uint64_t dirty) MUST_CHECK;

/* save_pages.c: send what todo[] names; *@sent pages. */
int save_todo(struct saver *s, uint64_t *sent) MUST_CHECK;

/*
 * save_live.c: pre-copy rounds, leaving in todo[] what is left; then, with the guest suspended, add what it
 * wrote last.
 */
int save_rounds(struct saver *s) MUST_CHECK;
int save_last_writes(struct saver *s) MUST_CHECK;
void save_log_stop(struct saver *s);

/* suspend.c. *@late: it failed, but the guest has taken the request and may still suspend. */
int guest_suspend(struct vane *v, const struct vane_dom *d, const atomic_bool *cancel, bool *late) MUST_CHECK;
/* Take a request to suspend back: 0, 1 when the guest has taken it already, or -errno. */
int guest_withdraw(struct vane *v, const struct vane_dom *d) MUST_CHECK;

/* save_state.c: everything but memory. The guest is suspended for the tail. */
int save_policy(struct vane *v, uint32_t domid, struct stream_out *o) MUST_CHECK;
int save_tail(struct vane *v, const struct vane_dom *d, const struct guest_view *g,
              struct stream_out *o) MUST_CHECK;

#endif
