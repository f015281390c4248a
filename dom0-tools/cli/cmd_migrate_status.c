/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_migrate_status.c - migrate-status: what this host knows of migrations, and whose turn it is */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../migrate/source.h"
#include "cli.h"

/* What is to be done, for each state that nobody works on. */
static const char *const next[MIG_STATES] = {
    [MIG_SENDING] = "goes on here: vaned, or --recover",
    [MIG_ABORTING] = "goes on here: vaned, or --recover",
    [MIG_ABORTED] = "runs here; the target has to be told: --recover",
    [MIG_COMMITTING] = "stands still here until the target has answered: --recover",
    [MIG_DONE] = "runs at the target; what is left here goes: --recover",
    [MIG_RECEIVING] = "not complete, goes: --recover",
    [MIG_READY] = "waits for its source; if that host is dead for good: --promote or --discard",
    [MIG_COMMITTED] = "starts here: --recover",
    [MIG_RUNNING] = "runs here; the source has not confirmed yet",
    [MIG_DISCARDED] = "will never run here; the source has not confirmed yet",
    [MIG_LOST] = "was lost with this host; the operator decides at the source",
};

static struct json_object *describe(const struct migrate_record *r, pid_t pid)
{
    struct json_object *o = json_object_new_object();
    char id[VANE_UUID_LEN], guest[VANE_UUID_LEN];
    char *last = work_last(r);

    vane_uuid_format(id, &r->id);
    vane_uuid_format(guest, &r->guest);
    json_object_object_add(o, "id", json_object_new_string(id));
    json_object_object_add(o, "role", json_object_new_string(r->role == MIGRATE_SOURCE ? "source" : "target"));
    json_object_object_add(o, "state", json_object_new_string(migrate_state_name(r->state)));
    json_object_object_add(o, "epoch", json_object_new_int64((int64_t)r->epoch));
    json_object_object_add(o, "name", json_object_new_string(r->name));
    json_object_object_add(o, "uuid", json_object_new_string(guest));
    if (r->domid != VANE_DOMID_ANY)
        json_object_object_add(o, "domid", json_object_new_int64(r->domid));
    json_object_object_add(o, "peer", json_object_new_string(r->peer));
    json_object_object_add(o, "since", json_object_new_int64(r->since));
    json_object_object_add(o, "pid", json_object_new_int(pid));
    json_object_object_add(o, "why", json_object_new_string(r->why));
    json_object_object_add(o, "next", json_object_new_string(pid || !next[r->state] ? "" : next[r->state]));
    if (last)
        json_object_object_add(o, "progress", json_tokener_parse(last));
    free(last);
    return o;
}

static void print_row(const struct migrate_record *r, pid_t pid)
{
    char id[VANE_UUID_LEN], busy[48];
    int64_t age = (int64_t)time(NULL) - r->since;

    vane_uuid_format(id, &r->id);
    snprintf(busy, sizeof(busy), "process %d is at work", (int)pid);
    printf("%-36s %-6s %-10s %6llds %-20s %s%s%s%s\n", id, r->role == MIGRATE_SOURCE ? "source" : "target",
           migrate_state_name(r->state), (long long)(age < 0 ? 0 : age), r->name,
           pid ? busy : next[r->state] ? next[r->state] : "", *r->why ? " (" : "", r->why, *r->why ? ")" : "");
}

/* Ask the other side: only where our own record says how to reach it. */
static int ask(struct cli *c, const struct migrate_record *r)
{
    struct message m;
    struct json_object *o;

    if (r->role != MIGRATE_SOURCE)
        return cli_fail(c, "ask at the source", "the target does not know how to reach the source");
    signal(SIGPIPE, SIG_IGN);
    if (migrate_ask_target(c->v, r, &m) < 0)
        return cli_error(c);
    if (!c->json) {
        printf("the target says: %s%s%s\n", migrate_state_name(m.state), *m.what ? ": " : "", m.what);
        return 0;
    }
    o = describe(r, work_holder(r->role, &r->guest));
    json_object_object_add(o, "target", json_object_new_string(migrate_state_name(m.state)));
    return cli_json(o);
}

int cmd_migrate_status(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "peer", 0, NULL, 'r' }, { NULL, 0, NULL, 0 } };
    struct json_object *all = json_object_new_array();
    struct migrate_record *list;
    struct vane_uuid id;
    bool peer = false;
    int ch, n, shown = 0, rc = 0;

    while ((ch = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
        if (ch != 'r')
            return cli_usage(c, argv[0]);
        peer = true;
    }
    if (!cli_args(c, argc, argv, optind, peer, 1))
        return EXIT_FAILURE;
    if (argv[optind] && !vane_uuid_parse(argv[optind], &id))
        return cli_fail(c, NULL, "%s is no migration's id", argv[optind]);
    n = record_list(c->v, &list);
    if (!c->json && !peer && n > 0)
        printf("%-36s %-6s %-10s %7s %-20s %s\n", "ID", "Role", "State", "Since", "Name", "Next");
    for (int i = 0; i < n && rc == 0; i++) {
        pid_t pid = work_holder(list[i].role, &list[i].guest);

        if (argv[optind] && memcmp(&id, &list[i].id, sizeof(id)) != 0)
            continue;
        shown++;
        if (peer && list[i].role == MIGRATE_SOURCE)
            rc = ask(c, &list[i]);
        else if (c->json)
            json_object_array_add(all, describe(&list[i], pid));
        else if (!peer)
            print_row(&list[i], pid);
    }
    free(list);
    if (argv[optind] && !shown)
        rc = cli_fail(c, "without an id all are listed", "there is no record of that migration here");
    else if (c->json && !peer)
        return cli_json(all);
    json_object_put(all);
    return rc;
}
