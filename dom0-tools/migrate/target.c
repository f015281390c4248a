/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.c - the side that gets the guest (target.h; docs/migration.md; the model is tests/model/migrate.pml)
 *
 *   I1  the copy is started only after COMMITTED is on the disk.
 *   I2  DISCARDED is said only after it is on the disk; a copy with that record is never started.
 *   I3  a message of an older epoch than the record's changes nothing and is not answered.
 *   I4  one process a guest acts here: a connection of a newer epoch ends the process that serves the older one.
 *   I5  only a sender that offers nothing is taken for xl: a damaged offer must not lead to xl's weaker protocol.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "link.h"
#include "target.h"
#include "work.h"
#include "xl.h"

#define SAY_MS 10000
#define FIRST_MS 60000                  /* a connection that says nothing is dropped */
#define IDLE_MS 600000
#define STREAM_STALL_MS 180000          /* the source waits for a guest to suspend meanwhile: up to a minute */

struct target {
    struct vane *v;
    int from, to;
    struct migrate_record r;
    struct work w;
    struct guest_hold *hold;            /* what comes for the copy's cards meanwhile */
    const struct vane_config *cfg;      /* what it was received with; NULL: in another process */
    pthread_t pulse;
    bool pulsing;
    atomic_bool stop;
    pthread_mutex_t mouth;              /* messages do not mix */
};

static int say(struct target *t, enum message_type type, const struct vane_error *e)
{
    struct message m = { .type = type, .id = t->r.id, .epoch = t->r.epoch, .state = t->r.state,
                         .codecs = 1u << STREAM_PLAIN | 1u << STREAM_ZERO | 1u << STREAM_ZLIB | 1u << STREAM_ZSTD |
                                   TAKES_FRAMES };
    int rc;

    if (e) {
        m.code = e->code;
        memcpy(m.what, e->what, sizeof(m.what));
        memcpy(m.hint, e->hint, sizeof(m.hint));
    }
    pthread_mutex_lock(&t->mouth);
    rc = message_write(t->to, SAY_MS, &m);
    pthread_mutex_unlock(&t->mouth);
    return rc < 0 ? vane_fail(t->v, rc, NULL, "the source does not listen: %s", strerror(-rc)) : 0;
}

static void *pulse_thread(void *arg)
{
    struct target *t = arg;

    while (!atomic_load(&t->stop)) {
        struct message m = { .type = MSG_ALIVE, .id = t->r.id };

        pthread_mutex_lock(&t->mouth);
        if (message_write(t->to, SAY_MS, &m) < 0)
            atomic_store(&t->stop, true);           /* who reads from the source will see it too */
        pthread_mutex_unlock(&t->mouth);
        for (int i = 0; i < ALIVE_MS / 50 && !atomic_load(&t->stop); i++)
            usleep(50000);
    }
    return NULL;
}

static void pulse_stop(struct target *t)
{
    atomic_store(&t->stop, true);
    if (t->pulsing)
        pthread_join(t->pulse, NULL);
    t->pulsing = false;
}

static int note(struct target *t, enum migrate_state state, const char *why)
{
    enum migrate_state before = t->r.state;
    int rc;

    t->r.state = state;
    snprintf(t->r.why, sizeof(t->r.why), "%s", why);
    rc = record_store(t->v, &t->r);
    if (rc < 0 && rc != -EIO)
        t->r.state = before;
    return rc;
}

/*
 * A name that another has (on one host: the source's copy, until it is gone) holds nothing up. It is taken when the source
 * has heard that the guest runs: until then the guest's front ends want XenStore, and its users wait for them.
 */
static void rename_it(struct target *t)
{
    if (guest_rename(t->v, &t->r) < 0)
        vane_log(t->v, VANE_INFO, "%s", vane_last_error(t->v)->what);
}

/* ---- acts ---- */

/* The promise holds, also when the copy cannot be removed yet: the record stays for that. */
static void drop(struct target *t)
{
    if (guest_destroy(t->v, &t->r) < 0)
        vane_log(t->v, VANE_ERROR, "%s", vane_last_error(t->v)->what);
}

/* Drop the copy, having promised that it never starts. */
static int discard(struct target *t, const char *why)
{
    int rc = note(t, MIG_DISCARDED, why);                                               /* I2 */

    if (rc == 0)
        drop(t);
    return rc;
}

