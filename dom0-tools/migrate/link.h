/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - the connection from a source to its target
 *
 * A transport is a shell command whose standard input and output end at the target's `vane migrate-receive`
 * (or xl's): ssh, our own TLS helper, whatever. A thread listens, so that a target that fails, dies or falls
 * silent is noticed while the image is being written.
 */
#ifndef VANE_MIGRATE_LINK_H
#define VANE_MIGRATE_LINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "message.h"

/* ABI: xl's messages; the banner goes without its NUL, the others with it. */
extern const char xl_banner[55], xl_ready[34], xl_go[44], xl_report[39];
#define XL_BANNER_LEN (sizeof(xl_banner) - 1)

#define LINK_QUEUE 8
#define ALIVE_MS 500                    /* a target says so this often while it works */

struct link {
    pid_t pid;
    int to, from;
    bool threaded;
    pthread_t ear;
    pthread_mutex_t lock;
    pthread_cond_t heard;
    /* under the lock */
    struct message queue[LINK_QUEUE];
    unsigned n;
    bool hello, xl, ended, closing;
    uint32_t codecs;
    struct message failed;              /* type 0: it has not said so */
    int64_t last_ms;                    /* when it was heard last */
    const atomic_bool *cancel;          /* the user's wish, or NULL */
    /* read without it */
    atomic_int silence_ms;              /* 0, or how long it may be silent */
    atomic_bool broken;                 /* no use going on: it failed, ended or is silent */
};

/* Start @command and wait for the banner. */
int link_open(struct vane *v, const char *command, int timeout_ms, struct link *l) MUST_CHECK;
/* Close it and see the command end. */
void link_close(struct link *l);

/* Start listening. When *@cancel becomes true the link counts as broken. */
int link_listen(struct vane *v, struct link *l, const atomic_bool *cancel) MUST_CHECK;
/* What broke it was ours: from now on only silence of @silence_ms, or its end, breaks it. */
void link_again(struct link *l, int silence_ms);
/* Until the other side has shown that it is ours (0), or is xl, or is silent for so long (-ETIMEDOUT). */
int link_hello(struct link *l, int timeout_ms) MUST_CHECK;
/* The next message but ALIVE and HELLO: 0, -ETIMEDOUT, -EPIPE. xl's "ready" comes as a STATE. */
int link_next(struct link *l, int timeout_ms, struct message *m) MUST_CHECK;
/* Record why the link is broken; the target's own words if it had some. Returns the code. */
int link_blame(struct vane *v, struct link *l);

#endif
