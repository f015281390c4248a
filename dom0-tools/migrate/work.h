/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * work.h - who works on a guest's migration on this host, and how far it is
 *
 * One process a guest and role: /run/vane/migrating/GUEST.ROLE.lock is locked while it lives, whatever ends it.
 * Stages are lines of JSON in /run/vane/migrating/ID.ROLE, written before the stage begins; they are for people
 * and tests, nothing is decided by them.
 */
#ifndef VANE_MIGRATE_WORK_H
#define VANE_MIGRATE_WORK_H

#include <sys/types.h>

#include "../stream/stream.h"
#include "record.h"

/* docs/migration.md, S0 to S9 */
enum migrate_stage { S0_CONNECT, S1_CREATE, S2_PRECOPY, S3_SUSPEND, S4_FINAL, S5_READY, S6_COMMIT, S7_START,
                     S8_REPORT, S9_DESTROY };

struct stage_line {
    enum migrate_stage stage;
    const struct save_progress *copy;   /* S1 to S4 at the source, else NULL */
};

struct work {
    int lock;                           /* -1: not held */
    char stages[256];                   /* the file of stages; empty: none */
    void (*show)(void *opaque, const char *json, const struct stage_line *line);    /* may be NULL */
    void *opaque;
};

/* -EBUSY: somebody is at work. */
int work_lock(struct vane *v, enum migrate_role role, const struct vane_uuid *guest, struct work *w) MUST_CHECK;
/* The same, ending the process that holds it: it is one that serves a connection that was given up. */
int work_take(struct vane *v, enum migrate_role role, const struct vane_uuid *guest, struct work *w) MUST_CHECK;
void work_unlock(struct work *w);
/* The process at work, or 0. Not for the process that holds the lock itself: it would lose it. */
pid_t work_holder(enum migrate_role role, const struct vane_uuid *guest);

/* From now on stages are of this migration. */
void work_begin(struct work *w, const struct migrate_record *r);
void work_stage(struct work *w, enum migrate_stage stage, const struct save_progress *copy);
/* It is over: the stages are forgotten. */
void work_end(struct work *w);
/* The last stage line of a migration, malloc'ed, or NULL. */
char *work_last(const struct migrate_record *r);

#endif
