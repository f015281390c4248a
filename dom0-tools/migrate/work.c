/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * work.c - locks and stages (work.h)
 *
 * The locks are POSIX record locks because these tell who holds them: F_GETLK names a process that cannot have
 * been replaced by another of the same number, since it holds the lock. They are lost when the process closes
 * any descriptor of the file: only this file opens it, once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

#define TAKE_MS 10000
#define STAGES_MAX (64 << 10)

const char *migrate_run_dir = "/run/vane/migrating";

static const char *const roles[] = { "source", "target" };
static const char *const names[] = { "connect", "create", "pre-copy", "suspend", "final copy", "ready", "commit",
                                     "start", "report", "destroy" };

static void make_dir(void)
{
    char path[256], *slash;

    snprintf(path, sizeof(path), "%s", migrate_run_dir);
    slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    mkdir(migrate_run_dir, 0700);
}

static void lock_path(char out[256], enum migrate_role role, const struct vane_uuid *guest)
{
    char s[VANE_UUID_LEN];

    vane_uuid_format(s, guest);
    snprintf(out, 256, "%s/%s.%s.lock", migrate_run_dir, s, roles[role]);
}

static struct flock whole(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

int work_lock(struct vane *v, enum migrate_role role, const struct vane_uuid *guest, struct work *w)
{
    struct flock l = whole();
    char path[256];

    make_dir();
    lock_path(path, role, guest);
    w->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (w->lock < 0)
        return vane_fail(v, -errno, "is /run writable?", "cannot write %s: %s", path, strerror(errno));
    if (fcntl(w->lock, F_SETLK, &l) == 0)
        return 0;
    close(w->lock);
    w->lock = -1;
    return vane_fail(v, -EBUSY, "`vane migrate-status` shows it, `vane migrate --cancel` stops it",
                     role == MIGRATE_SOURCE ? "this guest is being migrated already"
                                            : "this guest is being received already");
}

pid_t work_holder(enum migrate_role role, const struct vane_uuid *guest)
{
    struct flock l = whole();
    char path[256];
    pid_t pid = 0;
    int fd;

    lock_path(path, role, guest);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        if (fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK)
            pid = l.l_pid;
        close(fd);
    }
    return pid;
}

int work_take(struct vane *v, enum migrate_role role, const struct vane_uuid *guest, struct work *w)
{
    int64_t end = vane_now_ms() + TAKE_MS;
    int rc;

    while ((rc = work_lock(v, role, guest, w)) == -EBUSY && vane_now_ms() < end) {
        pid_t pid = work_holder(role, guest);
        int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

        /* Any moment is good: what it has decided is on record, and it may not listen to a kind word. */
        if (fd >= 0 && work_holder(role, guest) == pid && pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0)
            vane_log(v, VANE_WARN, "cannot end process %d: %s", (int)pid, strerror(errno));
        if (fd >= 0)
            close(fd);
        usleep(20000);
    }
    return rc;
}

void work_unlock(struct work *w)
{
    if (w->lock >= 0)
        close(w->lock);
    w->lock = -1;
}

/* ---- stages ---- */

static void stages_path(char out[256], const struct migrate_record *r)
{
    char s[VANE_UUID_LEN];

    vane_uuid_format(s, &r->id);
    snprintf(out, 256, "%s/%s.%s", migrate_run_dir, s, roles[r->role]);
}

void work_begin(struct work *w, const struct migrate_record *r)
{
    stages_path(w->stages, r);
}

void work_stage(struct work *w, enum migrate_stage stage, const struct save_progress *copy)
{
    const struct stage_line line = { stage, copy };
    struct timespec ts;
    struct stat st;
    char json[512];
    int n, fd;

    clock_gettime(CLOCK_REALTIME, &ts);
    n = snprintf(json, sizeof(json), "{\"stage\":\"S%d\",\"what\":\"%s\",\"time\":%lld.%03ld,\"pid\":%d", (int)stage,
                 names[stage], (long long)ts.tv_sec, ts.tv_nsec / 1000000, (int)getpid());
    if (copy)
        n += snprintf(json + n, sizeof(json) - (size_t)n,
                      ",\"round\":%u,\"pages\":%llu,\"dirty\":%llu,\"bytes\":%llu,\"dirty_rate\":%llu,"
                      "\"link_rate\":%llu,\"ms\":%llu,\"throttle\":%u", copy->round,
                      (unsigned long long)copy->pages, (unsigned long long)copy->dirty,
                      (unsigned long long)copy->bytes, (unsigned long long)copy->dirty_rate,
                      (unsigned long long)copy->link_rate, (unsigned long long)copy->elapsed_ms, copy->throttle);
    snprintf(json + n, sizeof(json) - (size_t)n, "}\n");
    fd = w->stages[0] ? open(w->stages, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        /* in one write: a reader sees whole lines. A full /run costs the line, nothing else. */
        if ((fstat(fd, &st) == 0 && st.st_size > STAGES_MAX && ftruncate(fd, 0) < 0) ||
            write(fd, json, strlen(json)) < 0)
            w->stages[0] = '\0';
        close(fd);
    }
    if (w->show)
        w->show(w->opaque, json, &line);
}

void work_end(struct work *w)
{
    if (w->stages[0])
        unlink(w->stages);
    w->stages[0] = '\0';
}

char *work_last(const struct migrate_record *r)
{
    char path[256], buf[1024], *last;
    ssize_t n = 0;
    struct stat st;
    int fd;

    stages_path(path, r);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0)
        n = pread(fd, buf, sizeof(buf) - 1, st.st_size > 1023 ? st.st_size - 1023 : 0);
    close(fd);
    if (n <= 0 || buf[n - 1] != '\n')
        return NULL;
    buf[n - 1] = '\0';
    last = strrchr(buf, '\n');
    return strdup(last ? last + 1 : buf);
}
