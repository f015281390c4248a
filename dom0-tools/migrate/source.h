/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.h - the side that has the guest
 *
 * Whatever happens, it ends in one of three ways: the guest runs at the target and what was here is gone
 * (0); it runs here as before (an error, and *fate says so); or nobody can tell yet, the copy here stands still
 * (an error, the record stays, migrate_recover_source() goes on).
 */
#ifndef VANE_MIGRATE_SOURCE_H
#define VANE_MIGRATE_SOURCE_H

#include "link.h"
#include "work.h"

enum migrate_fate { FATE_HERE, FATE_THERE, FATE_OPEN, FATE_LOST };

struct migrate_options {
    const char *transport, *peer;       /* the command; its name for people */
    struct save_options copy;           /* limits and wishes; cancel and progress are ours */
    bool paused;
    int stall_s;                        /* how long the target may be silent at any stage; 0: what suits the stage */
    const atomic_bool *cancel;          /* may be set at any time; NULL: never */
    void (*show)(void *opaque, const char *json, const struct stage_line *line);
    void *opaque;
};

struct migrate_result {
    enum migrate_fate fate;
    bool xl;                            /* the target was xl */
    int64_t down_ms;                    /* how long the guest stood still, if it moved */
};

int migrate_source(struct vane *v, const struct vane_dom *d, const struct migrate_options *o,
                   struct migrate_result *out) MUST_CHECK;

/*
 * Go on from a record whose process died or lost its link. 0: there is one outcome now (*fate) and the record is
 * gone. -EBUSY: somebody is at work. Else it cannot be decided yet, or needs the operator: the error says which.
 */
int migrate_recover_source(struct vane *v, const struct migrate_record *r, enum migrate_fate *fate) MUST_CHECK;

/* Ask the target over the recorded transport where it is; nothing changes. */
int migrate_ask_target(struct vane *v, const struct migrate_record *r, struct message *answer) MUST_CHECK;

/* The operator's word that the other copy is dead for good (@here) or that this one is not wanted. */
int migrate_decide_source(struct vane *v, const struct migrate_record *r, bool here) MUST_CHECK;

/* Of records whose process died while the image was on its way: note that the guest is going to go on. */
void migrate_sweep(struct vane *v);

#endif
