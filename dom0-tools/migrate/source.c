/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.c - the side that has the guest (source.h; docs/migration.md; the model is tests/model/migrate.pml)
 *
 *   I1  COMMITTING is on the disk before COMMIT is said. From then on the guest goes on here only if the target
 *       answers DISCARDED.
 *   I2  ABORTING is on the disk before a guest that stood still goes on: the target's copy is out of date then.
 *   I3  the copy here is destroyed only after RUNNING was heard and DONE recorded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "source.h"

#define BANNER_MS 60000
#define DECIDE_MS 30000
#define HELLO_MS 3000               /* xl says nothing before the end: after this it is taken for xl until it speaks */
#define STALL_S 30
#define STILL_SILENCE_MS 4000       /* a guest stands still meanwhile: it is to run again within 5 s */
#define READY_MS 60000
#define ANSWER_MS 20000
#define TELL_MS 3000
#define LAST_WORDS_MS 1000

struct source {
    struct vane *v;
    const struct migrate_options *o;
    struct migrate_record r;
    struct save_options copy;       /* as agreed with the target */
    struct link l;
    struct work w;
    struct guest_hold *hold;        /* what comes for the guest's cards from the suspend on */
    int64_t down_ms, up_ms;
};

static struct message word(const struct source *s, enum message_type type)
{
    return (struct message){ .type = type, .id = s->r.id, .epoch = s->r.epoch, .state = s->r.state };
}

static int note(struct source *s, enum migrate_state state, const char *why)
{
    s->r.state = state;
    if (why)
        snprintf(s->r.why, sizeof(s->r.why), "%s", why);
    return record_store(s->v, &s->r);
}

static void complain(struct source *s)
{
    vane_log(s->v, VANE_WARN, "%s", vane_last_error(s->v)->what);
}

static int still_silence(const struct source *s)
{
    return s->o->stall_s ? s->o->stall_s * 1000 : STILL_SILENCE_MS;
}

/* ---- the two ways out ---- */

/* Tell the target that its copy is out of date. 0 when it has heard. */
static int tell(struct source *s)
{
    struct message m = word(s, MSG_DISCARD), answer;
    int rc = message_write(s->l.to, TELL_MS, &m);

    while (rc == 0) {
        rc = link_next(&s->l, TELL_MS, &answer);
        if (rc < 0 || answer.epoch < s->r.epoch)
            continue;
        if (answer.state == MIG_DISCARDED || answer.state == MIG_NONE)
            break;
        if (answer.state != MIG_READY && answer.state != MIG_RECEIVING)
            return vane_fail(s->v, -EUCLEAN, "two copies have run: destroy the one that is not wanted, then "
                             "`vane migrate --discard` or --promote on both hosts",
                             "the target says that its copy is %s, although the guest went on here",
                             migrate_state_name(answer.state));
    }
    if (rc < 0)
        return vane_fail(s->v, rc, NULL, "the target has not been told yet to drop its copy");
    m = word(s, MSG_FINISH);
    return message_write(s->l.to, TELL_MS, &m);
}

/* The guest goes on here. @told: the target knows already, or never had a whole copy. */
static int take_back(struct source *s, bool told, const char *why)
{
    int rc = note(s, MIG_ABORTING, why);                                                /* I2 */
    enum guest_is is;

    if (rc < 0)                     /* a full disk must not keep the guest down: it never was told to start there */
        complain(s);
    rc = guest_look(s->v, &s->r, &is);
    if (rc == 0 && is == GUEST_STILL)
        rc = guest_resume(s->v, &s->r);
    if (rc < 0)
        return rc;                  /* the record stays: recovery tries again */
    if (note(s, MIG_ABORTED, NULL) < 0)
        complain(s);
    if (!told && s->l.to >= 0) {
        link_again(&s->l, TELL_MS);
        told = tell(s) == 0;
    }
    if (told)
        record_remove(s->v, &s->r);
    return 0;
}

/* RUNNING was heard. */
static int let_go(struct source *s)
{
    struct message m, answer;
    int rc;

    s->up_ms = vane_now_ms();
    work_stage(&s->w, S9_DESTROY, NULL);
    rc = note(s, MIG_DONE, NULL);                                                       /* I3 */
    if (rc < 0)
        return rc;
    rc = guest_destroy(s->v, &s->r);
    if (rc < 0)
        return rc;
    m = word(s, MSG_FINISH);
    if (message_write(s->l.to, TELL_MS, &m) == 0 && link_next(&s->l, TELL_MS, &answer) == 0 &&
        answer.state == MIG_NONE)
        record_remove(s->v, &s->r);
    else
        vane_log(s->v, VANE_INFO, "the target keeps its record until it hears that the copy here is gone");
    return 0;
}

