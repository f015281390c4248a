/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - vane-tls: guests travel over TLS
 *
 *   vane-tls connect HOST PORT        standard input and output become the connection (a transport of
 *                                     `vane migrate`, as ssh is)
 *   vane-tls listen ADDRESS PORT      each sender that proves who it is gets a `vane migrate-receive`
 *
 * What a stranger sends is read by a process of nobody; `vane migrate-receive` is started by another one, of root, once
 * that one says that the sender has a right certificate.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls.h"

#define MAX_SESSIONS 16
#define VANE "/usr/sbin/vane"

static const char *dir(void)
{
    const char *d = secure_getenv("VANE_TLS_DIR");

    return d ? d : TLS_DIR;
}

/* A peer that is gone is noticed within half a minute. */
static void keep_alive(int fd)
{
    int one = 1, idle = 10, every = 5, count = 4;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int dial(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *a;
    char name[256];
    size_t n = strlen(host);
    int fd = -1, rc;

    snprintf(name, sizeof(name), "%.*s", *host == '[' && n > 2 ? (int)n - 2 : (int)n, host + (*host == '['));
    rc = getaddrinfo(name, port, &hints, &list);
    if (rc != 0) {
        fprintf(stderr, "vane-tls: %s: %s\n", host, gai_strerror(rc));
        return -1;
    }
    for (a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        fprintf(stderr, "vane-tls: cannot connect to %s port %s: %s\n", host, port, strerror(errno));
    return fd;
}

static int connect_to(const char *host, const char *port)
{
    SSL_CTX *ctx = tls_context(dir(), false);
    int fd = ctx ? dial(host, port) : -1, rc = 1;
    SSL *ssl;

    if (fd < 0 || !tls_drop_privileges())
        return 1;
    keep_alive(fd);
    ssl = tls_handshake(ctx, fd, host);
    if (ssl)
        rc = tls_relay(ssl, 0, 1);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return rc;
}

/* ---- the listener ---- */

/* As nobody: the handshake, a word to the session, then bytes until the end. */
static int serve_stranger(SSL_CTX *ctx, int fd, int in, int out, int verdict)
{
    char file[256], name[128];
    FILE *allow;
    SSL *ssl;
    bool all, ok;

    snprintf(file, sizeof(file), "%s/allow", dir());
    allow = fopen(file, "re");                      /* nobody could not */
    all = !allow && errno == ENOENT;
    ssl = tls_drop_privileges() && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? tls_handshake(ctx, fd, NULL) : NULL;
    if (!ssl)
        return 1;
    tls_peer_name(ssl, name, sizeof(name));
    ok = all || (allow && tls_allowed(allow, ssl));
    fprintf(stderr, "vane-tls: %s %s\n", name, ok ? "sends" : "is not among those allowed to send");
    if (!ok || write(verdict, "y", 1) != 1)
        return 1;
    close(verdict);
    return tls_relay(ssl, in, out);
}

/* A process a connection. Does not return. */
static void session(int fd)
{
    SSL_CTX *ctx = tls_context(dir(), true);        /* read anew: certificates are renewed */
    int to[2], from[2], verdict[2];
    struct pollfd p;
    char yes = 0;
    pid_t pid;

    keep_alive(fd);
    if (!ctx || pipe(to) < 0 || pipe(from) < 0 || pipe(verdict) < 0 || (pid = fork()) < 0)
        _exit(1);
    if (pid == 0) {
        close(to[0]);
        close(from[1]);
        close(verdict[0]);
        _exit(serve_stranger(ctx, fd, from[0], to[1], verdict[1]));
    }
    close(fd);
    close(to[1]);
    close(from[0]);
    close(verdict[1]);
    p = (struct pollfd){ verdict[0], POLLIN, 0 };
    if (poll(&p, 1, TLS_HANDSHAKE_MS + 5000) != 1 || read(verdict[0], &yes, 1) != 1 || yes != 'y') {
        kill(pid, SIGKILL);
        _exit(1);
    }
    pid = fork();
    if (pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        for (int i = 3; i < 32; i++)
            close(i);
        signal(SIGPIPE, SIG_DFL);
        signal(SIGCHLD, SIG_DFL);
        execl(VANE, "vane", "migrate-receive", (char *)NULL);
        fprintf(stderr, "vane-tls: cannot run " VANE ": %s\n", strerror(errno));
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    while (wait(NULL) > 0 || errno == EINTR)        /* both: what the receiver says last still travels */
        ;
    _exit(0);
}

static int listen_at(const char *address, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *a;
    SSL_CTX *ctx = tls_context(dir(), true);        /* to say now what is wrong with them */
    int fd, one = 1, rc = ctx ? getaddrinfo(address, port, &hints, &a) : 0;
    unsigned sessions = 0;

    if (!ctx)
        return 1;
    SSL_CTX_free(ctx);
    if (rc != 0) {
        fprintf(stderr, "vane-tls: %s port %s: %s\n", address, port, gai_strerror(rc));
        return 1;
    }
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 16) < 0) {
        fprintf(stderr, "vane-tls: cannot listen at %s port %s: %s\n", address, port, strerror(errno));
        return 1;
    }
    fprintf(stderr, "vane-tls: listening at %s port %s\n", address, port);
    for (;;) {
        int c = accept(fd, NULL, NULL);
        pid_t pid;

        while (sessions && waitpid(-1, NULL, WNOHANG) > 0)
            sessions--;
        if (c < 0)
            continue;
        pid = sessions < MAX_SESSIONS ? fork() : -1;
        if (pid == 0) {
            close(fd);
            session(c);
        }
        if (pid > 0)
            sessions++;
        else
            fprintf(stderr, "vane-tls: too many connections: one is refused\n");
        close(c);
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "connect") == 0)
        return connect_to(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "listen") == 0)
        return listen_at(argv[2], argv[3]);
    fprintf(stderr, "Usage: vane-tls connect HOST PORT | listen ADDRESS PORT\n");
    return 2;
}
