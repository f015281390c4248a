/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device.c - the life of a device, whatever its kind
 *
 *   I1  a device is known by its directory in /libxl; it is written in the same transaction as the
 *       other two and removed last, so a half-removed device is found again.
 *   I2  no decision depends on a node that the guest can write.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/xenbus.h>

#include "device.h"

/* A kind's name that outlives the list it came from; NULL for what the schema does not know. */
static const char *known_kind(const char *name)
{
    const struct store_type *t = &store_types[STORE_TYPE_DEVKIND];

    for (uint64_t i = 0; i <= t->hi; i++) {
        if (strcmp(t->words[i], name) == 0)
            return t->words[i];
    }
    return NULL;
}

static int add_kind(struct store_io *io, uint32_t domid, const char *kind, struct dev **list, int total)
{
    char path[STORE_PATH_MAX];
    unsigned n;
    char **devs;

    store_path_libxl_device_kind(path, sizeof(path), domid, kind);
    devs = store_xs_list(io, path, &n);
    for (unsigned i = 0; i < n; i++) {
        struct dev *more = realloc(*list, ((size_t)total + 1) * sizeof(**list));

        if (!more)
            break;
        *list = more;
        more[total++] = (struct dev){ domid, kind, (uint32_t)strtoul(devs[i], NULL, 10) };
    }
    free(devs);
    return total;
}

int dev_list(struct store_io *io, uint32_t domid, struct dev **out)
{
    char path[STORE_PATH_MAX];
    int total = 0;
    unsigned n;
    char **have;

    *out = NULL;
    store_path_libxl_device(path, sizeof(path), domid);
    have = store_xs_list(io, path, &n);
    for (unsigned i = 0; i < n; i++) {
        const char *kind = known_kind(have[i]);

        if (kind)
            total = add_kind(io, domid, kind, out, total);
    }
    free(have);
    return total;
}

bool dev_backend_path(struct store_io *io, const struct dev *d, char path[STORE_PATH_MAX])
{
    return store_get_libxl_dev_backend(io, d->domid, d->kind, d->number, path, STORE_PATH_MAX) > 0;
}

bool dev_exists(struct store_io *io, const struct dev *d)
{
    char path[STORE_PATH_MAX];

    store_path_libxl_dev(path, sizeof(path), d->domid, d->kind, d->number);
    return store_xs_exists(io, path);
}

bool dev_is_unbound(const struct dev *d)
{
    char path[128];
    int n = snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/%s-%u-%u", d->kind, d->domid, d->number);

    if (access(path, F_OK) < 0)
        return false;
    snprintf(path + n, sizeof(path) - (size_t)n, "/driver");
    return access(path, F_OK) < 0;
}

/* The kernel's view, not XenStore's: whoever asks often must not take the daemon's time. */
static bool is_connected(const char *name)
{
    char path[300], state[16] = "";
    int fd;

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/%.255s/state", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;                            /* gone meanwhile */
    if (read(fd, state, sizeof(state) - 1) < 0)
        state[0] = '\0';
    close(fd);
    return strncmp(state, "Connected", 9) == 0;
}

bool dev_all_connected(uint32_t domid)
{
    DIR *dir = opendir("/sys/bus/xen-backend/devices");
    struct dirent *e;
    bool all = true;

    while (dir && all && (e = readdir(dir)) != NULL) {
        unsigned of, number;

        if (sscanf(e->d_name, "%*[^-]-%u-%u", &of, &number) == 2 && of == domid)
            all = is_connected(e->d_name);
    }
    if (dir)
        closedir(dir);
    return all;
}

/* ---- waiting for a back end ---- */

struct wait_arg {
    char state[STORE_PATH_MAX];     /* path of the back end's state */
    bool gone_counts;
    uint64_t min, max;
};

static bool read_state(struct store_io *io, const char *path, uint64_t *state)
{
    char text[8];
    int len = store_io_read(io, path, text, sizeof(text));

    return len > 0 && (size_t)len <= sizeof(text) &&
           store_value_uint(STORE_TYPE_STATE, text, (size_t)len, state) == 0;
}

static int state_reached(struct vane *v, void *arg)
{
    const struct wait_arg *w = arg;
    uint64_t s;

    if (!read_state(vane_store(v), w->state, &s))
        return w->gone_counts && !store_xs_exists(vane_store(v), w->state);
    return s >= w->min && s <= w->max;
}

/* How long to wait for a back end: a driver that is not there may still be loaded by the kernel's event. */
static int patience(const struct dev *d)
{
    char path[64];

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/drivers/%s", d->kind);
    return access(path, F_OK) == 0 ? DEV_INIT_MS : DEV_NO_DRIVER_MS;
}