/* COMMITTED: start it, or find that it runs. A start that fails becomes a promise. */
static int start(struct target *t)
{
    struct vane_error first;
    enum guest_is is;
    int rc = guest_look(t->v, &t->r, &is);

    if (rc < 0)
        return rc;
    if (is == GUEST_GONE || is == GUEST_POWER)
        return note(t, MIG_LOST, is == GUEST_POWER ? "this host lost power" : "it was destroyed here");
    work_stage(&t->w, S7_START, NULL);
    if (is == GUEST_STILL)
        rc = guest_start(t->v, &t->r, t->cfg);
    if (rc < 0) {
        first = *vane_last_error(t->v);
        vane_log(t->v, VANE_ERROR, "%s", first.what);
        return discard(t, first.what);
    }
    guest_arrived(t->hold);
    if (note(t, MIG_RUNNING, "") < 0)               /* it does; the record will follow */
        vane_log(t->v, VANE_ERROR, "%s", vane_last_error(t->v)->what);
    t->r.state = MIG_RUNNING;
    return 0;
}

/* What a record says that is still to be done, when nobody does it. */
static int restart(struct target *t)
{
    enum guest_is is;
    int rc = guest_look(t->v, &t->r, &is);

    if (rc < 0)
        return rc;
    switch (t->r.state) {
    case MIG_RECEIVING:                             /* not complete, never was */
        rc = guest_destroy(t->v, &t->r);
        if (rc == 0)
            rc = record_remove(t->v, &t->r);
        t->r.state = MIG_NONE;
        return rc;
    case MIG_READY:
        return is == GUEST_POWER ? discard(t, "this host lost power")
             : is == GUEST_GONE ? discard(t, "it was destroyed here") : 0;
    case MIG_COMMITTED:
        return start(t);
    case MIG_RUNNING:
        if (is == GUEST_RUNS)
            rename_it(t);
        return 0;
    case MIG_DISCARDED:
        drop(t);
        return 0;
    default:
        return 0;
    }
}

/* ---- messages ---- */

static int commit(struct target *t)
{
    int rc = 0;

    if (t->r.state == MIG_READY) {
        work_stage(&t->w, S6_COMMIT, NULL);
        rc = note(t, MIG_COMMITTED, "");                                                /* I1 */
    }
    if (rc == 0 && t->r.state == MIG_COMMITTED)
        rc = start(t);
    return rc;
}

static int finish(struct target *t)
{
    int rc;

    switch (t->r.state) {
    case MIG_RUNNING:
        rename_it(t);
        break;
    case MIG_DISCARDED:
        rc = guest_destroy(t->v, &t->r);
        if (rc < 0) {                               /* nobody will ask again: recovery removes it, as any rest */
            note(t, MIG_RECEIVING, "discarded, and not removed yet");
            return rc;
        }
        break;
    case MIG_LOST: case MIG_NONE:
        break;
    default:
        return 0;                                   /* the source does not say this now: not forgotten */
    }
    rc = record_remove(t->v, &t->r);
    if (rc == 0)
        t->r.state = MIG_NONE;
    return rc;
}

/* What the source kept for the guest's cards: of use only to a copy that runs. */
static int take_frames(struct target *t, const struct message *m)
{
    uint8_t *bulk = malloc(MESSAGE_BULK_MAX);
    int rc = bulk ? message_read_bulk(t->from, SAY_MS, m, bulk) : -ENOMEM;

    if (rc == 0 && t->r.state == MIG_RUNNING)
        guest_frames(t->hold, bulk, m->bulk);
    free(bulk);
    return rc < 0 ? vane_fail(t->v, rc, NULL, "frames for the guest did not arrive: %s", strerror(-rc)) : 0;
}

