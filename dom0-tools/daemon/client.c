/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - the command's side of vaned's socket */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/life.h"
#include "daemon.h"

#define START_MS 3000
#define LAST_BYTES 8192

static bool serves_consoles, is_parent, poke_waits;

static int dial(const char *request)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = strlen(request);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", VANED_SOCKET);
    if (fd >= 0 && (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
                    send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len ||
                    send(fd, "\n", 1, MSG_NOSIGNAL) != 1)) {
        int err = errno;

        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static bool ping(void)
{
    char answer[64] = "";
    int fd = dial("ping");
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n = 0;

    if (fd < 0)
        return false;
    if (poll(&p, 1, START_MS) > 0)
        n = read(fd, answer, sizeof(answer) - 1);
    close(fd);
    serves_consoles = n > 0 && strstr(answer, "consoles");
    return n > 0;
}

/* vaned stands beside this program, or in /usr/sbin; it puts itself into the background. */
static int start(struct vane *v)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
    char *argv[] = { path, NULL }, *slash;
    extern char **environ;
    posix_spawn_file_actions_t fa;
    int status = 0, rc;
    pid_t pid;

    if (n < 0)
        return -errno;
    path[n] = '\0';
    slash = strrchr(path, '/');
    snprintf(slash ? slash + 1 : path, 16, "vaned");
    if (access(path, X_OK) < 0)                     /* we run under another name, from another place */
        snprintf(path, sizeof(path), "/usr/sbin/vaned");
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    rc = posix_spawn(&pid, path, &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    if (rc != 0)
        return vane_fail(v, -rc, "install vaned beside vane", "cannot start %s: %s", path, strerror(rc));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return vane_fail(v, -EIO, "run it by hand to see why", "%s did not start", path);
    return 0;
}

int vaned_ensure(struct vane *v)
{
    int rc;

    if (is_parent || ping())
        return 0;
    rc = start(v);
    if (rc < 0) {
        vane_log(v, VANE_WARN, "%s; on_poweroff, on_reboot and on_crash will not be applied",
                 vane_last_error(v)->what);
        return rc;
    }
    return ping() ? 0 : vane_fail(v, -EIO, "see " VANE_LOG_DIR "/vaned.log", "vaned does not answer");
}

bool vaned_serves_consoles(void)
{
    return serves_consoles;
}

static void poke(void)
{
    int fd = dial("poke");

    if (fd >= 0)
        close(fd);
}

void vaned_poke(void)
{
    if (is_parent)
        poke_waits = true;
    else
        poke();
}

void vaned_is_parent(void)
{
    is_parent = serves_consoles = true;
}

void vaned_settle(void)
{
    if (poke_waits)
        poke();
    poke_waits = false;
}

int vaned_stream(struct vane *v, const char *request, FILE *out)
{
    char buf[4096];
    int fd = dial(request);
    ssize_t n;

    if (fd < 0)
        return vane_fail(v, -errno, "start vaned", "vaned does not answer: %s", strerror(errno));
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        fwrite(buf, 1, (size_t)n, out);
        fflush(out);
    }
    close(fd);
    return 0;
}

/* The end of a file, from a line's start on. */
static bool print_tail(const char *path, FILE *out)
{
    char buf[LAST_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    ssize_t n = 0;
    const char *from = buf;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0) {
        off_t at = st.st_size > LAST_BYTES ? st.st_size - LAST_BYTES : 0;

        n = pread(fd, buf, sizeof(buf), at);
        if (at > 0 && n > 0 && memchr(buf, '\n', (size_t)n))
            from = (const char *)memchr(buf, '\n', (size_t)n) + 1;
    }
    close(fd);
    for (const char *p = from; p < buf + n; p++)        /* a guest's escape codes stay in the log */
        if (*p != '\r')
            fputc(*p == '\n' || *p == '\t' || (unsigned char)*p >= ' ' ? *p : '?', out);
    return n >= 0;
}

int vaned_print_last(struct vane *v, const char *name, FILE *out)
{
    char path[512];
    bool any;

    if (strchr(name, '/'))
        return vane_fail(v, -EINVAL, NULL, "%s is no domain name", name);
    snprintf(path, sizeof(path), VANE_LOG_DIR "/%s.console", name);
    any = print_tail(path, out);
    snprintf(path, sizeof(path), VANE_LOG_DIR "/%s.death", name);
    any = print_tail(path, out) || any;
    return any ? 0 : vane_fail(v, -ENOENT, "vaned keeps consoles of domains created while it runs",
                               "nothing is kept of the console of %s", name);
}

int vaned_follow(struct vane *v, uint32_t domid)
{
    int rc;

    do {
        rc = vane_wait_down(v, domid, 1000 * 1000);
    } while (rc == -ETIMEDOUT);
    return rc;
}