/* The error for a back end that did not do @what, with what it says itself. */
static int no_backend(struct vane *v, const struct dev *d, const char *what, int64_t since)
{
    struct store_io *io = vane_store(v);
    char why[200] = "";

    if (store_get_be_error_error(io, 0, d->kind, d->domid, d->number, why, sizeof(why)) <= 0 &&
        store_get_dev_be_hotplug_error(io, 0, d->kind, d->domid, d->number, why, sizeof(why)) <= 0)
        why[0] = '\0';
    return vane_fail(v, -ETIMEDOUT, strcmp(d->kind, "vbd") == 0
                         ? "modprobe xen-blkback; dmesg says why it refused"
                         : "modprobe xen-netback; dmesg says why it refused",
                     "the back end of %s %u did not %s within %d s%s%s", d->kind, d->number, what,
                     (int)((vane_now_ms() - since) / 1000), *why ? ": " : "", why);
}

int dev_wait_backend(struct vane *v, const struct dev *d)
{
    struct wait_arg w = { .min = XenbusStateInitWait, .max = XenbusStateConnected };
    int64_t since = vane_now_ms();
    int rc;

    store_path_dev_be_state(w.state, sizeof(w.state), 0, d->kind, d->domid, d->number);
    rc = store_wait(v, w.state, patience(d), state_reached, &w);
    return rc == -ETIMEDOUT ? no_backend(v, d, "start", since) : rc < 0 ? rc : 0;
}

int dev_wait_kernel(struct vane *v, const struct dev *d, bool (*done)(const struct dev *d, const char *arg),
                    const char *arg, const char *what)
{
    /* A driver that cannot do it closes. XenStore is asked now and then only: mostly this takes some milliseconds. */
    struct wait_arg closed = { .min = XenbusStateClosing, .max = XenbusStateClosed };
    int64_t since = vane_now_ms(), asked = since;

    store_path_dev_be_state(closed.state, sizeof(closed.state), 0, d->kind, d->domid, d->number);
    while (!done(d, arg)) {
        int64_t now = vane_now_ms();

        if (now - asked > 500) {
            if (now - since > patience(d) || state_reached(v, &closed))
                return no_backend(v, d, what, since);
            asked = now;
        }
        usleep(1000);
    }
    return 0;
}

/* ---- removal ---- */

static void put_below(struct store_io *io, const char *dir, unsigned id, uint64_t n)
{
    char path[STORE_PATH_MAX], num[STORE_NUM_MAX];
    const char *text = store_value_text(store_paths[id].type, n, num);
    int rc = store_below(path, sizeof(path), dir, id);

    if (rc > 0)
        rc = store_io_write(io, path, text, strlen(text));
    if (rc < 0)
        store_io_failed(io, path, rc);
}

/* A device on its way out. */
struct leaving {
    struct dev d;
    char be[STORE_PATH_MAX];        /* path of its back end, "" when nobody knows it */
};

struct close_arg {
    const struct leaving *list;
    int n;
    bool force;
};

/* Xenconsoled's devices have no state machine, and nobody has an unbound one: there is nothing to ask or to wait for. */
static bool is_asked(const struct leaving *l)
{
    return l->be[0] && strcmp(l->d.kind, "console") != 0 && !dev_is_unbound(&l->d);
}

/* store_transaction() reports the first error. */
static int ask_to_close(struct vane *v, struct store_io *io, void *arg)
{
    const struct close_arg *c = arg;

    (void)v;
    for (int i = 0; i < c->n; i++) {
        const struct leaving *l = &c->list[i];
        uint64_t state = XenbusStateClosed;
        char path[STORE_PATH_MAX];

        if (!is_asked(l))
            continue;
        if (c->force) {             /* without its front end a back end lets go at once */
            store_path_dev_fe(path, sizeof(path), l->d.domid, l->d.kind, l->d.number);
            store_xs_remove(io, path);
        }
        store_below(path, sizeof(path), l->be, STORE_DEV_BE_STATE);
        read_state(io, path, &state);
        /* asked already, or closed: writing the state again would undo the back end's answer */
        if (state == XenbusStateClosing || state == XenbusStateClosed)
            continue;
        put_below(io, l->be, STORE_DEV_BE_ONLINE, 0);
        put_below(io, l->be, STORE_DEV_BE_STATE, XenbusStateClosing);
    }
    return 0;
}

static void run_remove_script(struct vane *v, const struct dev *d)
{
    static const char *const vbd_args[] = { "remove", NULL };
    static const char *const vif_args[] = { "offline", "type_if=vif", NULL };
    struct store_io *io = vane_store(v);
    char script[1024], name[32];
    bool is_vif = strcmp(d->kind, "vif") == 0;

    /* absent when we set the device up ourselves */
    if (store_get_libxl_dev_script(io, d->domid, d->kind, d->number, script, sizeof(script)) <= 0)
        return;
    if (is_vif && store_get_libxl_vif_vifname(io, d->domid, d->number, name, sizeof(name)) <= 0)
        snprintf(name, sizeof(name), "vif%u.%u", d->domid, d->number);
    if (hotplug_run(v, d, script, is_vif ? name : NULL, is_vif ? vif_args : vbd_args) < 0)
        vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
}