/* 0: go on; anything else ends the connection. */
static int obey(struct target *t, const struct message *m)
{
    struct vane_error e = { 0 };
    int rc = 0;

    if (memcmp(&m->id, &t->r.id, sizeof(m->id)) != 0)
        return vane_fail(t->v, -EPROTO, NULL, "a message of another migration");
    if (m->type == MSG_FRAMES)
        return take_frames(t, m);
    if (m->epoch < t->r.epoch)
        return 0;                                                                       /* I3 */
    if (m->epoch > t->r.epoch && t->r.state != MIG_NONE) {
        t->r.epoch = m->epoch;
        rc = record_store(t->v, &t->r);
    }
    t->r.epoch = m->epoch;
    if (rc == 0 && m->type == MSG_COMMIT)
        rc = commit(t);
    else if (rc == 0 && m->type == MSG_DISCARD && (t->r.state == MIG_READY || t->r.state == MIG_RECEIVING))
        rc = discard(t, "the source went on");
    else if (rc == 0 && m->type == MSG_FINISH)
        rc = finish(t);
    if (rc < 0)
        return rc;                                  /* no answer is no promise: the source will ask again */
    if (t->r.state == MIG_DISCARDED && *t->r.why) {
        e.code = -EIO;
        snprintf(e.what, sizeof(e.what), "%s", t->r.why);
    }
    work_stage(&t->w, S8_REPORT, NULL);
    return say(t, MSG_STATE, *e.what ? &e : NULL);
}

/* Until the source has what it wants. */
static int serve(struct target *t)
{
    struct message m;
    int rc;

    while ((rc = message_read(t->from, IDLE_MS, &m, NULL, 0)) == 0) {
        rc = obey(t, &m);
        if (rc < 0 || t->r.state == MIG_NONE)
            return rc;
    }
    if (t->r.state == MIG_RUNNING)
        rename_it(t);                               /* FINISH has not come; finish() otherwise */
    if (t->r.state == MIG_READY)
        return vane_fail(t->v, rc, "it is kept until the source comes back and tells; `vane migrate-status` shows it",
                         "the link to the source was lost before it said what becomes of the copy here");
    return t->r.state == MIG_RUNNING ? 0 : vane_fail(t->v, rc, NULL, "the link to the source was lost");
}

/* ---- a new migration ---- */

static int refuse_second(struct target *t, const struct migrate_record *offer)
{
    struct migrate_record *list;
    int n = record_list(t->v, &list), rc = 0;

    for (int i = 0; i < n && rc == 0; i++) {
        char id[VANE_UUID_LEN];

        if (list[i].role != MIGRATE_TARGET || memcmp(&list[i].guest, &offer->guest, sizeof(offer->guest)) != 0 ||
            (list[i].state != MIG_READY && list[i].state != MIG_COMMITTED && list[i].state != MIG_RECEIVING))
            continue;
        if (list[i].state == MIG_RECEIVING && migrate_recover_target(t->v, &list[i]) == 0)
            continue;                               /* a dead process's */
        vane_uuid_format(id, &list[i].id);
        rc = vane_fail(t->v, -EEXIST, "`vane migrate --recover` at the source it came from, or --discard here",
                       "a copy of %s from migration %s is here and %s", list[i].name, id,
                       migrate_state_name(list[i].state));
    }
    free(list);
    return rc;
}

static int prepare(struct target *t, const struct migrate_record *offer, const struct vane_config *cfg, bool paused)
{
    int rc;

    t->r = (struct migrate_record){ .id = offer->id, .role = MIGRATE_TARGET, .state = MIG_RECEIVING,
                                    .epoch = offer->epoch, .guest = offer->guest, .domid = VANE_DOMID_ANY,
                                    .mem_kb = offer->mem_kb, .paused = paused || offer->paused };
    if (offer->role != MIGRATE_SOURCE || !cfg->has_uuid || memcmp(&cfg->uuid, &offer->guest, sizeof(cfg->uuid)) != 0 ||
        strcmp(cfg->name, offer->name) != 0 || strlen(cfg->name) > 200)
        return vane_fail(t->v, -EPROTO, NULL, "the offer is of another guest than the configuration");
    snprintf(t->r.name, sizeof(t->r.name), "%.200s", cfg->name);
    snprintf(t->r.boot, sizeof(t->r.boot), "%s", migrate_boot_id());
    snprintf(t->r.peer, sizeof(t->r.peer), "host %.36s", offer->boot);
    rc = refuse_second(t, offer);
    if (rc == 0)
        rc = work_lock(t->v, MIGRATE_TARGET, &t->r.guest, &t->w);
    if (rc == 0)
        rc = guest_welcome(t->v, offer);
    return rc == 0 ? record_store(t->v, &t->r) : rc;
}

