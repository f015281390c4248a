/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.h - what a migration does with a copy of a guest
 *
 * The line between the decisions (source.c, target.c) and the host: guest_xen.c does it with domains; the tests
 * have another world behind it, which knows all and sees every rule broken. All functions return 0 or -errno
 * with the error recorded. The copy is the one that the record names: by number, UUID and boot of the host, so a
 * record never touches another domain.
 */
#ifndef VANE_MIGRATE_GUEST_H
#define VANE_MIGRATE_GUEST_H

#include "../stream/stream.h"
#include "record.h"

enum guest_is {
    GUEST_GONE,             /* there is none, and there was none at this boot or somebody destroyed it */
    GUEST_POWER,            /* it went with a former boot of this host */
    GUEST_STILL,            /* suspended (source), not started yet (target) */
    GUEST_RUNS
};
int guest_look(struct vane *v, const struct migrate_record *r, enum guest_is *is) MUST_CHECK;

/* ---- source ---- */
/* stream_save(). */
int guest_send(struct vane *v, const struct migrate_record *r, int fd, const struct save_options *o, int64_t *down_ms)
    MUST_CHECK;
/* It stands still: wait until what it has written is on its disks and let go of them, before anybody else opens them (I7). */
int guest_settle(struct vane *v, const struct migrate_record *r) MUST_CHECK;
/* ABI: xl's sender gives up the guest's name before GO, so that xl's receiver can take it on one host. */
int guest_set_aside(struct vane *v, const struct migrate_record *r) MUST_CHECK;
/* Let it go on, with its disks and under its name; harmless when it does. */
int guest_resume(struct vane *v, const struct migrate_record *r) MUST_CHECK;

/* ---- target ---- */
/* Whether there is room for it, and its name and UUID are free: early, before a byte of it is sent. */
int guest_welcome(struct vane *v, const struct migrate_record *offer) MUST_CHECK;
struct guest_hold;
/*
 * Make the copy, paused, from the stream; fills r->domid. Nothing is left of it on failure. *@hold, NULL before, is prepared
 * while its memory comes (guest_hold() below) and is the caller's to end in any case.
 */
int guest_receive(struct vane *v, struct stream_in *in, struct vane_config *cfg, struct migrate_record *r, struct guest_hold **hold)
    MUST_CHECK;
/* Open its disks and start it; harmless when it runs. A failure means that it has not run. @cfg: what it was received with, or
 * NULL: its record has it. */
int guest_start(struct vane *v, const struct migrate_record *r, const struct vane_config *cfg) MUST_CHECK;
/* Give it its name; on one host that is free once the other copy is gone. */
int guest_rename(struct vane *v, const struct migrate_record *r) MUST_CHECK;

/* ---- both ---- */
/* Destroy the copy, also one that was left half made. Repeating it is safe. */
int guest_destroy(struct vane *v, const struct migrate_record *r) MUST_CHECK;

/* ---- its cards, at either host (cards.c) ---- */
/*
 * What comes for them while it stands still. All functions take NULL: there is nothing to be kept, or it cannot be, and
 * the network does without, as it does when a frame is lost.
 */
/* Prepare, at the target and at the source, whose copy has a record of its configuration. */
struct guest_hold *guest_hold(const struct vane_config *cfg, const struct migrate_record *r) MUST_CHECK;
struct guest_hold *guest_hold_own(struct vane *v, const struct migrate_record *r) MUST_CHECK;
/* From now on it is kept. */
void guest_keep(struct guest_hold *h);
/* Source: what was kept, for guest_frames(), at most @room bytes; nothing is kept any more. Returns how many. */
size_t guest_kept(struct guest_hold *h, uint8_t *to, size_t room);
/* Target: have the network send it here; */
void guest_announce(struct guest_hold *h);
/* the guest has started: announce it once more, and deliver when it has connected (a thread does); */
void guest_arrived(struct guest_hold *h);
/* what the source kept, to be delivered before our own. Bytes from another host, not looked at yet. */
void guest_frames(struct guest_hold *h, const uint8_t *bytes, size_t n);
/* Wait until all is delivered if it has arrived, some seconds at most, and let go. */
void guest_hold_end(struct guest_hold *h);

#endif
