/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - the other side of the front ends, on the host: pages, grants, events, a XenStore daemon, a disk and a
 * loop-back network back end
 *
 * Honest by default. With a source of lies (fuzzers) it asks before each answer whether to spoil it: an index, an
 * id, a length, a state, a reply. Time is a counter that pv_wait() moves, so nothing here sleeps.
 *
 * It checks the front ends too: a page freed while it is granted, or while a grant of it is mapped by the peer,
 * aborts the program.
 */
#ifndef PEER_H
#define PEER_H

#include "blkfront.h"
#include "netfront.h"

#define PEER_DISK_SECTORS 2048U

/* Forget everything: store, pages, ports, lies. The disk is @id 51712, the interface 0. */
void peer_reset(void);
/* Lies are drawn from here until it is used up; NULL = honest. */
void peer_lies(const uint8_t *data, size_t len);
/* A connected client of the fake daemon. */
void peer_xs(struct xs *xs);
/* Put a key into the store as if from the toolstack. */
void peer_put(const char *path, const char *value);
const char *peer_get(const char *path);
/* What a resume elsewhere finds: no grants, no watches, back ends that know nothing of us. Pages and the disk stay. */
void peer_new_domain(struct xs *xs, struct pv_grants *grants);
/* The back ends stop unmapping what they mapped (persistently): closing must then report -EBUSY. */
void peer_keep_mappings(bool keep);
/* From now on @fn is run wherever the daemon and the back ends would be (NULL: these again): true if it did something. */
void peer_replace(bool (*fn)(void));
/* The honest daemon's turn, for such a function. */
void peer_run_store(void);
/* The back end maps what grant reference @n stands for, if it is given, as the bits say. */
void peer_map(unsigned n, bool reading, bool writing);
/* Free what is left (front ends leak on purpose what a peer still maps). */
void peer_free_all(void);
uint8_t *peer_disk(void);
unsigned peer_pages_in_use(void);
unsigned peer_grants_in_use(void);

#endif
