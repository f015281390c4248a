/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrate.pml - the hand-over of a guest, stages S4 to S9 (docs/migration.md)
 *
 * Two hosts and a link. What is durable: each side's record. What lives as long as its host: the two
 * copies of the guest. What dies with a process: where it was. Faults, each from a budget so that every
 * run ends: either process is killed at any step, either host loses power at any step, a message is lost,
 * doubled or overtaken (the links of several attempts are one bag here, so old messages come late), a side gives
 * up waiting too early. A killed process is started again by vaned and goes by its record alone.
 *
 *   I1  never two runners.
 *   I2  no side gives up a complete copy while it is the last one that is up to date.
 *   End  when faults are used up, recovery ends with one legal outcome (judge).
 *
 * -DBROKEN=1..8 each leave one rule of the protocol out; the checker must then find a violation.
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef KILLS
#define KILLS 2         /* of processes, both sides together */
#endif
#ifndef POWER
#define POWER 2         /* losses of power, both sides together */
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef DOUBLES
#define DOUBLES 1
#endif
#ifndef HASTE
#define HASTE 1         /* giving up although an answer would have come */
#endif

mtype = { NONE, SENDING, COMMITTING, ABORTING, ABORTED, DONE }; /* the source's record */
mtype = { READY, COMMITTED, RUNNING, DISCARDED, LOST };         /* the target's record, and its answers */
mtype = { RUN, STILL, GONE };                                   /* a copy of the guest; STILL: suspended or paused */
mtype = { IMAGE, COMMIT, DISCARD, QUERY, FINISH };              /* source to target */

mtype src_rec = SENDING, tgt_rec = NONE;
byte src_epoch = 1, tgt_epoch = 0;
mtype src_dom = STILL, tgt_dom = GONE;

/* What an all-knowing observer remembers. */
bool src_went_on = false;       /* ran again after the suspend: the target's copy is out of date */
bool tgt_started = false;       /* ran: the source's copy is out of date */
bool tgt_bad = false;           /* could not be started: no copy to be had from it */
bool src_power_lost = false, tgt_power_lost = false;
bool operator = false;          /* the source says that only an operator can decide */
bool source_ended = false;

byte kills = KILLS, power = POWER, losses = LOSSES, doubles = DOUBLES, haste = HASTE;

chan s2t = [2] of { mtype, byte };
chan t2s = [2] of { mtype, byte };

/* A full bag loses messages too: senders never block. */
inline put(c, m, e)
{
    atomic {
        if
        :: nfull(c) -> c!m, e
        :: full(c) -> skip
        :: losses > 0 && nfull(c) -> losses--
        :: doubles > 0 && len(c) < 1 -> doubles--; c!m, e; c!m, e
        fi
    }
}

inline src_fault()
{
    atomic {
        if
        :: kills > 0 -> kills--; goto recover
        :: power > 0 -> power--; src_power_lost = src_power_lost || src_dom != GONE; src_dom = GONE; goto recover
        :: skip
        fi
    }
}

inline tgt_fault()
{
    atomic {
        if
        :: kills > 0 -> kills--; goto restart
        :: power > 0 -> power--; tgt_power_lost = tgt_power_lost || tgt_dom != GONE; tgt_dom = GONE; goto restart
        :: skip
        fi
    }
}

inline src_runs()
{
    d_step { assert(tgt_dom != RUN && !tgt_started); src_dom = RUN; src_went_on = true }        /* I1 */
}

inline tgt_runs()
{
    d_step { assert(src_dom != RUN && !src_went_on); tgt_dom = RUN; tgt_started = true }        /* I1 */
}

