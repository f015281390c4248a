/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save_guard.c - what must be undone when a domain's saver dies
 *
 *   I1  the record says what is to be undone before it is done.
 *   I2  a record is removed by who holds its lock, after everything it names has been undone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/journal.h"
#include "save.h"
#include "save_guard.h"
#include "stream.h"

#define RECORDS VANE_RUN_DIR "/saving"
#define TRIES 10
#define LATE_S 600              /* a guest that took a request and did not suspend so long never will */

static int write_record(struct save_guard *g)
{
    if (pwrite(g->fd, &g->rec, sizeof(g->rec), 0) == (ssize_t)sizeof(g->rec))
        return 0;
    return vane_fail(g->v, -ENOSPC, "is /run full?", "cannot write %s", g->path);
}

/* The record's path, and its lock: the descriptor or -errno. */
static int lock_record(const struct vane_dom *d, int flags, char *path, size_t size)
{
    char uuid[VANE_UUID_LEN];
    int fd;

    vane_uuid_format(uuid, &d->uuid);
    snprintf(path, size, RECORDS "/%u-%s", d->domid, uuid);
    fd = journal_lock(path, flags);
    for (unsigned i = 0; i < TRIES && fd == -EBUSY; i++) {      /* a sweep holds it for a moment */
        usleep(20000);
        fd = journal_lock(path, flags);
    }
    return fd;
}

static int busy(struct vane *v, const struct vane_dom *d)
{
    return vane_fail(v, -EBUSY, "wait for it to end, or cancel it", "domain %s is being saved or migrated", d->name);
}

int stream_settled(struct vane *v, const struct vane_dom *d)
{
    char path[128];
    int fd = lock_record(d, 0, path, sizeof(path));

    if (fd >= 0)
        close(fd);                              /* an orphan: the sweep's */
    return fd == -EBUSY ? busy(v, d) : 0;
}

int save_guard_begin(struct vane *v, const struct vane_dom *d, struct save_guard *g)
{
    *g = (struct save_guard){ .v = v, .d = *d };
    mkdir(VANE_RUN_DIR, 0700);
    mkdir(RECORDS, 0700);
    g->fd = lock_record(d, O_CREAT, g->path, sizeof(g->path));
    if (g->fd == -EBUSY)
        return busy(v, d);
    if (g->fd < 0)
        return vane_fail(v, g->fd, "is /run writable?", "cannot write %s: %s", g->path, strerror(-g->fd));
    return write_record(g);
}

int save_guard_asked(struct save_guard *g)
{
    g->rec.asked = 1;
    return write_record(g);                                                         /* I1 */
}

/* ---- the scheduler's cap: percent of one CPU, 0: none ---- */

static int cap_get(struct vane *v, uint32_t domid, int32_t *cap)
{
    struct xen_domctl_sched_credit2 s2;
    struct xen_domctl_sched_credit s1;
    int id, rc = xc_sched_id(v->xc, &id);

    if (rc == 0 && id == XEN_SCHEDULER_CREDIT2 && (rc = xc_sched_credit2_domain_get(v->xc, domid, &s2)) == 0)
        *cap = s2.cap;
    else if (rc == 0 && id == XEN_SCHEDULER_CREDIT && (rc = xc_sched_credit_domain_get(v->xc, domid, &s1)) == 0)
        *cap = s1.cap;
    else
        rc = -1;
    return rc < 0 ? vane_fail(v, errno ? -errno : -EOPNOTSUPP, NULL, "the scheduler does not tell a domain's cap")
                  : 0;
}

static int cap_set(struct vane *v, uint32_t domid, int32_t cap)
{
    struct xen_domctl_sched_credit2 s2;
    struct xen_domctl_sched_credit s1;
    int id, rc = xc_sched_id(v->xc, &id);

    if (rc == 0 && id == XEN_SCHEDULER_CREDIT2) {
        rc = xc_sched_credit2_domain_get(v->xc, domid, &s2);
        s2.cap = (uint16_t)cap;
        rc = rc == 0 ? xc_sched_credit2_domain_set(v->xc, domid, &s2) : rc;
    } else if (rc == 0) {
        rc = xc_sched_credit_domain_get(v->xc, domid, &s1);
        s1.cap = (uint16_t)cap;
        rc = rc == 0 ? xc_sched_credit_domain_set(v->xc, domid, &s1) : rc;
    }
    return rc < 0 ? vane_fail(v, -errno, NULL, "cannot set the domain's cap: %s", strerror(errno)) : 0;
}