static int take_in(struct target *t, struct stream_in *in, struct vane_config *cfg)
{
    int rc = say(t, MSG_HELLO, NULL);

    work_begin(&t->w, &t->r);
    work_stage(&t->w, S1_CREATE, NULL);
    if (rc == 0 && pthread_create(&t->pulse, NULL, pulse_thread, t) == 0)
        t->pulsing = true;
    in->stall_ms = STREAM_STALL_MS;
    t->cfg = cfg;
    if (rc == 0)
        rc = guest_receive(t->v, in, cfg, &t->r, &t->hold);
    if (rc == 0) {
        guest_keep(t->hold);
        rc = note(t, MIG_READY, "");
        if (rc < 0 && guest_destroy(t->v, &t->r) < 0)
            vane_log(t->v, VANE_ERROR, "%s", vane_last_error(t->v)->what);
    }
    if (rc < 0)
        record_remove(t->v, &t->r);
    return rc;
}

static int new_guest(struct target *t, struct stream_in *in, struct vane_config *cfg,
                     const struct migrate_record *offer, bool paused)
{
    int rc = prepare(t, offer, cfg, paused);

    if (rc == 0)
        rc = take_in(t, in, cfg);
    if (rc < 0) {
        struct vane_error why = *vane_last_error(t->v);

        if (say(t, MSG_FAILED, &why) < 0)
            vane_log(t->v, VANE_INFO, "%s", vane_last_error(t->v)->what);
        pulse_stop(t);
        return vane_fail(t->v, why.code, why.hint, "%s", why.what);
    }
    work_stage(&t->w, S5_READY, NULL);
    rc = say(t, MSG_STATE, NULL);
    guest_announce(t->hold);                        /* if it goes on at the source, that will say so */
    if (rc == 0)
        rc = serve(t);
    pulse_stop(t);
    return rc;
}

/* ---- a source that comes back ---- */

static int returning(struct target *t, const char *head, size_t head_len)
{
    struct message m;
    int rc = message_read(t->from, FIRST_MS, &m, head, head_len);

    if (rc < 0)
        return vane_fail(t->v, rc, NULL, "the sender's first message is none");
    rc = record_load(t->v, MIGRATE_TARGET, &m.id, &t->r);
    if (rc == -ENOENT) {
        t->r = (struct migrate_record){ .id = m.id, .role = MIGRATE_TARGET, .epoch = m.epoch };
        return say(t, MSG_STATE, NULL);             /* MIG_NONE: no promise, only that nothing is known */
    }
    if (rc == 0 && m.type == MSG_QUERY && m.epoch == 0)
        return say(t, MSG_STATE, NULL);             /* somebody only looks */
    if (rc == 0 && m.epoch <= t->r.epoch)
        return vane_fail(t->v, -ESTALE, NULL, "a connection of an earlier attempt");    /* I3 */
    if (rc == 0)
        rc = work_take(t->v, MIGRATE_TARGET, &t->r.guest, &t->w);                       /* I4 */
    if (rc == 0)
        rc = record_load(t->v, MIGRATE_TARGET, &m.id, &t->r);
    if (rc == 0)
        rc = restart(t);
    work_begin(&t->w, &t->r);
    if (rc == 0)
        rc = obey(t, &m);
    return rc == 0 && t->r.state != MIG_NONE ? serve(t) : rc;
}

static void leave(struct target *t)
{
    pulse_stop(t);
    if (t->r.state == MIG_NONE || t->r.state == MIG_RECEIVING)
        work_end(&t->w);
    work_unlock(&t->w);
    guest_hold_end(t->hold);
}

