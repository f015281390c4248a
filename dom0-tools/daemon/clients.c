/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clients.c - vaned's socket: one request a connection, one line each (daemon.h)
 *
 *   I1  a client that does not read is dropped; it never makes the loop wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"
#include "metrics.h"
#include "vaned.h"

#define MAX_CLIENTS 64
#define EVENT_LOG_MAX (1 << 20)

struct client {
    int fd;
    bool listening;             /* gets events */
    char line[256];
    size_t n;
};

static struct client clients[MAX_CLIENTS];
static int listener = -1;

int clients_init(struct vane *v)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    for (unsigned i = 0; i < MAX_CLIENTS; i++)
        clients[i].fd = -1;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", VANED_SOCKET);
    unlink(VANED_SOCKET);               /* the lock says that no other vaned uses it */
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
        chmod(VANED_SOCKET, 0600) < 0 || listen(listener, 16) < 0)
        return vane_fail(v, -errno, NULL, "cannot listen on %s: %s", VANED_SOCKET, strerror(errno));
    return 0;
}

static void drop(struct client *c)
{
    close(c->fd);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

void clients_event(const char *line)
{
    int fd = open(VANE_LOG_DIR "/events.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;
    size_t n = strlen(line);

    if (fd >= 0) {
        if (fstat(fd, &st) == 0 && st.st_size > EVENT_LOG_MAX)
            rename(VANE_LOG_DIR "/events.log", VANE_LOG_DIR "/events.log.old");
        if (write(fd, line, n) < 0)
            fprintf(stderr, "events.log: %s\n", strerror(errno));
        close(fd);
    }
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        if (clients[i].fd >= 0 && clients[i].listening &&
            send(clients[i].fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
            drop(&clients[i]);                                                      /* I1 */
    }
}

static void answer(struct vane *v, struct client *c)
{
    static const char ok[] = "ok consoles\n";

    if (strcmp(c->line, "events") == 0) {
        watch_state(v, c->fd);
        c->listening = true;
        return;
    }
    if (strcmp(c->line, "ping") == 0) {
        if (send(c->fd, ok, sizeof(ok) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            c->n = 0;
    } else if (strcmp(c->line, "state") == 0) {
        watch_state(v, c->fd);
    } else if (strcmp(c->line, "poke") == 0) {
        watch_scan(v);
    }
    drop(c);
}

static void read_request(struct vane *v, struct client *c)
{
    ssize_t n = recv(c->fd, c->line + c->n, sizeof(c->line) - 1 - c->n, MSG_DONTWAIT);
    char *nl;

    if (n <= 0 || c->listening) {
        if (n == 0 || errno != EAGAIN)
            drop(c);
        return;
    }
    c->n += (size_t)n;
    c->line[c->n] = '\0';
    nl = strchr(c->line, '\n');
    if (nl) {
        *nl = '\0';
        answer(v, c);
    } else if (c->n == sizeof(c->line) - 1) {
        drop(c);
    }
}

void clients_poll_add(struct pollset *p)
{
    pollset_add(p, listener, POLLIN);
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        if (clients[i].fd >= 0)
            pollset_add(p, clients[i].fd, POLLIN);
    }
}

void clients_poll(struct vane *v, const struct pollset *p)
{
    if (pollset_events(p, listener)) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        for (unsigned i = 0; fd >= 0 && i < MAX_CLIENTS; i++) {
            if (clients[i].fd < 0) {
                clients[i] = (struct client){ .fd = fd };
                fd = -1;
            }
        }
        if (fd >= 0)
            close(fd);
    }
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        if (clients[i].fd >= 0 && pollset_events(p, clients[i].fd))
            read_request(v, &clients[i]);
    }
}
