/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.c - the life of a device, whatever its kind
 *
 *   I1  a device is known by its directory in /libxl; it is written in the same transaction as the
 *       other two and removed last, so a half-removed device is found again.
 *   I2  no decision depends on a node that the guest can write.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>
#include <xen/io/xenbus.h>

#include "../lib/paths.h"
#include "device.h"

/* Kinds we know how to remove; kinds other tools made are removed the same way. */
static const char *const kinds[] = {
    "vbd", "vif", "console", "qdisk", "vfb", "vkb", "9pfs", "pvcalls", "vtpm", "vusb", "pci",
};

void nodes_dir(struct nodes *n, enum store_perm perm, const char *path, ...)
{
    va_list ap;

    va_start(ap, path);
    vsnprintf(n->base, sizeof(n->base), path, ap);
    va_end(ap);
    if (n->rc >= 0)
        n->rc = store_put(n->v, n->t, perm, n->domid, n->base, "");
}

void nodes_put(struct nodes *n, const char *leaf, const char *fmt, ...)
{
    char path[384], value[1024];
    va_list ap;

    if (n->rc < 0)
        return;
    snprintf(path, sizeof(path), "%s/%s", n->base, leaf);
    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    n->rc = store_write(n->v, n->t, path, value);
}

int dev_list(struct vane *v, xs_transaction_t t, uint32_t domid, struct dev **out)
{
    struct dev *list = NULL;
    int total = 0;
    unsigned nk;
    char **have = store_list(v, t, &nk, PATH_LIBXL("device"), domid);

    for (unsigned i = 0; i < nk; i++) {
        const char *kind = NULL;
        char **devs;
        unsigned nd;

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            if (strcmp(kinds[k], have[i]) == 0)
                kind = kinds[k];
        }
        if (!kind)
            continue;
        devs = store_list(v, t, &nd, PATH_LIBXL_KIND, domid, kind);
        for (unsigned j = 0; j < nd; j++) {
            struct dev *more = realloc(list, ((size_t)total + 1) * sizeof(*list));

            if (!more)
                break;
            list = more;
            list[total++] = (struct dev){ domid, kind, (uint32_t)strtoul(devs[j], NULL, 10) };
        }
        free(devs);
    }
    free(have);
    *out = list;
    return total;
}

char *dev_backend_path(struct vane *v, xs_transaction_t t, const struct dev *d)
{
    return store_read(v, t, PATH_LIBXL_DEV "/backend", d->domid, d->kind, d->number);
}

bool dev_exists(struct vane *v, xs_transaction_t t, const struct dev *d)
{
    return store_exists(v, t, PATH_LIBXL_DEV, d->domid, d->kind, d->number);
}

/* ---- waiting for a back end ---- */

struct wait_arg {
    char *be;
    bool gone_counts;
    unsigned long min, max;
};

static int state_reached(struct vane *v, void *arg)
{
    const struct wait_arg *w = arg;
    unsigned long s = store_read_u(v, XBT_NULL, 0, "%s/state", w->be);

    if (s == 0 && w->gone_counts && !store_exists(v, XBT_NULL, "%s/state", w->be))
        return 1;
    return s >= w->min && s <= w->max;
}

static void backend_error(struct vane *v, const char *be, char *out, size_t len)
{
    const char *rel = strstr(be, "/backend/");
    char *e = rel ? store_read(v, XBT_NULL, "/local/domain/0/error%s/error", rel) : NULL;

    if (!e)
        e = store_read(v, XBT_NULL, "%s/hotplug-error", be);
    snprintf(out, len, "%s", e ? e : "");
    free(e);
}

int dev_wait_backend(struct vane *v, const struct dev *d)
{
    struct wait_arg w = { dev_backend_path(v, XBT_NULL, d), false, XenbusStateInitWait,
                          XenbusStateConnected };
    char path[300], why[200];
    int rc;

    if (!w.be)
        return vane_fail(v, -ENOENT, NULL, "%s %u has no back end", d->kind, d->number);
    snprintf(path, sizeof(path), "%s/state", w.be);
    rc = store_wait(v, path, DEV_INIT_MS, state_reached, &w);
    if (rc == -ETIMEDOUT) {
        backend_error(v, w.be, why, sizeof(why));
        vane_fail(v, rc, strcmp(d->kind, "vbd") == 0 ? "modprobe xen-blkback" : "modprobe xen-netback",
                  "the back end of %s %u did not start within %d s%s%s", d->kind, d->number,
                  DEV_INIT_MS / 1000, *why ? ": " : "", why);
    }
    free(w.be);
    return rc < 0 ? rc : 0;
}

/* ---- removal ---- */

