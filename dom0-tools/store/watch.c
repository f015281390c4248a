/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - watches that outlive the daemon's connection
 *
 *   I1  every watch in the list is set on the connection w->xs, or w->xs is NULL.
 *   I2  the strings handed out belong to w->event, one libxenstore allocation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipe.h"
#include "watch.h"

#define RETRY_MS 100                    /* between attempts to reach a daemon that is gone */
#define PROBE_MS 1000                   /* libxenstore does not wake a poller when it loses the
                                           daemon: ask it something after so long a silence */

struct watch {
    char *path, *token;
    struct watch *next;
};

struct watcher {
    struct xs_handle *xs;
    struct watch *list;
    char **event;
    unsigned losses;
    int64_t heard;                      /* when the daemon last gave a sign of life */
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct watcher *watcher_open(void)
{
    struct watcher *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->xs = store_open();
    if (!w->xs) {
        free(w);
        return NULL;
    }
    return w;
}

void watcher_close(struct watcher *w)
{
    while (w->list) {
        struct watch *next = w->list->next;

        free(w->list->path);
        free(w->list->token);
        free(w->list);
        w->list = next;
    }
    if (w->xs)
        xs_close(w->xs);
    free(w->event);
    free(w);
}

int watcher_add(struct watcher *w, const char *path, const char *token)
{
    struct watch *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    e->path = strdup(path);
    e->token = strdup(token);
    if (e->path && e->token && (!w->xs || xs_watch(w->xs, path, token))) {
        e->next = w->list;
        w->list = e;
        return 0;
    }
    free(e->path);
    free(e->token);
    free(e);
    return errno ? -errno : -ENOMEM;
}

void watcher_remove(struct watcher *w, const char *path, const char *token)
{
    struct watch **link = &w->list, *e;

    while (*link && (strcmp((*link)->path, path) || strcmp((*link)->token, token)))
        link = &(*link)->next;
    e = *link;
    if (!e)
        return;
    *link = e->next;
    if (w->xs)
        xs_unwatch(w->xs, path, token);
    free(e->path);
    free(e->token);
    free(e);
}

static int reconnect(struct watcher *w)
{
    if (w->xs)
        xs_close(w->xs);
    w->xs = store_open();
    if (!w->xs)
        return -errno;
    for (const struct watch *e = w->list; e; e = e->next) {
        if (!xs_watch(w->xs, e->path, e->token)) {
            int rc = -errno;

            xs_close(w->xs);
            w->xs = NULL;
            return rc;
        }
    }
    w->losses++;
    return 0;
}

/* 1 an event, 0 none yet, -errno the connection is gone. */
static int check(struct watcher *w)
{
    free(w->event);                                                                 /* I2 */
    w->event = xs_check_watch(w->xs);
    if (w->event)
        return 1;
    return errno == EAGAIN ? 0 : -errno;
}

static bool is_lost(struct watcher *w)
{
    char *home = xs_get_domain_path(w->xs, 0);

    free(home);
    w->heard = now_ms();
    return !home;
}

int watcher_next(struct watcher *w, int timeout_ms, const char **path, const char **token)
{
    int64_t end = now_ms() + timeout_ms;

    for (;;) {
        int64_t left = timeout_ms < 0 ? INT32_MAX : end - now_ms();
        struct pollfd p = { .events = POLLIN };
        int rc = w->xs ? check(w) : -ENOTCONN;

        if (rc == 1) {
            w->heard = now_ms();
            *path = w->event[XS_WATCH_PATH];
            *token = w->event[XS_WATCH_TOKEN];
            return 1;
        }
        if (rc < 0) {
            rc = reconnect(w);
            if (!rc)
                continue;
            if (left <= 0)
                return rc;
            usleep(1000 * (useconds_t)(left < RETRY_MS ? left : RETRY_MS));
            continue;
        }
        if (now_ms() - w->heard >= PROBE_MS && is_lost(w)) {
            xs_close(w->xs);
            w->xs = NULL;
            continue;
        }
        if (left <= 0)
            return 0;
        p.fd = xs_fileno(w->xs);
        if (poll(&p, 1, left < PROBE_MS ? (int)left : PROBE_MS) < 0 && errno == EINTR)
            return 0;
    }
}

struct xs_handle *watcher_xs(struct watcher *w)
{
    return w->xs;
}

unsigned watcher_losses(const struct watcher *w)
{
    return w->losses;
}

int watcher_fd(struct watcher *w)
{
    return w->xs ? xs_fileno(w->xs) : -1;
}
