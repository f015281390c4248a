/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.h - what a host knows of a migration, on disk
 *
 * /var/lib/vane/migrations/ID.source and ID.target: text, one "key value" a line, the last line a checksum of
 * the others. A record is written before the action that it stands for is taken (docs/migration.md), to a
 * temporary file that takes the name when it is on the disk; so a record is the old one or the new one,
 * whatever happens to the process or the power.
 *
 * The sender's offer is its record, sent along.
 */
#ifndef VANE_MIGRATE_RECORD_H
#define VANE_MIGRATE_RECORD_H

#include "../lib/vane.h"

enum migrate_role { MIGRATE_SOURCE, MIGRATE_TARGET };

/* Numbers travel in messages: append only. */
enum migrate_state {
    MIG_NONE,               /* nothing is known, or nothing left to do */
    /* source */
    MIG_SENDING,            /* the image is on its way; the copy here is the one */
    MIG_ABORTING,           /* it is going to go on here */
    MIG_ABORTED,            /* it went on here: the target's copy is out of date */
    MIG_COMMITTING,         /* told to start there: goes on here only on proof that it never did */
    MIG_DONE,               /* runs there: what is left here goes */
    /* target */
    MIG_RECEIVING,
    MIG_READY,              /* complete, paused: waits to be told */
    MIG_COMMITTED,          /* told to start: it may have */
    MIG_RUNNING,
    MIG_DISCARDED,          /* a promise: it never ran here and never will */
    MIG_LOST,               /* it may have run here and is gone, with this host's power */
    MIG_STATES
};
const char *migrate_state_name(enum migrate_state s);

#define MIGRATE_TRANSPORT_MAX 1024
#define RECORD_TEXT_MAX 4096u           /* fits into a stream's offer */

struct migrate_record {
    struct vane_uuid id;
    enum migrate_role role;
    enum migrate_state state;
    uint64_t epoch;                     /* of the last connection: older messages are refused */
    struct vane_uuid guest;
    uint32_t domid;                     /* of the copy here; VANE_DOMID_ANY: not known yet */
    char name[256];                     /* the guest's, as it is to be called */
    char boot[40];                      /* this host's boot: a copy lives no longer */
    uint64_t mem_kb;
    bool paused;                        /* is not to be unpaused at the target */
    bool xl;                            /* the other side is xl: it keeps no record */
    char peer[256];                     /* for people */
    char transport[MIGRATE_TRANSPORT_MAX];  /* source: the command that reaches the target */
    char why[256];                      /* why it is in this state, if not as planned */
    int64_t since;                      /* seconds of the epoch, of the last change */
};

/* Where records and marks of work live; tests set others. */
extern const char *migrate_state_dir, *migrate_run_dir;

/* The text, terminated, and back: pure. Returns its length; parse returns 0 or -EBADMSG. */
size_t record_text(char out[RECORD_TEXT_MAX], const struct migrate_record *r);
int record_parse(struct migrate_record *r, const char *text, size_t len) MUST_CHECK;

/* Durable when it returns 0. Sets r->since. On failure the old record is what counts, unless -EIO. */
int record_store(struct vane *v, struct migrate_record *r) MUST_CHECK;
/* -ENOENT: there is none. -EBADMSG: the file is damaged. */
int record_load(struct vane *v, enum migrate_role role, const struct vane_uuid *id,
                struct migrate_record *r) MUST_CHECK;
int record_remove(struct vane *v, const struct migrate_record *r);
/* All of them, malloc'ed; the count is returned. Damaged ones are named in the log and left alone. */
int record_list(struct vane *v, struct migrate_record **out) MUST_CHECK;
/* Of a guest in a role, if there is one: 0, -ENOENT. */
int record_of_guest(struct vane *v, enum migrate_role role, const struct vane_uuid *guest,
                    struct migrate_record *r) MUST_CHECK;

/* This boot of this host. */
const char *migrate_boot_id(void);

#endif