struct close_arg {
    const struct dev *d;
    const char *be;
    bool force;
};

static int ask_to_close(struct vane *v, xs_transaction_t t, void *arg)
{
    const struct close_arg *c = arg;
    unsigned long state = store_read_u(v, t, XenbusStateClosed, "%s/state", c->be);
    char path[300];
    int rc = 0;

    if (c->force)                   /* without its front end a back end lets go at once */
        rc = store_remove(v, t, PATH_FRONTEND, c->d->domid, c->d->kind, c->d->number);
    /* asked already, or closed: writing the state again would undo the back end's answer */
    if (rc < 0 || state == XenbusStateClosing || state == XenbusStateClosed)
        return rc;
    snprintf(path, sizeof(path), "%s/online", c->be);
    rc = store_write(v, t, path, "0");
    snprintf(path, sizeof(path), "%s/state", c->be);
    return rc < 0 ? rc : store_writef(v, t, path, "%d", XenbusStateClosing);
}

static void run_remove_script(struct vane *v, const struct dev *d, const char *be)
{
    char *script = store_read(v, XBT_NULL, PATH_LIBXL_DEV "/script", d->domid, d->kind, d->number);
    char *vif = NULL;
    static const char *const vbd_args[] = { "remove", NULL };
    static const char *const vif_args[] = { "offline", "type_if=vif", NULL };
    bool is_vif = strcmp(d->kind, "vif") == 0;

    /* absent when we set the device up ourselves */
    if (script && *script) {
        char name[64];

        vif = store_read(v, XBT_NULL, "%s/vifname", be);
        snprintf(name, sizeof(name), "vif%u.%u", d->domid, d->number);
        if (hotplug_run(v, d, script, is_vif ? (vif ? vif : name) : NULL,
                        is_vif ? vif_args : vbd_args) < 0)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    }
    free(vif);
    free(script);
}

static void forget(struct vane *v, const struct dev *d, const char *be)
{
    const char *fe = strcmp(d->kind, "console") == 0 && d->number == 0 ? PATH_CONSOLE_ROOT : NULL;

    if (be)
        store_remove(v, XBT_NULL, "%s", be);
    if (fe)
        store_remove(v, XBT_NULL, PATH_CONSOLE_ROOT, d->domid);
    else
        store_remove(v, XBT_NULL, PATH_FRONTEND, d->domid, d->kind, d->number);
    store_remove(v, XBT_NULL, PATH_LIBXL_DEV, d->domid, d->kind, d->number);        /* I1: last */
}

/* Xenconsoled's devices have no state machine: there is nothing to wait for. */
static bool has_kernel_backend(const struct dev *d)
{
    return strcmp(d->kind, "console") != 0;
}

int dev_remove(struct vane *v, const struct dev *d, bool force)
{
    struct wait_arg w = { dev_backend_path(v, XBT_NULL, d), true, XenbusStateClosed,
                          XenbusStateClosed };
    struct close_arg c = { d, w.be, force };
    char path[300];
    int rc = 0;

    if (w.be && has_kernel_backend(d)) {
        rc = store_transaction(v, ask_to_close, &c);
        snprintf(path, sizeof(path), "%s/state", w.be);
        if (rc == 0)
            rc = store_wait(v, path, DEV_DESTROY_MS, state_reached, &w);
        if (rc == -ETIMEDOUT && !force) {
            free(w.be);
            return vane_fail(v, -EBUSY, "unmount or take it down in the guest, or use --force",
                             "the guest still uses %s %u", d->kind, d->number);
        }
        if (rc == -ETIMEDOUT)
            vane_log(v, VANE_WARN, "the back end of %s %u did not close in time", d->kind,
                     d->number);
        run_remove_script(v, d, w.be);
    }
    forget(v, d, w.be);
    free(w.be);
    return 0;
}

void dev_remove_all(struct vane *v, uint32_t domid)
{
    struct dev *list;
    int n = dev_list(v, XBT_NULL, domid, &list);

    for (int i = 0; i < n; i++) {           /* ask all, then wait for each: they close in parallel */
        char *be = dev_backend_path(v, XBT_NULL, &list[i]);
        struct close_arg c = { &list[i], be, true };

        if (be && has_kernel_backend(&list[i]) && store_transaction(v, ask_to_close, &c) < 0)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
        free(be);
    }
    for (int i = 0; i < n; i++) {
        if (dev_remove(v, &list[i], true) < 0)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    }
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        if (n > 0) {
            store_remove(v, XBT_NULL, PATH_BACKEND_PARENT, 0u, kinds[k], domid);
            store_remove(v, XBT_NULL, PATH_BACKEND_ERROR, kinds[k], domid);
        }
    }
    free(list);
}
