/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - short commands run by a process that is there already
 *
 * Starting a program with its libraries and opening its connections takes longer than most commands have
 * work. So vaned keeps one `vane-full worker` with all of it done, and `vane` (front/front.c, static and
 * small) hands short commands to it: arguments, environment, umask, the three standard descriptors and the
 * working directory, in one message of a SOCK_SEQPACKET socket. The answer is WORKER_DECLINED, or WORKER_STARTED and
 * then the exit status; each is one int32_t. Whatever is in the way, the front executes vane-full itself.
 *
 *   I1  a client holds WORKER_LOCK from before it connects until it ends: a worker has one client at a time,
 *       and a second one never waits for it.
 *   I2  the worker dies with its client, at once: killing a command kills its work, and what a killed command
 *       leaves behind is what the marks in /run/vane/doing are for (lib/create.h).
 *   I3  a worker whose command failed ends: the next one gets a fresh process.
 *   I4  nothing is done before WORKER_STARTED: who connected to a worker that was about to end runs its command itself.
 */
#ifndef VANE_WORKER_H
#define VANE_WORKER_H

#include <stdint.h>

#define WORKER_SOCKET "/run/vane/worker.sock"
#define WORKER_LOCK   "/run/vane/worker.lock"
#define WORKER_MESSAGE_MAX 65536
#define WORKER_ARGS_MAX 256             /* arguments and environment, each */
#define WORKER_DECLINED (-1)
#define WORKER_STARTED (-2)

enum { WORKER_IN, WORKER_OUT, WORKER_ERR, WORKER_CWD, WORKER_FDS };

/* Then text[0..]: argc + envc strings, each with its terminator. */
struct worker_request {
    uint32_t argc, envc, umask;
};

#endif