/* ---- hand-over ---- */

static int needs_operator(struct source *s, const char *why)
{
    char id[VANE_UUID_LEN], hint[200];

    vane_uuid_format(id, &s->r.id);
    snprintf(s->r.why, sizeof(s->r.why), "%s", why);
    if (record_store(s->v, &s->r) < 0)
        complain(s);
    snprintf(hint, sizeof(hint), "look at the target; then here `vane migrate --promote %s` (it goes on here) or "
             "--discard (this copy goes)", id);
    return vane_fail(s->v, -ENOTRECOVERABLE, hint, "%s: the operator has to decide", why);
}

/*
 * COMMIT was said, or its fate is asked for: act upon the answers. 0 when there is an outcome (*fate); -EPIPE or
 * -ETIMEDOUT when the link died before.
 */
static int conclude(struct source *s, enum migrate_fate *fate)
{
    struct message m = word(s, MSG_COMMIT), answer;
    int rc;

    for (;;) {
        rc = link_next(&s->l, ANSWER_MS, &answer);
        if (rc < 0)
            return vane_fail(s->v, rc, NULL, "the link to the target was lost after the guest was handed over");
        if (answer.epoch < s->r.epoch || memcmp(&answer.id, &s->r.id, sizeof(answer.id)) != 0)
            continue;                                           /* late, or another's */
        switch (answer.state) {
        case MIG_READY:             /* it has not heard of COMMIT */
            rc = message_write(s->l.to, TELL_MS, &m);
            if (rc < 0)
                return vane_fail(s->v, rc, NULL, "the link to the target was lost");
            break;
        case MIG_COMMITTED:
            break;                  /* it is at it */
        case MIG_RUNNING:
            work_stage(&s->w, S8_REPORT, NULL);
            *fate = FATE_THERE;
            return let_go(s);
        case MIG_DISCARDED:
            *fate = FATE_HERE;
            vane_fail(s->v, answer.code < 0 ? answer.code : -EIO, *answer.hint ? answer.hint : NULL, "%s",
                      *answer.what ? answer.what : "the target has discarded its copy");
            rc = take_back(s, false, vane_last_error(s->v)->what);
            return rc;
        case MIG_LOST:
            return needs_operator(s, "the target started the guest and then lost power");
        case MIG_NONE:
            return needs_operator(s, "the target knows nothing of this migration any more");
        default:
            return vane_fail(s->v, -EPROTO, NULL, "the target answers with nonsense: %s",
                             migrate_state_name(answer.state));
        }
    }
}

/* The first error stays the reported one. */
static int back_with(struct source *s, int rc)
{
    struct vane_error first = *vane_last_error(s->v);

    if (take_back(s, s->l.xl, first.what) < 0)      /* xl drops its copy when the link ends */
        vane_log(s->v, VANE_ERROR, "%s", vane_last_error(s->v)->what);
    return vane_fail(s->v, rc, first.hint, "%s", first.what);
}

/* xl's protocol from "ready" on: no record at the other side, one answer, no second chance. */
static int conclude_xl(struct source *s, enum migrate_fate *fate)
{
    char said[sizeof(xl_report)], again[sizeof(xl_go)], status = 1;
    int rc = guest_set_aside(s->v, &s->r);

    if (rc < 0) {                                   /* GO was not said */
        *fate = FATE_HERE;
        return back_with(s, rc);
    }
    rc = bytes_write(s->l.to, TELL_MS, xl_go, sizeof(xl_go));
    if (rc == 0)
        rc = bytes_read(s->l.from, READY_MS, said, sizeof(said));
    if (rc == 0)
        rc = bytes_read(s->l.from, READY_MS, &status, 1);
    if (rc < 0 || memcmp(said, xl_report, sizeof(said)) != 0)
        return needs_operator(s, "the target, which is xl, took over and did not report");
    if (status == 0) {
        work_stage(&s->w, S8_REPORT, NULL);
        s->up_ms = vane_now_ms();
        *fate = FATE_THERE;
        rc = note(s, MIG_DONE, NULL);
        if (rc == 0)
            rc = guest_destroy(s->v, &s->r);
        if (rc == 0)
            record_remove(s->v, &s->r);
        return rc;
    }
    if (bytes_read(s->l.from, READY_MS, again, sizeof(again)) < 0 || memcmp(again, xl_go, sizeof(again)) != 0)
        return needs_operator(s, "the target could not start the guest and did not give it back");
    *fate = FATE_HERE;
    rc = take_back(s, true, "the target could not start it");
    return rc < 0 ? rc : vane_fail(s->v, -EIO, "see its messages", "the target could not start the guest");
}

