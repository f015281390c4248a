/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal.h - marks of work in progress (see create.h) */
#ifndef VANE_JOURNAL_H
#define VANE_JOURNAL_H

#include "vane.h"

struct journal {
    int fd;                 /* holds the lock; -1: not open */
    char path[128];
};

/* -EBUSY: another process works on this domain. */
int journal_begin(struct vane *v, const struct vane_uuid *uuid, struct journal *j) MUST_CHECK;
/* Write down which domain it is about. */
void journal_note(struct journal *j, uint32_t domid);
/* The work is done: the mark goes. Harmless after journal_leave(). */
void journal_end(struct journal *j);
/* It is not, and we cannot finish it: the mark stays for the next command's vane_sweep(). */
void journal_leave(struct journal *j);

/*
 * Open and lock the file @path (@flags: those of open()): the descriptor, -EBUSY while another process
 * holds it, else -errno. Whoever unlinks such a file does so before closing it.
 */
int journal_lock(const char *path, int flags);

#endif
