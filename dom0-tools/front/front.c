/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front.c - the program `vane`: give a short command to the worker (daemon/worker.h), or execute vane-full
 *
 * Linked statically and without the library: the loader's work for the shared ones takes longer than a
 * create. Nothing is decided here but who does the work; when in doubt, vane-full does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../daemon/worker.h"

#define FULL "vane-full"
#define FULL_PATH "/usr/sbin/" FULL

extern char **environ;

/* What has an end soon and no business with the terminal. */
static const char *const short_commands[] = {
    "create", "destroy", "domid", "domname", "list", "pause", "rename", "unpause", "vm-list",
};
static const char *const short_options[] = { "--json", "--timing", "-p", "-q", "-l", "-v", "--long" };

static bool one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, list[i]) == 0)
            return true;
    }
    return false;
}

#define ONE_OF(word, list) one_of(word, list, sizeof(list) / sizeof((list)[0]))

static bool is_short(int argc, char **argv)
{
    const char *direct = NULL;

    for (char **e = environ; *e; e++) {
        if (strncmp(*e, "VANE_DIRECT=", 12) == 0)
            direct = *e + 12;
    }
    if ((direct && *direct) || argc < 2 || !ONE_OF(argv[1], short_commands))
        return false;
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] == '-' && !ONE_OF(argv[i], short_options))
            return false;
    }
    return true;
}

/* Append @n strings at @at; the new end, or 0 when they do not fit. */
static size_t put(char *buf, size_t at, char **list, uint32_t *n)
{
    for (*n = 0; at && list[*n]; ++*n) {
        size_t len = strlen(list[*n]) + 1;

        if (*n == WORKER_ARGS_MAX || len > WORKER_MESSAGE_MAX - at)
            return 0;
        memcpy(buf + at, list[*n], len);
        at += len;
    }
    return at;
}

static int dial(void)
{
    static const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = WORKER_SOCKET };
    int lock = open(WORKER_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600), fd;

    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)                     /* I1 of worker.h */
        return -1;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -1;
    return fd;
}

static bool hand_over(int fd, char **argv)
{
    static char buf[WORKER_MESSAGE_MAX];
    union {
        char space[CMSG_SPACE(WORKER_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct worker_request r = { 0 };
    struct iovec v = { buf, 0 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
                        .msg_controllen = sizeof(control) };
    int fds[WORKER_FDS] = { 0, 1, 2, open(".", O_PATH | O_DIRECTORY | O_CLOEXEC) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    v.iov_len = put(buf, put(buf, sizeof(r), argv, &r.argc), environ, &r.envc);
    if (v.iov_len == 0 || fds[WORKER_CWD] < 0)
        return false;
    r.umask = umask(0);
    umask((mode_t)r.umask);
    memcpy(buf, &r, sizeof(r));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(c), fds, sizeof(fds));
    return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)v.iov_len;             /* a closed descriptor: no */
}

static int say(const char *text)
{
    return write(2, text, strlen(text)) < 0 ? 126 : 1;
}

static int execute(char **argv)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(FULL));
    char *slash;

    if (n > 0) {
        path[n] = '\0';
        slash = strrchr(path, '/');
        memcpy(slash ? slash + 1 : path, FULL, sizeof(FULL));
        execv(path, argv);
    }
    execv(FULL_PATH, argv);
    return say("vane: cannot execute " FULL_PATH "\nhint: install it beside vane\n");
}

/* The worker's next word. False: it is gone. */
static bool hear(int fd, int32_t *word)
{
    ssize_t n;

    do {
        n = recv(fd, word, sizeof(*word), 0);
    } while (n < 0 && errno == EINTR);
    return n == sizeof(*word);
}

int main(int argc, char **argv)
{
    int32_t word;
    int fd = is_short(argc, argv) ? dial() : -1;

    if (fd < 0 || !hand_over(fd, argv) || !hear(fd, &word) || word != WORKER_STARTED)       /* I4 of worker.h */
        return execute(argv);
    if (!hear(fd, &word))
        return say("the command's process died\nhint: the next command cleans up what it left; vaned.log may say why\n");
    return word;
}