/* ---- a migration ---- */

/* What comes for its cards while it stands still is for the target, if that one takes it. */
static void hold_frames(struct source *s)
{
    if (!s->hold && link_hello(&s->l, 0) == 0 && s->l.codecs & TAKES_FRAMES)
        s->hold = guest_hold_own(s->v, &s->r);
}

static int on_progress(void *opaque, const struct save_progress *p)
{
    static const enum migrate_stage stage[] = { [SAVE_CONFIG] = S1_CREATE, [SAVE_PRECOPY] = S2_PRECOPY,
                                                [SAVE_SUSPEND] = S3_SUSPEND, [SAVE_FINAL] = S4_FINAL };
    struct source *s = opaque;

    if (p->phase == SAVE_END)
        return 0;
    work_stage(&s->w, stage[p->phase], p);
    if (p->phase == SAVE_SUSPEND)
        hold_frames(s);                             /* a HELLO that came late */
    if (p->phase == SAVE_FINAL) {
        atomic_store(&s->l.silence_ms, still_silence(s));
        guest_keep(s->hold);
    }
    if (p->phase != SAVE_CONFIG)
        return 0;
    /* the offer is out: what the target can unpack, if it is one of ours */
    if (link_hello(&s->l, HELLO_MS) == 0 && atomic_load(&s->l.broken))
        return link_blame(s->v, &s->l);
    if (!s->l.hello || !(s->l.codecs & 1u << s->copy.codec)) {
        if (s->copy.codec >= STREAM_ZLIB)
            vane_log(s->v, VANE_WARN, "the target cannot unpack a compressed stream: it goes as it is");
        s->copy.codec = STREAM_PLAIN;
    }
    hold_frames(s);
    return 0;
}

/* What came here for the guest's cards goes after it, while the target is busy with starting it. */
static int send_frames(struct source *s)
{
    struct message m = word(s, MSG_FRAMES);
    uint8_t *bulk = s->hold ? malloc(MESSAGE_BULK_MAX) : NULL;
    int rc = 0;

    if (bulk)
        m.bulk = (uint32_t)guest_kept(s->hold, bulk, MESSAGE_BULK_MAX);
    if (m.bulk)
        rc = message_write_bulk(s->l.to, TELL_MS, &m, bulk);
    free(bulk);
    return rc;
}

/* The image is over there. Until COMMITTING is recorded every failure lets the guest go on here. */
static int hand_over(struct source *s, enum migrate_fate *fate)
{
    struct message m;
    int rc = guest_settle(s->v, &s->r);

    if (rc == 0)
        rc = link_next(&s->l, READY_MS, &m);
    if (rc == -EPIPE || rc == -ETIMEDOUT)
        return link_blame(s->v, &s->l);
    if (rc == 0 && m.state != MIG_READY)
        rc = vane_fail(s->v, -EPROTO, NULL, "the target answers with nonsense: %s", migrate_state_name(m.state));
    if (rc < 0)
        return rc;
    work_stage(&s->w, S5_READY, NULL);
    if (atomic_load(&s->l.broken))
        return link_blame(s->v, &s->l);
    s->r.xl = s->l.xl;
    work_stage(&s->w, S6_COMMIT, NULL);
    rc = note(s, MIG_COMMITTING, NULL);                                                 /* I1 */
    if (rc < 0) {
        s->r.state = MIG_SENDING;                   /* COMMIT was not said, whatever is on the disk */
        return rc;
    }
    link_again(&s->l, still_silence(s));            /* too late to cancel */
    work_stage(&s->w, S7_START, NULL);
    *fate = FATE_OPEN;
    if (s->l.xl)
        return conclude_xl(s, fate);
    m = word(s, MSG_COMMIT);
    rc = message_write(s->l.to, TELL_MS, &m);
    if (rc == 0)
        rc = send_frames(s);
    if (rc < 0)
        return vane_fail(s->v, rc, NULL, "the link to the target was lost while the guest was handed over");
    return conclude(s, fate);
}

