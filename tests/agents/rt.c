/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rt PRIORITY COMMAND [ARGUMENT]... - become COMMAND under the round-robin scheduler, as chrt -r does (a guest's busybox has none)
 *
 * Exit status: COMMAND's, or 125 when it could not be run so.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: rt PRIORITY COMMAND [ARGUMENT]...\n", stderr);
        return 125;
    }
    if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){ .sched_priority = atoi(argv[1]) }) == 0)
        execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 125;
}