active proctype source()
{
    mtype answer;
    byte epoch;

    /* S4: the guest stands still, its last pages are on the way */
    put(s2t, IMAGE, src_epoch);
    src_fault();
    do
    :: t2s?answer, epoch -> if :: answer == READY -> break :: else fi
    :: timeout -> goto abort
    :: haste > 0 -> haste--; goto abort
    od;
    src_fault();
#if BROKEN != 1                 /* the decision is recorded before it is announced */
    src_rec = COMMITTING;
    src_fault();
#endif
    put(s2t, COMMIT, src_epoch);
    src_fault();
#if BROKEN == 1
    src_rec = COMMITTING;
#endif
    goto wait;

abort:                          /* S5 without COMMIT: it goes on here */
    src_fault();
#if BROKEN != 7                 /* else nobody knows, after a loss of power, that the target's copy is old */
    src_rec = ABORTING;
    src_fault();
#endif
    if
    :: src_dom == STILL -> src_runs()
    :: else
    fi;
    src_fault();
    src_rec = ABORTED;
    goto tell;

wait:                           /* S7 */
    do
    :: t2s?answer, epoch ->
        if
        :: epoch < src_epoch -> skip                            /* late */
        :: else ->
            if
            :: answer == READY ->
                src_fault();
                put(s2t, COMMIT, src_epoch)
            :: answer == RUNNING -> goto done
            :: answer == DISCARDED -> goto resume
            :: answer == LOST -> operator = true; goto ended
            :: answer == NONE ->
                operator = true; goto ended                     /* it knows nothing: no proof of anything */
            :: else
            fi
        fi
#if BROKEN == 6                 /* no report is as good as a report */
    :: timeout -> goto done
#else
    :: timeout -> goto recover
#endif
    :: haste > 0 -> haste--; goto recover
    od;

resume:                         /* the target has promised that its copy never started and never will */
    src_rec = ABORTING;
    src_fault();
    if
    :: src_dom == STILL -> src_runs()
    :: else
    fi;
    src_fault();
    src_rec = ABORTED;
    goto tell;

done:                           /* S8, S9 */
    src_rec = DONE;
    src_fault();
destroy:
    skip;
    d_step {
        assert(tgt_started);                                    /* I2 */
        src_dom = GONE
    };
    src_fault();
    put(s2t, FINISH, src_epoch);
    goto ended;

tell:                           /* it runs here: the other copy is out of date */
    do
    :: put(s2t, DISCARD, src_epoch);
        do
        :: t2s?answer, epoch ->
            if
            :: epoch < src_epoch -> skip
            :: else ->
                if
                :: answer == DISCARDED || answer == NONE -> src_rec = NONE; goto ended
                :: else
                fi
            fi
        :: timeout -> break
        od
    od;

recover:                        /* a new process, the record, and what the hypervisor says */
    src_epoch++;
    if
    :: src_rec == SENDING && src_dom == GONE && src_power_lost -> goto lost
    :: src_rec == ABORTING && src_dom == GONE && src_power_lost ->
        operator = true; goto ended                             /* the target's copy may be out of date */
    :: (src_rec == SENDING || src_rec == ABORTING) && !(src_dom == GONE && src_power_lost) -> goto abort
    :: src_rec == ABORTED -> goto tell
    :: src_rec == DONE -> goto destroy
    :: src_rec == NONE -> goto ended
    :: src_rec == COMMITTING && src_dom == RUN ->
        src_rec = ABORTED; goto tell                            /* killed between resume and record */
    :: src_rec == COMMITTING && src_dom != RUN ->
#if BROKEN == 2                 /* no answer after COMMIT: take it back */
        if
        :: src_dom == STILL -> src_runs()
        :: else
        fi
#else
        put(s2t, QUERY, src_epoch);
        goto wait
#endif
    fi;

lost:                           /* before COMMIT was said: only the operator can have started the target's copy */
    put(s2t, QUERY, src_epoch);
    do
    :: t2s?answer, epoch ->
        if
        :: epoch < src_epoch -> skip                            /* late */
        :: else ->
            if
            :: answer == RUNNING -> goto done                   /* promoted */
            :: answer == NONE || answer == DISCARDED || answer == LOST ->
                put(s2t, FINISH, src_epoch);
                src_rec = NONE; goto ended                      /* there is no copy: nothing left to decide */
#if BROKEN == 8                 /* nothing here, so nothing there */
            :: answer == READY -> put(s2t, DISCARD, src_epoch); src_rec = NONE; goto ended
#else
            :: answer == READY || answer == COMMITTED -> goto ask
#endif
            fi
        fi
    :: timeout -> goto ask
    :: haste > 0 -> haste--; goto ask
    od;

ask:                            /* the target may hold the only copy */
    operator = true;
    do
    :: tgt_rec == RUNNING || tgt_rec == LOST || tgt_rec == DISCARDED -> src_epoch++; goto lost  /* vaned asks again */
    :: goto ended
    od;

ended:
    source_ended = true
}

