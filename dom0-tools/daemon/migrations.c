/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrations.c - migrations whose process died or lost its link
 *
 *   I1  a record that somebody works on is left alone (its lock says so).
 *   I2  the work is a `vane migrate --recover ID` of its own; one at a time for a record, and after a failure
 *       only after a pause that doubles up to ten minutes.
 *   I3  what needs the operator is only shown: a target's complete copy whose source does not come back.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../migrate/source.h"
#include "vaned.h"

#define MAX_CASES 64
#define PAUSE_MS 2000
#define PAUSE_MAX_MS 600000

struct attempt {                /* the last one for a record */
    struct vane_uuid id;
    enum migrate_role role;
    enum migrate_state state;
    bool used, there;
    pid_t worker;
    int64_t next_ms, pause_ms;
};

static struct attempt attempts[MAX_CASES];

static struct attempt *attempt_of(const struct migrate_record *r)
{
    struct attempt *unused = NULL;

    for (unsigned i = 0; i < MAX_CASES; i++) {
        struct attempt *a = &attempts[i];

        if (a->used && a->role == r->role && memcmp(&a->id, &r->id, sizeof(r->id)) == 0)
            return a;
        if (!a->used)
            unused = a;
    }
    if (unused)
        *unused = (struct attempt){ .id = r->id, .role = r->role, .used = true };
    return unused;
}

static bool is_ours_to_do(const struct migrate_record *r)
{
    switch (r->state) {
    case MIG_SENDING: case MIG_ABORTING: case MIG_DONE: case MIG_RECEIVING: case MIG_COMMITTED:
        return true;
    case MIG_ABORTED: case MIG_COMMITTING:
        return !r->xl;
    case MIG_READY:
        return strcmp(r->boot, migrate_boot_id()) != 0;         /* gone with the power: say so, on record */
    default:
        return false;
    }
}

static void start(struct attempt *a)
{
    char path[512], id[VANE_UUID_LEN], *slash;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
    char verb[] = "migrate", option[] = "--recover", *argv[] = { path, verb, option, id, NULL };
    extern char **environ;

    if (n < 0)
        return;
    path[n] = '\0';
    slash = strrchr(path, '/');
    snprintf(slash ? slash + 1 : path, 16, "vane");
    vane_uuid_format(id, &a->id);
    a->pause_ms = a->pause_ms ? a->pause_ms * 2 : PAUSE_MS;
    if (a->pause_ms > PAUSE_MAX_MS)
        a->pause_ms = PAUSE_MAX_MS;
    a->next_ms = vane_now_ms() + a->pause_ms;
    if (posix_spawn(&a->worker, path, NULL, NULL, argv, environ) != 0)
        a->worker = 0;
}

bool migrations_reap(pid_t pid)
{
    for (unsigned i = 0; i < MAX_CASES; i++) {
        if (attempts[i].used && attempts[i].worker == pid) {
            attempts[i].worker = 0;
            return true;
        }
    }
    return false;
}

bool migrations_look(struct vane *v)
{
    struct migrate_record *list;
    int n = record_list(v, &list);

    for (unsigned i = 0; i < MAX_CASES; i++)
        attempts[i].there = false;
    for (int i = 0; i < n; i++) {
        struct attempt *a = attempt_of(&list[i]);

        if (!a)
            break;
        a->there = true;
        if (a->state != list[i].state)                          /* it got further: try again at once */
            a->pause_ms = a->next_ms = 0;
        a->state = list[i].state;
        if (is_ours_to_do(&list[i]) && !a->worker && vane_now_ms() >= a->next_ms &&
            work_holder(list[i].role, &list[i].guest) == 0)                             /* I1 */
            start(a);                                                                   /* I2 */
    }
    free(list);
    for (unsigned i = 0; i < MAX_CASES; i++) {
        if (attempts[i].used && !attempts[i].there && !attempts[i].worker)
            attempts[i].used = false;
    }
    return n > 0;
}
