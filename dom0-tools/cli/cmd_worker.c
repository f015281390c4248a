/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_worker.c - the process that runs short commands for `vane` (daemon/worker.h has the contract)
 *
 *   I1  while a command runs, SIGTERM (from vaned's end, too) waits: what was begun is finished.
 *   I2  nothing of a command is kept but the handle and its connections: descriptors, directory, environment,
 *       umask and options are the client's, and go with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../daemon/worker.h"
#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/names.h"
#include "cli.h"

struct job {
    char text[WORKER_MESSAGE_MAX + 1];
    char *argv[WORKER_ARGS_MAX + 1], *envp[WORKER_ARGS_MAX + 1];
    int argc;
    mode_t umask;
    int fd[WORKER_FDS];
};

static int client = -1;            /* who is served */

static bool answer(int32_t word)
{
    return send(client, &word, sizeof(word), MSG_NOSIGNAL) == sizeof(word);
}

static void on_term(int sig)
{
    (void)sig;
}

/* The reader of the output went away (`vane list | head -1`): the client ends as if it had got the signal. */
static void on_pipe(int sig)
{
    int32_t status = 128 + sig;

    if (client < 0 || !answer(status))
        _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
}

static int open_listener(struct vane *v)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = WORKER_SOCKET };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    unlink(WORKER_SOCKET);                  /* one vaned, one worker; an older one ends with its command */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
        chmod(WORKER_SOCKET, 0600) < 0 || listen(fd, 1) < 0)
        return vane_fail(v, -errno, NULL, "cannot listen on %s: %s", WORKER_SOCKET, strerror(errno));
    return fd;
}

/* @n strings from *at on, before @end. */
static bool take_strings(char **list, uint32_t n, char **at, char *end)
{
    for (uint32_t i = 0; i < n; i++) {
        list[i] = *at;
        if (*at >= end)
            return false;
        *at += strlen(*at) + 1;             /* the text ends in a zero: see take_job() */
    }
    list[n] = NULL;
    return *at <= end;
}

static bool take_job(struct job *j)
{
    union {
        char space[CMSG_SPACE(WORKER_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct worker_request r;
    struct iovec iov = { j->text, WORKER_MESSAGE_MAX };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(client, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    char *at = j->text + sizeof(r);

    for (unsigned i = 0; i < WORKER_FDS; i++)
        j->fd[i] = -1;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(j->fd)))
        return false;
    memcpy(j->fd, CMSG_DATA(c), sizeof(j->fd));
    if (n <= (ssize_t)sizeof(r) || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return false;
    memcpy(&r, j->text, sizeof(r));
    j->text[n] = '\0';
    if (r.argc < 2 || r.argc > WORKER_ARGS_MAX || r.envc > WORKER_ARGS_MAX)
        return false;
    j->argc = (int)r.argc;
    j->umask = r.umask & 0777;
    return take_strings(j->argv, r.argc, &at, j->text + n) && take_strings(j->envp, r.envc, &at, j->text + n);
}

/* I2 of worker.h. Where no signal can be queued any more the kernel sends SIGIO, which ends us too. */
static bool die_with_client(void)
{
    return fcntl(client, F_SETOWN, getpid()) == 0 && fcntl(client, F_SETSIG, SIGKILL) == 0 &&
           fcntl(client, F_SETFL, O_ASYNC) == 0;
}

static bool client_lives(void)
{
    struct pollfd p = { .fd = client, .events = POLLRDHUP };

    return poll(&p, 1, 0) == 0;
}

static int run_job(struct cli *c, struct job *j)
{
    extern char **environ;
    char **own = environ;
    int rc;

    for (int i = WORKER_IN; i <= WORKER_ERR; i++)
        dup2(j->fd[i], i);
    if (fchdir(j->fd[WORKER_CWD]) < 0)
        return cli_fail(c, NULL, "cannot work in this directory: %s", strerror(errno));
    environ = j->envp;
    umask(j->umask);
    optind = 0;                             /* getopt(3): start anew */
    rc = cli_run(c, j->argc, j->argv);
    fflush(NULL);
    environ = own;
    return rc;
}

static void forget(struct job *j, int null)
{
    for (int i = 0; i < WORKER_FDS; i++) {
        if (j->fd[i] >= 0)
            close(j->fd[i]);
    }
    for (int i = WORKER_IN; i <= WORKER_ERR; i++)
        dup2(null, i);
    if (chdir("/") < 0)
        exit(EXIT_FAILURE);
}

/* Whether to go on with another. */
static bool serve(struct cli *c, int null)
{
    static struct job j;
    int32_t status = WORKER_DECLINED;
    bool fresh = take_job(&j) && vane_store_lives(c->v) && die_with_client() && client_lives() && answer(WORKER_STARTED);

    if (fresh)
        status = run_job(c, &j);
    fcntl(client, F_SETFL, 0);
    forget(&j, null);
    if (!answer(status))
        status = WORKER_DECLINED;
    close(client);
    client = -1;
    if (status == 0)
        vaned_settle();
    return status == 0;                                                     /* I3 of worker.h */
}

int cmd_worker(struct cli *c, int argc, char **argv)
{
    struct sigaction term = { .sa_handler = on_term };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), listener;
    pid_t parent = getppid();
    sigset_t while_idle, blocked;
    bool go_on = true;

    if (argc != 1)
        return cli_usage(c, argv[0]);
    signal(SIGPIPE, on_pipe);
    signal(SIGHUP, SIG_DFL);                /* vaned ignores it */
    sigaction(SIGTERM, &term, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &while_idle);                          /* I1 */
    sigdelset(&while_idle, SIGTERM);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (!vane_xc(c->v) || !vane_xs(c->v) || !vane_fmem(c->v) || null < 0)
        return cli_error(c);
    listener = open_listener(c->v);
    if (listener < 0)
        return cli_error(c);
    names_keep(c->v);
    vaned_is_parent();
    while (go_on && getppid() == parent) {
        struct pollfd p = { .fd = listener, .events = POLLIN };

        if (ppoll(&p, 1, NULL, &while_idle) < 0)
            break;
        client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            go_on = serve(c, null);
    }
    return 0;
}
