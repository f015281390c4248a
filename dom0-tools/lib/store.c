/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.c - XenStore access
 *
 *   I1  a value read is copied once and bounded by the protocol (4096 bytes); callers judge it.
 *   I2  a transaction that fails is ended (aborted) before the function returns.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../store/contract.h"
#include "handle.h"
#include "store.h"

#define PATH_MAX_LEN 512
#define TXN_TRIES 100

#define FORMAT_PATH(buf, path)                         \
    do {                                               \
        va_list ap_;                                   \
        va_start(ap_, path);                           \
        vsnprintf(buf, sizeof(buf), path, ap_);        \
        va_end(ap_);                                   \
    } while (0)

int64_t vane_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

char *store_read(struct vane *v, xs_transaction_t t, const char *path, ...)
{
    char p[PATH_MAX_LEN];

    FORMAT_PATH(p, path);
    return vane_xs(v) ? xs_read(v->xs, t, p, NULL) : NULL;
}

unsigned long store_read_u(struct vane *v, xs_transaction_t t, unsigned long otherwise,
                           const char *path, ...)
{
    char p[PATH_MAX_LEN], *s, *end;
    unsigned long r;

    FORMAT_PATH(p, path);
    s = vane_xs(v) ? xs_read(v->xs, t, p, NULL) : NULL;
    if (!s)
        return otherwise;
    errno = 0;
    r = strtoul(s, &end, 10);
    if (!isdigit((unsigned char)s[0]) || *end || errno)
        r = otherwise;
    free(s);
    return r;
}

bool store_exists(struct vane *v, xs_transaction_t t, const char *path, ...)
{
    char p[PATH_MAX_LEN], *s;

    FORMAT_PATH(p, path);
    s = vane_xs(v) ? xs_read(v->xs, t, p, NULL) : NULL;
    free(s);
    return s != NULL;
}

char **store_list(struct vane *v, xs_transaction_t t, unsigned *n, const char *path, ...)
{
    char p[PATH_MAX_LEN], **r;

    FORMAT_PATH(p, path);
    *n = 0;
    r = vane_xs(v) ? xs_directory(v->xs, t, p, n) : NULL;
    if (!r)
        *n = 0;
    return r;
}

static int fail_write(struct vane *v, const char *what, const char *path)
{
    int err = errno ? errno : EIO;

    return vane_fail(v, -err, err == ENOSPC ? "the XenStore quota is used up: xenstored -h, option -N"
                                            : NULL,
                     "cannot %s %s in XenStore: %s", what, path, strerror(err));
}

int store_write(struct vane *v, xs_transaction_t t, const char *path, const char *value)
{
    char why[256];
    const char *breach;

    if (!vane_xs(v))
        return vane_last_error(v)->code;
    breach = store_contract_breach(path, value, why, sizeof(why));
    if (breach)                             /* our own mistake: say so, and go on */
        vane_log(v, VANE_WARN, "%s", breach);
    if (!xs_write(v->xs, t, path, value, (unsigned)strlen(value)))
        return fail_write(v, "write", path);
    return 0;
}

int store_writef(struct vane *v, xs_transaction_t t, const char *path, const char *fmt, ...)
{
    char value[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    return store_write(v, t, path, value);
}

int store_put(struct vane *v, xs_transaction_t t, enum store_perm perm, uint32_t domid,
              const char *path, const char *value)
{
    struct xs_permissions p[2] = {
        { .id = 0, .perms = XS_PERM_NONE },
        { .id = domid, .perms = XS_PERM_READ },
    };
    unsigned n = perm == STORE_DOM0 ? 1 : 2;
    int rc;

    if (perm == STORE_GUEST_OWNS) {         /* the first entry names the owner */
        p[0].id = domid;
        p[1].id = 0;
    }
    rc = store_write(v, t, path, value);
    if (rc < 0)
        return rc;
    if (!xs_set_permissions(v->xs, t, path, p, n))
        return fail_write(v, "set permissions of", path);
    return 0;
}

int store_remove(struct vane *v, xs_transaction_t t, const char *path, ...)
{
    char p[PATH_MAX_LEN];

    FORMAT_PATH(p, path);
    if (!vane_xs(v))
        return vane_last_error(v)->code;
    if (!xs_rm(v->xs, t, p) && errno != ENOENT)
        return fail_write(v, "remove", p);
    return 0;
}

int store_transaction(struct vane *v, store_txn_fn *body, void *arg)
{
    if (!vane_xs(v))
        return vane_last_error(v)->code;
    for (int i = 0; i < TXN_TRIES; i++) {
        xs_transaction_t t = xs_transaction_start(v->xs);
        int rc;

        if (t == XBT_NULL)
            return vane_fail(v, -errno, "too many XenStore transactions at once? try again",
                             "cannot start a XenStore transaction: %s", strerror(errno));
        rc = body(v, t, arg);
        if (rc < 0) {
            xs_transaction_end(v->xs, t, true);                 /* I2 */
            return rc;
        }
        if (xs_transaction_end(v->xs, t, false))
            return rc;
        if (errno != EAGAIN)
            return vane_fail(v, -errno, NULL, "XenStore refused a transaction: %s", strerror(errno));
    }
    return vane_fail(v, -EAGAIN, "something rewrites the same XenStore nodes all the time",
                     "a XenStore transaction met %d conflicts in a row", TXN_TRIES);
}

int store_wait(struct vane *v, const char *path, int timeout_ms, store_done_fn *done, void *arg)
{
    char token[] = "vane-wait";
    int64_t deadline = vane_now_ms() + timeout_ms;
    int rc = done(v, arg);

    if (rc != 0)
        return rc;
    if (!xs_watch(v->xs, path, token))
        return vane_fail(v, -errno, NULL, "cannot watch %s: %s", path, strerror(errno));
    while ((rc = done(v, arg)) == 0) {
        struct pollfd pfd = { .fd = xs_fileno(v->xs), .events = POLLIN };
        int64_t left = deadline - vane_now_ms();
        char **event;

        if (left <= 0) {
            rc = -ETIMEDOUT;
            break;
        }
        if (poll(&pfd, 1, (int)left) > 0) {
            while ((event = xs_check_watch(v->xs)) != NULL)
                free(event);
            if (errno != EAGAIN) {
                rc = vane_fail(v, -EIO, "is xenstored running?", "XenStore closed the connection");
                break;
            }
        }
    }
    xs_unwatch(v->xs, path, token);
    return rc;
}
