/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rexec.c - run a command on another host of the rig over plain TCP, over a link that can fail
 *
 *   rexec HOST[:PORT] WORD...       run the words, joined, by the other host's shell
 *   rexec --listen PORT [FILE]      serve; commands write their errors where the server does
 *
 * Takes the place of ssh in `vane migrate -s rexec DOMAIN HOST`: the words are joined and given to a shell,
 * standard input and output are the connection. No authentication and no encryption: for the rig's
 * own network only.
 *
 * If FILE exists when a connection comes, it is removed and says what shall happen to this one connection:
 *
 *   WHAT WAY AT ARG STAGE   when byte AT passes "to" the command or "from" it, counted from the first piece that
 *                           comes when the receiver on this host has got to STAGE ("-": from the beginning)
 *
 *   cut          both ends see the connection close; the byte does not arrive
 *   hole         nothing passes any more, in either direction, and nobody is told
 *   corrupt      bit ARG of that byte is flipped
 *   delay        nothing passes for ARG milliseconds
 *   hold         nothing passes until FILE.go is there, which is removed
 *   duplicate    the next ARG bytes arrive twice
 *   run          FILE.sh is run by a shell while the byte waits
 *   none         nothing; to learn how much passes
 *
 * When it happens the server prints "fault TIME WHAT WAY AT" (domwatch.c has the same clock), and when such a
 * connection ends, "passed TIME TO FROM".
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PORT "7000"
#define LINE_BYTES 4096
#define CHUNK (1 << 16)
#define STAGES "/run/vane/migrating/*.target"   /* a JSON line each: docs/migration.md */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "rexec: %s: %s\n", what, strerror(errno));
    exit(255);                              /* as ssh: the connection's fault, not the command's */
}