/*
 * Wait until Dom0 has let go of a device that was asked, and undo what set it up. -EBUSY (never with
 * @force): the guest holds on to it.
 */
static int let_go(struct vane *v, const struct leaving *l, bool force)
{
    struct wait_arg w = { .gone_counts = true, .min = XenbusStateClosed, .max = XenbusStateClosed };
    const struct dev *d = &l->d;
    int rc;

    store_below(w.state, sizeof(w.state), l->be, STORE_DEV_BE_STATE);
    rc = store_wait(v, w.state, DEV_DESTROY_MS, state_reached, &w);
    if (rc == -ETIMEDOUT && !force)
        return vane_fail(v, -EBUSY, "unmount or take it down in the guest, or use --force",
                         "the guest still uses %s %u", d->kind, d->number);
    if (rc == -ETIMEDOUT)
        vane_log(v, VANE_WARN, "the back end of %s %u did not close in time", d->kind, d->number);
    run_remove_script(v, d);
    if (strcmp(d->kind, "vbd") == 0)
        nbd_detach(v, nbd_is, d);
    return 0;
}

static int forget(struct vane *v, const struct leaving *l)
{
    struct store_io *io = vane_store(v);
    const struct dev *d = &l->d;
    char path[STORE_PATH_MAX];

    if (l->be[0])
        store_xs_remove(io, l->be);
    if (strcmp(d->kind, "console") == 0 && d->number == 0)
        store_path_con(path, sizeof(path), d->domid);
    else
        store_path_dev_fe(path, sizeof(path), d->domid, d->kind, d->number);
    store_xs_remove(io, path);
    store_path_libxl_dev(path, sizeof(path), d->domid, d->kind, d->number);
    store_xs_remove(io, path);                                                  /* I1: last */
    return store_result(v, io);
}

static struct leaving leave(struct vane *v, const struct dev *d)
{
    struct leaving l = { .d = *d };

    if (!dev_backend_path(vane_store(v), d, l.be))
        l.be[0] = '\0';
    return l;
}

int dev_remove(struct vane *v, const struct dev *d, bool force)
{
    struct leaving l = leave(v, d);
    struct close_arg c = { &l, 1, force };
    int rc = 0;

    if (is_asked(&l)) {
        if (store_transaction(v, ask_to_close, &c) < 0)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
        rc = let_go(v, &l, force);
    }
    return rc < 0 ? rc : forget(v, &l);
}

/* What the devices of a domain leave: back ends and their errors by kind, /libxl last (I1). */
static void forget_all(struct vane *v, uint32_t domid, const struct leaving *list, int n)
{
    struct store_io *io = vane_store(v);
    char path[STORE_PATH_MAX];

    for (int i = 0; i < n; i++) {
        if (i == 0 || list[i].d.kind != list[i - 1].d.kind) {
            store_path_dev_bes(path, sizeof(path), 0, list[i].d.kind, domid);
            store_xs_remove(io, path);
            store_path_be_error_domid(path, sizeof(path), 0, list[i].d.kind, domid);
            store_xs_remove(io, path);
        }
        /* served elsewhere: by a driver domain, or a back end of another kind (qdisk) */
        store_path_dev_be(path, sizeof(path), 0, list[i].d.kind, domid, list[i].d.number);
        if (list[i].be[0] && strcmp(path, list[i].be) != 0)
            store_xs_remove(io, list[i].be);
    }
    if (n > 0) {
        store_path_libxl_device(path, sizeof(path), domid);
        store_xs_remove(io, path);
    }
    if (store_result(v, io) < 0)
        vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
}

void dev_remove_all(struct vane *v, uint32_t domid)
{
    struct dev *devs;
    int n = dev_list(vane_store(v), domid, &devs);
    struct leaving *list = calloc((size_t)n + 1, sizeof(*list));
    struct close_arg c = { list, n, true };

    for (int i = 0; list && i < n; i++)
        list[i] = leave(v, &devs[i]);
    free(devs);
    if (!list)
        return;
    if (n > 0 && store_transaction(v, ask_to_close, &c) < 0)        /* all at once: they close in parallel */
        vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    for (int i = 0; i < n; i++) {
        if (is_asked(&list[i]) && let_go(v, &list[i], true) < 0)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    }
    forget_all(v, domid, list, n);
    free(list);
    nbd_detach(v, nbd_of_domain, &domid);       /* also of a device that was never complete */
}
