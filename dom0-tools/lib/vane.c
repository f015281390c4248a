/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vane.c - the handle: connections, the recorded error, the log
 *
 *   I1  a connection is NULL or open; it is opened once and closed only by vane_close() or reopen.
 *   I2  the error describes the last failure; a success does not clear it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../store/pipe.h"
#include "handle.h"

/* Called by libxenctrl: keep errors as causes, pass everything on as debug output. */
static void logger_message(xentoollog_logger *l, xentoollog_level level, int errnoval,
                           const char *context, const char *format, va_list al)
{
    struct vane *v = ((struct vane_logger *)l)->v;
    char line[256];

    (void)context;
    vsnprintf(line, sizeof(line), format, al);
    if (level >= XTL_WARN) {
        snprintf(v->xc_said, sizeof(v->xc_said), "%.200s%s%.50s", line, errnoval > 0 ? ": " : "",
                 errnoval > 0 ? strerror(errnoval) : "");
    }
    vane_log(v, VANE_DEBUG, "xc: %s", line);
}

static void logger_progress(xentoollog_logger *l, const char *context, const char *doing, int percent,
                            unsigned long done, unsigned long total)
{
    (void)l;
    (void)context;
    (void)doing;
    (void)percent;
    (void)done;
    (void)total;
}

static void logger_destroy(xentoollog_logger *l)
{
    (void)l;
}

struct vane *vane_open(vane_log_fn *log, void *opaque)
{
    struct vane *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->log = log;
    v->opaque = opaque;
    v->logger.v = v;
    v->logger.vtable.vmessage = logger_message;
    v->logger.vtable.progress = logger_progress;
    v->logger.vtable.destroy = logger_destroy;
    return v;
}

void vane_close(struct vane *v)
{
    if (!v)
        return;
    if (v->calls)
        xencall_free_buffer(v->call, v->calls);
    if (v->call)
        xencall_close(v->call);
    if (v->fmem)
        xenforeignmemory_close(v->fmem);
    if (v->pipe)
        pipe_close(v->pipe);
    if (v->xs)
        xs_close(v->xs);
    if (v->xc)
        xc_interface_close(v->xc);
    free(v->names);
    free(v);
}

const struct vane_error *vane_last_error(const struct vane *v)
{
    return &v->err;
}

int vane_fail(struct vane *v, int code, const char *hint, const char *fmt, ...)
{
    va_list ap;

    v->err.code = code;
    va_start(ap, fmt);
    vsnprintf(v->err.what, sizeof(v->err.what), fmt, ap);
    va_end(ap);
    snprintf(v->err.hint, sizeof(v->err.hint), "%s", hint ? hint : "");
    return code;
}

int vane_fail_in(struct vane *v, const char *fmt, ...)
{
    char context[128], rest[sizeof(v->err.what)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    memcpy(rest, v->err.what, sizeof(rest));
    snprintf(v->err.what, sizeof(v->err.what), "%s: %.380s", context, rest);
    return v->err.code;
}

void vane_log(struct vane *v, enum vane_log_level level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    if (!v->log)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    v->log(v->opaque, level, line);
}

xc_interface *vane_xc(struct vane *v)
{
    if (!v->xc) {
        v->xc = xc_interface_open(&v->logger.vtable, &v->logger.vtable, 0);
        if (!v->xc)
            vane_fail(v, -ENODEV,
                      "run this as root in Dom0; is xenfs mounted and the module xen-privcmd loaded?",
                      "cannot open the hypervisor interface: %s", strerror(errno));
    }
    return v->xc;
}

struct xs_handle *vane_xs(struct vane *v)
{
    if (!v->xs) {
        v->xs = store_open();
        if (!v->xs)
            vane_fail(v, -ENODEV, "start xenstored (or the service xen) and try again",
                      "cannot connect to XenStore: %s", strerror(errno));
    }
    return v->xs;
}

bool vane_store_lives(struct vane *v)
{
    if (v->pipe)
        return pipe_lives(v->pipe);
    return !v->xs || xs_is_domain_introduced(v->xs, 0);     /* Dom0 always is: the question is whether somebody answers */
}

int vane_xs_reopen(struct vane *v)
{
    if (v->xs)
        xs_close(v->xs);
    v->xs = NULL;
    return vane_xs(v) ? 0 : -ENODEV;
}

xenforeignmemory_handle *vane_fmem(struct vane *v)
{
    if (!v->fmem) {
        v->fmem = xenforeignmemory_open(&v->logger.vtable, 0);
        if (!v->fmem)
            vane_fail(v, -ENODEV, "is the module xen-privcmd loaded?",
                      "cannot open guest memory access: %s", strerror(errno));
    }
    return v->fmem;
}

const char *vane_xc_said(const struct vane *v)
{
    return v->xc_said;
}

int64_t vane_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}
