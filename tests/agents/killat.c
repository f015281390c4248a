/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * killat N COMMAND [ARGUMENT]... - run COMMAND and SIGKILL it when it enters its N-th system call
 *
 * Between two system calls a program changes nothing that outlives it, so N = 1, 2, ... visits every state
 * that a killed command can leave behind. Children of COMMAND are not followed. N = 0 kills nothing.
 *
 * Prints "killed at N" or "ended after CALLS with STATUS". Exit status 0; 125 when it cannot be run.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
    fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
    return 125;
}

int main(int argc, char **argv)
{
    unsigned long at, calls = 0;
    int status, deliver = 0, entering = 1;
    pid_t pid;

    if (argc < 3) {
        fprintf(stderr, "usage: killat N COMMAND [ARGUMENT]...\n");
        return 125;
    }
    at = strtoul(argv[1], NULL, 10);
    pid = fork();
    if (pid < 0)
        return fail("fork");
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execvp(argv[2], argv + 2);
        _exit(fail(argv[2]));
    }
    if (waitpid(pid, &status, 0) < 0)
        return fail("waitpid");
    if (!WIFSTOPPED(status))
        return 125;                     /* the child has said why */
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
               PTRACE_O_EXITKILL)) < 0)
        return fail("cannot trace");
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)deliver) < 0 || waitpid(pid, &status, 0) < 0)
            return fail("cannot trace");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            printf("ended after %lu with %d\n", calls, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
            return 0;
        }
        if (status >> 16)
            continue;                   /* it executes another program (vane: vane-full), inside that call */
        deliver = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
        if (deliver)
            continue;
        if (entering && ++calls == at) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            printf("killed at %lu\n", at);
            return 0;
        }
        entering = !entering;
    }
}