static int converse(struct source *s, enum migrate_fate *fate)
{
    char offer[RECORD_TEXT_MAX], *transport;
    struct migrate_record out = s->r;
    struct message m;
    int rc;

    transport = out.transport;                      /* how to reach the target is nobody's business there */
    *transport = '\0';
    s->copy = s->o->copy;
    s->copy.offer = offer;
    s->copy.offer_len = record_text(offer, &out);
    s->copy.cancel = &s->l.broken;
    s->copy.progress = on_progress;
    s->copy.opaque = s;
    s->copy.checksum = true;                        /* whoever the target is: xl passes over them */
    s->copy.stall_ms = (uint64_t)(s->o->stall_s ? s->o->stall_s : STALL_S) * 1000;
    atomic_store(&s->l.silence_ms, (int)s->copy.stall_ms);
    rc = link_listen(s->v, &s->l, s->o->cancel);
    if (rc == 0)
        rc = note(s, MIG_SENDING, NULL);
    if (rc < 0)
        return rc;
    rc = guest_send(s->v, &s->r, s->l.to, &s->copy, &s->down_ms);
    if (rc < 0) {                                   /* it runs, and the target cannot have it all */
        if ((rc == -ECANCELED || rc == -EPIPE) && link_next(&s->l, LAST_WORDS_MS, &m) == -EPIPE)
            rc = link_blame(s->v, &s->l);
        /* A link that fell silent, perhaps, and so for both: recovery tells the target, which waits for minutes otherwise. */
        if (rc != -ETIMEDOUT || note(s, MIG_ABORTED, "time was up") < 0)
            record_remove(s->v, &s->r);
        return rc;
    }
    rc = hand_over(s, fate);
    return rc < 0 && *fate == FATE_HERE && s->r.state == MIG_SENDING ? back_with(s, rc) : rc;
}

/* Reach the target once more, in a new epoch, to ask or tell. */
static int reach(struct source *s)
{
    int rc;

    s->r.epoch++;
    rc = record_store(s->v, &s->r);
    if (rc == 0)
        rc = link_open(s->v, s->r.transport, BANNER_MS, &s->l);
    if (rc == 0) {
        rc = link_listen(s->v, &s->l, NULL);
        if (rc < 0)
            link_close(&s->l);
    }
    return rc;
}

/*
 * This host lost its power, and with it the guest, before COMMIT was said. The target's copy can only have been started by
 * the operator: if it was, or if there is none, the matter is closed; a complete one that waits is the operator's.
 */
static int lost_with_power(struct source *s, enum migrate_fate *fate)
{
    struct message m, answer = { 0 };
    int rc = reach(s);

    m = word(s, MSG_QUERY);
    if (rc == 0)
        rc = message_write(s->l.to, TELL_MS, &m);
    while (rc == 0 && answer.epoch < s->r.epoch)
        rc = link_next(&s->l, ANSWER_MS, &answer);
    if (rc < 0)
        return vane_fail(s->v, rc, "`vane migrate --promote` there starts a complete copy, --discard here closes the matter",
                         "this host lost power while the guest moved, and the target cannot be asked what it has of it");
    switch (answer.state) {
    case MIG_RUNNING:
        *fate = FATE_THERE;
        return let_go(s);
    case MIG_NONE: case MIG_DISCARDED: case MIG_LOST:
        m = word(s, MSG_FINISH);
        if (answer.state != MIG_NONE)
            rc = message_write(s->l.to, TELL_MS, &m);
        if (rc < 0)
            return vane_fail(s->v, rc, NULL, "the link to the target was lost");
        *fate = FATE_LOST;
        return record_remove(s->v, &s->r);
    default:
        return needs_operator(s, "this host lost power while the guest moved; the target has the only copy");
    }
}

