/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.c - marks of work in progress, and the records of domains
 *
 *   I1  a mark is locked exactly while its process lives: the kernel drops the lock with the process,
 *       so a mark without a lock is an orphan, whatever killed its maker.
 *   I2  a mark is removed while locked: whoever gets the lock afterwards sees a file without a name
 *       and starts over.
 *   I3  a record is replaced whole (rename).
 *   I4  a mark names its domain; one without a number was made just before or after the domain was,
 *       and then the domain has no name yet.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../devices/device.h"
#include "create.h"
#include "journal.h"

#define MARKS VANE_RUN_DIR "/doing"
#define RECORDS VANE_RUN_DIR "/domains"
#define RECORD_MAX (1u << 20)

static void mark_path(char out[128], const struct vane_uuid *uuid)
{
    char s[VANE_UUID_LEN];

    vane_uuid_format(s, uuid);
    snprintf(out, 128, MARKS "/%s", s);
}

int journal_lock(const char *path, int flags)
{
    for (;;) {
        int fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
        struct stat st;

        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            close(fd);
            return -EBUSY;
        }
        if (fstat(fd, &st) == 0 && st.st_nlink > 0)
            return fd;
        close(fd);                                              /* I2: removed under us */
        if (!(flags & O_CREAT))
            return -ENOENT;
    }
}

int journal_begin(struct vane *v, const struct vane_uuid *uuid, struct journal *j)
{
    mkdir(VANE_RUN_DIR, 0700);
    mkdir(MARKS, 0700);
    mark_path(j->path, uuid);
    j->fd = journal_lock(j->path, O_CREAT);
    if (j->fd == -EBUSY) {
        j->fd = -1;
        return vane_fail(v, -EBUSY, "wait for it to end", "another command works on this domain");
    }
    if (j->fd < 0) {
        int rc = j->fd;

        j->fd = -1;
        return vane_fail(v, rc, "is /run writable?", "cannot write %s: %s", j->path, strerror(-rc));
    }
    return 0;
}

void journal_note(struct journal *j, uint32_t domid)
{
    if (pwrite(j->fd, &domid, sizeof(domid), 0) != (ssize_t)sizeof(domid))
        return;                     /* the sweep then goes by name and UUID */
}

void journal_end(struct journal *j)
{
    if (j->fd < 0)
        return;
    unlink(j->path);
    close(j->fd);
    j->fd = -1;
}

void journal_leave(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

static bool domain_is_gone(const struct dev *d, const void *v)
{
    struct vane_dom dom;

    return vane_dom_state((struct vane *)(uintptr_t)v, d->domid, &dom) == -ESRCH;
}

void vane_sweep(struct vane *v)
{
    DIR *d = opendir(MARKS);

    nbd_detach(v, domain_is_gone, v);

    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        struct vane_uuid uuid;
        struct vane_dom *list;
        struct journal j;
        uint32_t domid = 0;
        bool noted, gone = true;
        int n;

        if (e->d_name[0] == '.' || !vane_uuid_parse(e->d_name, &uuid))
            continue;
        mark_path(j.path, &uuid);
        j.fd = journal_lock(j.path, 0);
        if (j.fd < 0)
            continue;                                           /* somebody is at work: I1 */
        noted = pread(j.fd, &domid, sizeof(domid), 0) == (ssize_t)sizeof(domid);
        n = vane_dom_list(v, &list);
        for (int i = 0; i < n; i++) {
            if (list[i].domid != 0 && memcmp(&list[i].uuid, &uuid, sizeof(uuid)) == 0 &&
                (noted ? list[i].domid == domid : strcmp(list[i].name, "(null)") == 0)) {
                gone = false;
                vane_log(v, VANE_WARN, "cleaning up domain %u, left behind by a command that died",
                         list[i].domid);
                if (vane_destroy_marked(v, &list[i]) < 0) {
                    vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
                    journal_leave(&j);
                }
            }
        }
        if (n >= 0)
            free(list);
        else
            journal_leave(&j);
        if (n >= 0 && noted && gone) {          /* killed after the domain went, which is the last but one */
            vane_record_remove((struct vane_record){ domid, uuid });
            vane_userdata_remove((struct vane_record){ domid, uuid });
        }
        journal_end(&j);
    }
    if (d)
        closedir(d);
}

/* ---- records ---- */

struct vane_record vane_record_of(const struct vane_dom *d)
{
    return (struct vane_record){ d->domid, d->uuid };
}

static void record_path(char out[128], struct vane_record r, const char *suffix)
{
    char s[VANE_UUID_LEN];

    vane_uuid_format(s, &r.uuid);
    snprintf(out, 128, RECORDS "/%u-%s%s", r.domid, s, suffix);
}

char *vane_record_read(struct vane_record r, size_t *len)
{
    char path[128], *text = NULL;
    struct stat st;
    int fd;

    record_path(path, r, ".cfg");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= 0 && st.st_size < RECORD_MAX &&
        (text = calloc(1, (size_t)st.st_size + 1)) != NULL) {
        ssize_t n = read(fd, text, (size_t)st.st_size);

        if (n != st.st_size) {
            free(text);
            text = NULL;
        }
        *len = (size_t)st.st_size;
    }
    if (fd >= 0)
        close(fd);
    return text;
}

int vane_record_write(struct vane *v, struct vane_record r, const char *text)
{
    char path[128], tmp[128];
    size_t len = strlen(text);
    int fd, rc = 0;

    mkdir(VANE_RUN_DIR, 0700);
    mkdir(RECORDS, 0700);
    record_path(path, r, ".cfg");
    record_path(tmp, r, ".new");
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        rc = -errno;
    else if (write(fd, text, len) != (ssize_t)len)
        rc = errno ? -errno : -ENOSPC;
    if (fd >= 0)
        close(fd);
    if (rc == 0 && rename(tmp, path) < 0)                       /* I3 */
        rc = -errno;
    if (rc < 0) {
        unlink(tmp);
        return vane_fail(v, rc, "is /run full?", "cannot keep the domain's configuration in %s: %s",
                         path, strerror(-rc));
    }
    return 0;
}

int vane_record_append(struct vane *v, struct vane_record r, const char *line)
{
    size_t len;
    char *old = vane_record_read(r, &len), *text;
    int rc;

    if (!old)
        return 0;                       /* not ours: nothing will restart from it */
    if (asprintf(&text, "%s\n%s\n", old, line) < 0) {
        free(old);
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    }
    rc = vane_record_write(v, r, text);
    free(text);
    free(old);
    return rc;
}

void vane_record_remove(struct vane_record r)
{
    char path[128];

    record_path(path, r, ".cfg");
    unlink(path);
    record_path(path, r, ".new");                               /* of a writer that was killed */
    unlink(path);
}