/* As ssh and vane-tls do: a short message must not wait for the acknowledgement of the one before. */
static void at_once(int fd)
{
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int connected(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
    int fd, rc = getaddrinfo(host, port, &hints, &list);

    if (rc) {
        fprintf(stderr, "rexec: %s: %s\n", host, gai_strerror(rc));
        exit(255);
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0)
        fail(host);
    freeaddrinfo(list);
    at_once(fd);
    return fd;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EAGAIN)
            poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
        else if (w < 0 && errno != EINTR)
            return -1;
        if (w < 0)
            continue;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/*
 * Move what is there; false at the end of the input or when the other side is gone. splice() would wait for room in a socket
 * with the pipe's lock held, and who writes to the pipe would wait for that, O_NONBLOCK or not: the socket is a non-blocking one.
 */
static int forward(int from, int to)
{
    static char buf[CHUNK];
    struct pollfd room = { .fd = to, .events = POLLOUT };
    ssize_t n;

    if (poll(&room, 1, -1) < 0)
        return errno == EINTR;
    n = splice(from, NULL, to, NULL, CHUNK, SPLICE_F_MOVE);

    if (n < 0 && errno == EINVAL) {         /* neither is a pipe */
        n = read(from, buf, sizeof(buf));
        if (n > 0 && write_all(to, buf, (size_t)n) < 0)
            return 0;
    }
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int client(const char *where, char **words, int count)
{
    char line[LINE_BYTES] = "", *host = strdup(where), *port = host ? strchr(host, ':') : NULL;
    struct pollfd p[2] = { { .fd = 0, .events = POLLIN }, { .events = POLLIN } };
    size_t used = 0;
    int fd;

    for (int i = 0; i < count; i++) {
        used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", words[i], i + 1 < count ? " " : "\n");
        if (used >= sizeof(line)) {
            fprintf(stderr, "rexec: the command is too long\n");
            return 255;
        }
    }
    if (port)
        *port++ = '\0';
    fd = connected(host, port ? port : DEFAULT_PORT);
    if (write_all(fd, line, used) < 0)
        fail(host);
    p[1].fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            fail("poll");
        if (p[1].revents && !forward(fd, 1))
            return 0;
        if (p[0].revents && !forward(0, fd)) {
            p[0].fd = -1;
            shutdown(fd, SHUT_WR);
        }
    }
}

/* ---- the serving side: a link that can fail ---- */

struct fault {
    const char *file;
    char what[16], way[8], stage[8];
    uint64_t at;
    unsigned arg;
    int armed, happened;
    uint64_t since;                         /* bytes that had passed when it was armed */
};

/* True once: whoever removes the file has the fault. */
static int take_fault(const char *file, struct fault *f)
{
    FILE *in = file ? fopen(file, "r") : NULL;
    int n;

    if (!in)
        return 0;
    n = fscanf(in, "%15s %7s %" SCNu64 " %u %7s", f->what, f->way, &f->at, &f->arg, f->stage);
    fclose(in);
    f->file = file;
    f->armed = f->stage[0] == '-';
    return unlink(file) == 0 && n == 5;
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Has any receiver of this host written that it is at @stage? */
static int reached(const char *stage)
{
    char want[32], text[8192];
    int found = 0;
    glob_t g;

    snprintf(want, sizeof(want), "\"stage\":\"%s\"", stage);
    if (glob(STAGES, 0, NULL, &g))
        return 0;
    for (size_t i = 0; i < g.gl_pathc && !found; i++) {
        FILE *in = fopen(g.gl_pathv[i], "r");
        size_t n = in ? fread(text, 1, sizeof(text) - 1, in) : 0;

        text[n] = '\0';
        found = strstr(text, want) != NULL;
        if (in)
            fclose(in);
    }
    globfree(&g);
    return found;
}

static void wait_for_release(const char *file)
{
    struct timespec t = { 0, 10000000 };
    char go[256];

    snprintf(go, sizeof(go), "%s.go", file);
    while (unlink(go) < 0)
        nanosleep(&t, NULL);
}

static void run_script(const char *file)
{
    char command[256];

    snprintf(command, sizeof(command), "sh %s.sh </dev/null >/dev/null 2>&1", file);
    signal(SIGCHLD, SIG_DFL);
    if (system(command))                    /* what it does shows elsewhere */
        return;
}

/* @p is the byte of the fault, @n bytes are at hand. Returns 0 when the connection is lost. */
static int strike(struct fault *f, char *p, size_t n, int to)
{
    struct timespec t = { f->arg / 1000, f->arg % 1000 * 1000000l };

    f->happened = 1;
    printf("fault %" PRIu64 " %s %s %" PRIu64 "\n", now_us(), f->what, f->way, f->at);
    fflush(stdout);
    if (strcmp(f->what, "cut") == 0)
        return 0;
    if (strcmp(f->what, "hole") == 0)
        for (;;)
            pause();
    if (strcmp(f->what, "corrupt") == 0)
        *p = (char)(*p ^ 1 << f->arg % 8);
    else if (strcmp(f->what, "delay") == 0)
        nanosleep(&t, NULL);
    else if (strcmp(f->what, "hold") == 0)
        wait_for_release(f->file);
    else if (strcmp(f->what, "run") == 0)
        run_script(f->file);
    else if (strcmp(f->what, "duplicate") == 0)
        return write_all(to, p, n < f->arg ? n : f->arg) == 0;
    return 1;
}

/* Move what is there past the fault; 0 at the end of the input or of the connection. */
static int pass(int from, int to, const char *way, uint64_t *passed, struct fault *f)
{
    static char buf[CHUNK];
    ssize_t n = read(from, buf, sizeof(buf));
    size_t first, size;

    if (n <= 0)
        return n < 0 && errno == EINTR;
    size = (size_t)n;
    if (!f->armed && strcmp(way, f->way) == 0 && reached(f->stage)) {
        f->armed = 1;
        f->since = *passed;
    }
    if (f->armed && !f->happened && strcmp(way, f->way) == 0 && f->since + f->at < *passed + size) {
        first = (size_t)(f->since + f->at - *passed);
        if (write_all(to, buf, first) < 0 || !strike(f, buf + first, size - first, to) ||
            write_all(to, buf + first, size - first) < 0)
            return 0;
    } else if (write_all(to, buf, size) < 0) {
        return 0;
    }
    *passed += size;
    return 1;
}

static _Noreturn void relay(int connection, int to, int from, struct fault *f)
{
    struct pollfd p[2] = { { .fd = connection, .events = POLLIN }, { .fd = from, .events = POLLIN } };
    uint64_t passed[2] = { 0 };

    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[1].revents && !pass(from, connection, "from", &passed[1], f))
            break;
        if (p[0].revents && !pass(connection, to, "to", &passed[0], f)) {
            if (f->happened && strcmp(f->what, "cut") == 0)
                break;
            p[0].fd = -1;
            close(to);
        }
    }
    printf("passed %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", now_us(), passed[0], passed[1]);
    exit(0);
}

/* Put a relay that will fail between the connection and the command, which goes on in this process. */
static void insert_relay(int connection, struct fault *f)
{
    int in[2], out[2];
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        fail("relay");
    if (pid == 0) {
        close(in[0]);
        close(out[1]);
        relay(connection, in[1], out[0], f);
    }
    if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
        fail("dup2");
}

/* In a process of its own: the first line is the command, the rest belongs to it. */
static _Noreturn void serve(int fd, const char *fault_file)
{
    struct fault f = { .happened = 0 };
    char line[LINE_BYTES];
    size_t n = 0;

    while (n < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    if (n == sizeof(line) || n == 0 || line[n] != '\n')
        exit(1);
    line[n] = '\0';
    if (take_fault(fault_file, &f))
        insert_relay(fd, &f);
    else if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
        fail("dup2");
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    fail("/bin/sh");
}

static int daemon_loop(const char *port, const char *fault_file)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || getaddrinfo(NULL, port, &hints, &list) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, list->ai_addr, list->ai_addrlen) < 0 || listen(fd, 16) < 0)
        fail("cannot listen");
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        pid_t pid = c < 0 ? -1 : fork();

        if (pid == 0) {
            setsid();
            at_once(c);
            serve(c, fault_file);
        }
        if (c >= 0)
            close(c);
    }
}

int main(int argc, char **argv)
{
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "--listen") == 0)
        return daemon_loop(argv[2], argv[3]);
    if (argc < 3) {
        fprintf(stderr, "usage: rexec HOST[:PORT] WORD... | rexec --listen PORT [FILE]\n");
        return 255;
    }
    signal(SIGPIPE, SIG_IGN);
    return client(argv[1], argv + 2, argc - 2);
}