int save_guard_throttle(struct save_guard *g, unsigned percent)
{
    unsigned vcpus = g->d.vcpus_online ? g->d.vcpus_online : 1;
    int32_t most = (int32_t)(vcpus * (100 - percent)), before = 0;
    int rc = 0;

    if (percent == 0) {
        if (g->rec.capped)
            rc = cap_set(g->v, g->d.domid, g->rec.cap);
        if (rc == 0)
            g->rec.capped = 0;
        return rc < 0 ? rc : write_record(g);
    }
    if (!g->rec.capped) {
        rc = cap_get(g->v, g->d.domid, &before);
        if (rc == 0) {
            g->rec.cap = before;
            g->rec.capped = 1;
            rc = write_record(g);                                                   /* I1 */
        }
    }
    if (rc == 0 && g->rec.cap && g->rec.cap < most)
        return 0;                               /* its owner allows it less already */
    return rc == 0 ? cap_set(g->v, g->d.domid, most > 0 ? most : 1) : rc;
}

/* ---- the end, by whomever ---- */

static void remove_record(struct save_guard *g)
{
    unlink(g->path);
    close(g->fd);
}

void save_guard_end(struct save_guard *g)
{
    if (g->fd < 0)
        return;
    if (save_guard_throttle(g, 0) < 0)
        vane_log(g->v, VANE_WARN, "%s", vane_last_error(g->v)->what);
    if (g->late || g->rec.capped)
        close(g->fd);                           /* stream_sweep() looks at it again */
    else
        remove_record(g);
    g->fd = -1;
}

/* True when nothing is left to be undone. The guest goes on whether its name can be read or not. */
static bool undo(struct save_guard *g)
{
    struct vane *v = g->v;
    struct stat st;
    bool taken = false;
    int rc = vane_dom_state(v, g->d.domid, &g->d);

    if (rc < 0)
        return rc == -ESRCH;
    if (vane_dom_name(v, &g->d) < 0)
        vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    xc_shadow_control(v->xc, g->d.domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
    if (g->rec.capped && save_guard_throttle(g, 0) < 0)
        vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    if (!g->rec.asked)
        return true;
    if (!g->d.shutdown)
        taken = guest_withdraw(v, &g->d) != 0;
    else if (g->d.shutdown_reason == SHUTDOWN_suspend) {
        vane_log(v, VANE_WARN, "domain %s was suspended by a command that died or gave up: it goes on",
                 g->d.name);
        if (stream_resume(v, &g->d) < 0)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    }
    return !taken || fstat(g->fd, &st) < 0 || time(NULL) - st.st_mtime > LATE_S;
}

void stream_sweep(struct vane *v)
{
    DIR *dir = opendir(RECORDS);

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        struct save_guard g = { .v = v };
        struct vane_uuid uuid;
        struct vane_dom d;
        char *end;
        int rc;

        g.d.domid = (uint32_t)strtoul(e->d_name, &end, 10);
        if (*end != '-' || !vane_uuid_parse(end + 1, &uuid))
            continue;
        snprintf(g.path, sizeof(g.path), RECORDS "/%.64s", e->d_name);
        g.fd = journal_lock(g.path, 0);
        if (g.fd < 0)
            continue;                           /* its saver lives */
        if (pread(g.fd, &g.rec, sizeof(g.rec), 0) != (ssize_t)sizeof(g.rec))
            memset(&g.rec, 0, sizeof(g.rec));
        rc = vane_dom_state(v, g.d.domid, &d);
        if (rc == -ESRCH || (rc == 0 && (memcmp(&d.uuid, &uuid, sizeof(uuid)) != 0 || undo(&g))))
            remove_record(&g);                                                      /* I2 */
        else
            close(g.fd);
    }
    if (dir)
        closedir(dir);
}
