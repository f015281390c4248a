/* SPDX-License-Identifier: GPL-2.0-or-later */
/* workers.c - keep a worker (worker.h) ready. It ends with vaned, or after a command that failed. */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vaned.h"

#define PAUSE_MS 1000           /* between two starts: one that cannot start must not keep us busy */

static pid_t worker;
static int64_t started;

void workers_keep(void)
{
    char path[512], verb[] = "worker", *argv[] = { path, verb, NULL }, *slash;
    extern char **environ;
    ssize_t n;

    if (worker || (started && vane_now_ms() - started < PAUSE_MS))
        return;
    started = vane_now_ms();
    n = readlink("/proc/self/exe", path, sizeof(path) - 16);
    if (n < 0)
        return;
    path[n] = '\0';
    slash = strrchr(path, '/');
    snprintf(slash ? slash + 1 : path, 16, "vane-full");
    if (posix_spawn(&worker, path, NULL, NULL, argv, environ) != 0)
        worker = 0;
}

bool workers_reap(pid_t pid)
{
    if (pid != worker)
        return false;
    worker = 0;
    return true;
}
