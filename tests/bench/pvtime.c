// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pvtime COMMAND [ARGUMENT...] - how long a command takes and how much memory it has resident at most
 *
 * The last line printed is "pvtime US KIB STATUS". Measured where the command runs, so that neither the serial
 * line nor a shell's start counts.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    extern char **environ;
    struct rusage use;
    int64_t start = now_us(), took;
    int status, rc;
    pid_t pid;

    if (argc < 2) {
        fprintf(stderr, "usage: pvtime COMMAND [ARGUMENT...]\n");
        return 2;
    }
    rc = posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ);
    if (rc != 0) {
        fprintf(stderr, "pvtime: %s: %s\n", argv[1], strerror(rc));
        return 127;
    }
    if (wait4(pid, &status, 0, &use) != pid) {
        perror("pvtime: wait4");
        return 1;
    }
    took = now_us() - start;
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    printf("pvtime %lld %ld %d\n", (long long)took, use.ru_maxrss, status);
    return status;
}