static int recover(struct source *s, enum migrate_fate *fate)
{
    enum guest_is is;
    struct message m;
    int rc = guest_look(s->v, &s->r, &is);

    if (rc < 0)
        return rc;
    if (s->r.state == MIG_COMMITTING && is == GUEST_RUNS)
        rc = note(s, MIG_ABORTED, "it had been given back");    /* killed between resume and record */
    *fate = FATE_OPEN;
    if (rc == 0 && is == GUEST_POWER && s->r.state == MIG_SENDING && !s->r.xl)
        return lost_with_power(s, fate);
    if (rc == 0 && (s->r.state == MIG_SENDING || s->r.state == MIG_ABORTING)) {
        if (is == GUEST_POWER)
            return needs_operator(s, "this host lost power when the guest was about to go on here; the target's copy "
                                  "may be out of date");
        rc = take_back(s, s->r.xl, NULL);
    }
    if (rc == 0 && s->r.state == MIG_DONE)
        rc = guest_destroy(s->v, &s->r);
    *fate = s->r.state == MIG_DONE ? FATE_THERE : s->r.state == MIG_COMMITTING ? FATE_OPEN : FATE_HERE;
    if (rc < 0)
        return rc;
    if (s->r.xl) {
        if (s->r.state == MIG_COMMITTING)
            return needs_operator(s, "the target, which is xl, took over and did not report");
        return record_remove(s->v, &s->r);
    }
    rc = reach(s);
    if (rc < 0)
        return rc;
    if (s->r.state == MIG_ABORTED) {
        rc = tell(s);
        return rc == 0 ? record_remove(s->v, &s->r) : rc;
    }
    if (s->r.state == MIG_DONE)
        return let_go(s);
    m = word(s, MSG_QUERY);
    rc = message_write(s->l.to, TELL_MS, &m);
    return rc < 0 ? vane_fail(s->v, rc, NULL, "the link to the target was lost") : conclude(s, fate);
}

/* The link died after COMMIT: try at once what vaned would do a little later. */
static int try_again(struct source *s, enum migrate_fate *fate)
{
    int rc = -EPIPE;

    for (unsigned i = 0; i < 4 && s->r.state == MIG_COMMITTING && rc != -ENOTRECOVERABLE; i++) {
        link_close(&s->l);
        usleep(50000u << 2 * i);
        rc = recover(s, fate);
        if (rc == 0)
            break;
    }
    return rc;
}

/*
 * The right to migrate @guest. While only the end of an earlier attempt is told to its target (vaned does), it comes
 * free soon; a migration at work is not waited for.
 */
static int take_turn(struct vane *v, const struct vane_uuid *guest, struct work *w)
{
    int64_t end = vane_now_ms() + DECIDE_MS;
    struct migrate_record old;
    int rc;

    while ((rc = work_lock(v, MIGRATE_SOURCE, guest, w)) == -EBUSY && vane_now_ms() < end &&
           (record_of_guest(v, MIGRATE_SOURCE, guest, &old) < 0 || old.state == MIG_ABORTED))
        usleep(100000);                                             /* no record: it has just gone, or is about to come */
    return rc == -EBUSY ? work_lock(v, MIGRATE_SOURCE, guest, w) : rc;      /* the last word is its own */
}

int migrate_source(struct vane *v, const struct vane_dom *d, const struct migrate_options *o,
                   struct migrate_result *out)
{
    struct source s = { .v = v, .o = o, .l = { .to = -1, .from = -1 },
                        .w = { .lock = -1, .show = o->show, .opaque = o->opaque } };
    struct migrate_record old;
    int rc;