active proctype target()
{
    mtype m;
    byte epoch;

restart:                        /* what vaned does with a record that nobody works on */
    if
    :: tgt_rec == COMMITTED -> goto start
    :: tgt_rec == READY && tgt_dom == GONE -> tgt_rec = DISCARDED       /* it cannot start any more */
    :: tgt_rec == DISCARDED -> goto drop
    :: tgt_rec == NONE && tgt_dom == STILL -> tgt_dom = GONE            /* killed before READY was recorded */
    :: else
    fi;

end_serve:
    do
    :: s2t?m, epoch ->
        if
        :: epoch < tgt_epoch -> skip             /* an old attempt's */
        :: else ->
            tgt_epoch = epoch;
            if
            :: m == IMAGE && tgt_rec == NONE && tgt_dom == GONE && !tgt_started && !src_went_on ->
                /* (a whole image cannot arrive after the sender has gone on: it is one connection) */
                tgt_dom = STILL;
                tgt_fault();
                tgt_rec = READY;
                tgt_fault();
                put(t2s, READY, tgt_epoch)
            :: m == COMMIT && tgt_rec == READY ->
#if BROKEN == 3                 /* run first, record later */
                tgt_runs();
                tgt_fault();
#endif
                tgt_rec = COMMITTED;
                goto start
            :: m == COMMIT && tgt_rec == COMMITTED -> goto start
            :: m == DISCARD && tgt_rec == READY ->
                tgt_rec = DISCARDED;
                goto drop
            :: m == DISCARD && tgt_rec == NONE -> put(t2s, NONE, tgt_epoch)
            :: m == FINISH -> skip
            :: else -> put(t2s, tgt_rec, tgt_epoch)             /* QUERY, and what comes a second time */
            fi
        fi
    :: operator && src_rec == SENDING && src_dom == GONE && tgt_rec == READY && tgt_dom == STILL ->
        tgt_rec = COMMITTED;                                    /* promoted: the source's host is dead */
        goto start
    od;

start:
    tgt_fault();
    if
    :: tgt_dom == RUN -> skip
    :: tgt_dom == STILL -> tgt_runs()
    :: tgt_dom == STILL ->                                      /* cannot be unpaused, no back end, ... */
        tgt_bad = true;
#if BROKEN == 4                 /* promise first, record later */
        put(t2s, DISCARDED, tgt_epoch);
        tgt_fault();
#endif
        tgt_rec = DISCARDED;
        goto drop
    :: tgt_dom == GONE -> tgt_rec = LOST; put(t2s, LOST, tgt_epoch); goto end_serve
    fi;
    tgt_fault();
    tgt_rec = RUNNING;
    tgt_fault();
    put(t2s, RUNNING, tgt_epoch);
    goto end_serve;

drop:
    tgt_fault();
    d_step {
        assert(src_dom != GONE || src_went_on || tgt_bad || tgt_dom == GONE);   /* I2 */
        assert(tgt_dom != RUN);
        tgt_dom = GONE
    };
    tgt_fault();
    put(t2s, DISCARDED, tgt_epoch);
    goto end_serve
}

/* When nothing moves any more: one legal outcome, or one that only lost power explains. */
active proctype judge()
{
    bool moved = false, stayed = false, dead = false, asks = false;

    source_ended && timeout;
    d_step {
        moved = (tgt_dom == RUN && src_dom == GONE);
        stayed = (src_dom == RUN && tgt_dom == GONE && tgt_rec != COMMITTED && tgt_rec != READY);
        dead = ((src_power_lost || tgt_power_lost) && src_dom != RUN && tgt_dom != RUN);
#if BROKEN == 5                 /* claim what does not hold, to see that this process judges at all */
        assert(moved);
#endif
        assert(moved || stayed || dead);
        assert(!(moved && stayed));
        /* power lost at one side alone never loses both copies unless the target had started */
        assert(!dead || src_dom == STILL || tgt_dom == STILL || tgt_started || src_went_on || tgt_bad ||
               (src_power_lost && tgt_rec == NONE) || (src_power_lost && tgt_power_lost))
    }
}