int migrate_target(struct vane *v, int from, int to, bool paused)
{
    struct target t = { .v = v, .from = from, .to = to, .w = { .lock = -1 }, .mouth = PTHREAD_MUTEX_INITIALIZER };
    struct stream_in *in = calloc(1, sizeof(*in));
    struct vane_config *cfg = NULL;
    struct migrate_record offer;
    char head[4];
    int rc = in ? bytes_write(to, SAY_MS, xl_banner, XL_BANNER_LEN) : -ENOMEM;

    if (rc == 0)
        rc = bytes_read(from, FIRST_MS, head, sizeof(head));
    if (rc < 0) {
        vane_fail(v, rc, NULL, "the sender said nothing: %s", strerror(-rc));
    } else if (memcmp(head, MESSAGE_MAGIC, sizeof(head)) == 0) {
        rc = returning(&t, head, sizeof(head));
    } else {
        stream_in_fd(in, v, from);
        stream_in_head(in, head, sizeof(head));
        in->stall_ms = FIRST_MS;
        rc = stream_read_config(in, &cfg);
        if (rc == 0 && !cfg->name)
            rc = vane_fail(v, -EINVAL, NULL, "the guest that is sent has no name");
        if (rc == 0 && in->offer_len == 0)
            rc = xl_receive(v, from, to, in, cfg, paused);
        else if (rc == 0 && record_parse(&offer, (const char *)in->offer, in->offer_len) == 0)
            rc = new_guest(&t, in, cfg, &offer, paused);
        else if (rc == 0)                                                               /* I5 */
            rc = vane_fail(v, -EPROTO, "try again; if it happens each time, the hosts' versions of vane do not fit",
                           "what the sender offers is damaged, or of an unknown form");
        stream_in_close(in);
    }
    leave(&t);
    vane_config_free(cfg);
    free(in);
    return rc;
}

/* ---- without the source ---- */

static int open_record(struct vane *v, const struct migrate_record *r, bool take, struct target *t)
{
    int rc;

    *t = (struct target){ .v = v, .w = { .lock = -1 }, .mouth = PTHREAD_MUTEX_INITIALIZER };
    rc = take ? work_take(v, MIGRATE_TARGET, &r->guest, &t->w) : work_lock(v, MIGRATE_TARGET, &r->guest, &t->w);
    if (rc == 0) {
        rc = record_load(v, MIGRATE_TARGET, &r->id, &t->r);
        if (rc < 0)
            work_unlock(&t->w);
    }
    return rc;
}

int migrate_recover_target(struct vane *v, const struct migrate_record *r)
{
    struct target t;
    int rc = open_record(v, r, false, &t);

    if (rc == 0) {
        rc = restart(&t);
        work_begin(&t.w, &t.r);
        leave(&t);
    }
    return rc;
}

int migrate_decide_target(struct vane *v, const struct migrate_record *r, bool here)
{
    struct target t;
    int rc = open_record(v, r, true, &t);

    if (rc < 0)
        return rc;
    if (here && t.r.state != MIG_READY)
        rc = vane_fail(v, -EINVAL, "only one that is ready can be promoted", "the copy here is %s",
                       migrate_state_name(t.r.state));
    else if (here)
        rc = note(&t, MIG_COMMITTED, "promoted by the operator");
    if (rc == 0 && here)
        rc = start(&t);
    if (rc == 0 && here && t.r.state != MIG_RUNNING)
        rc = vane_fail(v, -EIO, NULL, "it could not be started: %s", t.r.why);
    if (rc == 0 && here)
        rename_it(&t);
    if (rc == 0 && !here) {
        if (t.r.state == MIG_READY || t.r.state == MIG_RECEIVING)
            rc = discard(&t, "discarded by the operator");      /* the record stays: the source may ask */
        else if (t.r.state == MIG_RUNNING || t.r.state == MIG_LOST || t.r.state == MIG_DISCARDED)
            rc = record_remove(v, &t.r);                        /* the guest, if it runs, is left alone */
        else
            rc = vane_fail(v, -EINVAL, "`vane migrate --recover` first", "the copy here is %s",
                           migrate_state_name(t.r.state));
    }
    leave(&t);
    return rc;
}

int migrate_may_start(struct vane *v, const struct vane_dom *d)
{
    struct migrate_record *list;
    int n = record_list(v, &list), rc = 0;

    for (int i = 0; i < n && rc == 0; i++) {
        if (list[i].role == MIGRATE_TARGET && (list[i].state == MIG_READY || list[i].state == MIG_DISCARDED) &&
            list[i].domid == d->domid && memcmp(&list[i].guest, &d->uuid, sizeof(d->uuid)) == 0 &&
            strcmp(list[i].boot, migrate_boot_id()) == 0)
            rc = vane_fail(v, -EPERM, "`vane migrate-status` shows it; --promote starts it when its source is dead for good",
                           "domain %s is a copy that waits for its source: the guest may run there", d->name);
    }
    free(list);
    return rc;
}