    *out = (struct migrate_result){ .fate = FATE_HERE };
    s.r = (struct migrate_record){ .role = MIGRATE_SOURCE, .state = MIG_SENDING, .epoch = 1, .guest = d->uuid,
                                   .domid = d->domid, .mem_kb = d->mem_kb, .paused = o->paused };
    vane_uuid_random(&s.r.id);
    snprintf(s.r.name, sizeof(s.r.name), "%s", d->name);
    snprintf(s.r.boot, sizeof(s.r.boot), "%s", migrate_boot_id());
    snprintf(s.r.peer, sizeof(s.r.peer), "%s", o->peer);
    if (strlen(o->transport) >= sizeof(s.r.transport))
        return vane_fail(v, -ENAMETOOLONG, NULL, "the transport's command is longer than %d bytes",
                         MIGRATE_TRANSPORT_MAX - 1);
    snprintf(s.r.transport, sizeof(s.r.transport), "%s", o->transport);
    rc = take_turn(v, &d->uuid, &s.w);
    if (rc < 0)
        return rc;
    if (record_of_guest(v, MIGRATE_SOURCE, &d->uuid, &old) == 0) {
        work_unlock(&s.w);
        rc = migrate_recover_source(v, &old, &out->fate);       /* first what was left of the last time */
        if (rc == 0 && out->fate == FATE_THERE)
            return 0;                                           /* that was it */
        if (rc < 0 && old.state != MIG_ABORTED && old.state != MIG_SENDING)
            return vane_fail_in(v, "an earlier migration of this guest is not finished");
        rc = take_turn(v, &d->uuid, &s.w);
        if (rc < 0)
            return rc;
    }
    work_begin(&s.w, &s.r);
    work_stage(&s.w, S0_CONNECT, NULL);
    rc = link_open(v, s.r.transport, o->stall_s ? o->stall_s * 1000 : BANNER_MS, &s.l);
    if (rc == 0) {
        rc = converse(&s, &out->fate);
        if (rc < 0 && out->fate == FATE_OPEN && rc != -ENOTRECOVERABLE)
            rc = try_again(&s, &out->fate);
        link_close(&s.l);
        guest_hold_end(s.hold);
    }
    if (rc == 0 && out->fate == FATE_HERE)
        rc = vane_fail(v, -EIO, NULL, "the target could not start the guest: %s", s.r.why);
    out->xl = s.r.xl;
    out->down_ms = s.up_ms - s.down_ms;
    work_end(&s.w);
    work_unlock(&s.w);
    return rc;
}

/* The record may have changed until the lock was ours. */
static int open_record(struct vane *v, const struct migrate_record *r, struct source *s)
{
    int rc;

    *s = (struct source){ .v = v, .l = { .to = -1, .from = -1 }, .w = { .lock = -1 } };
    rc = work_lock(v, MIGRATE_SOURCE, &r->guest, &s->w);
    if (rc == 0) {
        rc = record_load(v, MIGRATE_SOURCE, &r->id, &s->r);
        if (rc < 0)
            work_unlock(&s->w);
    }
    return rc;
}

static void close_record(struct source *s)
{
    link_close(&s->l);
    work_begin(&s->w, &s->r);
    work_end(&s->w);
    work_unlock(&s->w);
}

int migrate_recover_source(struct vane *v, const struct migrate_record *r, enum migrate_fate *fate)
{
    struct source s;
    int rc = open_record(v, r, &s);

    *fate = FATE_OPEN;
    if (rc == 0) {
        rc = recover(&s, fate);
        close_record(&s);
    }
    return rc;
}

int migrate_ask_target(struct vane *v, const struct migrate_record *r, struct message *answer)
{
    struct source s = { .v = v, .r = *r };
    struct message m = word(&s, MSG_QUERY);
    int rc;

    m.epoch = 0;                                    /* only asking: takes the connection from nobody */
    rc = link_open(v, r->transport, BANNER_MS, &s.l);
    if (rc < 0)
        return rc;
    rc = message_write(s.l.to, TELL_MS, &m);
    if (rc == 0)
        rc = message_read(s.l.from, ANSWER_MS, answer, NULL, 0);
    link_close(&s.l);
    return rc < 0 ? vane_fail(v, rc, NULL, "the target does not answer: %s", strerror(-rc)) : 0;
}

int migrate_decide_source(struct vane *v, const struct migrate_record *r, bool here)
{
    int64_t end = vane_now_ms() + DECIDE_MS;
    struct source s;
    int rc;

    while ((rc = open_record(v, r, &s)) == -EBUSY && vane_now_ms() < end)
        usleep(100000);                             /* vaned's recovery ends soon; a migration at work is not cut short */
    if (rc < 0)
        return rc;
    if (here) {
        rc = take_back(&s, s.r.xl, "the operator's word");      /* the target is told when it can be reached */
    } else {
        rc = guest_destroy(v, &s.r);
        if (rc == 0)
            rc = record_remove(v, &s.r);
    }
    close_record(&s);
    return rc;
}

void migrate_sweep(struct vane *v)
{
    struct migrate_record *list;
    int n = record_list(v, &list);

    for (int i = 0; i < n; i++) {
        struct source s;

        if (list[i].role != MIGRATE_SOURCE || list[i].state != MIG_SENDING || open_record(v, &list[i], &s) < 0)
            continue;
        if (s.r.state == MIG_SENDING && strcmp(s.r.boot, migrate_boot_id()) == 0 &&
            note(&s, MIG_ABORTING, "its process died") < 0)
            complain(&s);
        work_unlock(&s.w);
    }
    free(list);
}
