/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record.c - records of migrations (record.h)
 *
 *   I1  a name is given to a file only after its bytes are on the disk, and is on the disk itself when
 *       record_store() returns.
 *   I2  nothing in a file is believed before its checksum was compared.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "record.h"

const char *migrate_state_dir = "/var/lib/vane/migrations";

static const char head[] = "vane-migration 1\n";
static const char *const roles[] = { "source", "target" };
static const char *const states[] = { "none", "sending", "aborting", "aborted", "committing", "done", "receiving",
                                      "ready", "committed", "running", "discarded", "lost" };
_Static_assert(ARRAY_SIZE(states) == MIG_STATES, "a name for each state");

const char *migrate_state_name(enum migrate_state s)
{
    return (unsigned)s < MIG_STATES ? states[s] : "?";
}

const char *migrate_boot_id(void)
{
    static char id[40];
    int fd;

    if (!id[0]) {
        fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, id, 36) != 36)
            snprintf(id, sizeof(id), "unknown");
        if (fd >= 0)
            close(fd);
    }
    return id;
}

/* ---- text ---- */

struct text {
    char *buf;
    size_t n;
};

static void put(struct text *t, const char *key, const char *fmt, ...) PRINTF(3, 4);
static void put(struct text *t, const char *key, const char *fmt, ...)
{
    va_list ap;

    t->n += (size_t)snprintf(t->buf + t->n, RECORD_TEXT_MAX - t->n, "%s ", key);
    va_start(ap, fmt);
    t->n += (size_t)vsnprintf(t->buf + t->n, RECORD_TEXT_MAX - t->n, fmt, ap);
    va_end(ap);
    t->n += (size_t)snprintf(t->buf + t->n, RECORD_TEXT_MAX - t->n, "\n");
}

/* Control characters and % as %XX: a value is one line. */
static void put_string(struct text *t, const char *key, const char *s)
{
    char out[3 * MIGRATE_TRANSPORT_MAX];
    size_t n = 0;

    for (; *s && n < sizeof(out) - 4; s++) {
        if ((unsigned char)*s < ' ' || *s == '%' || *s == 0x7f)
            n += (size_t)snprintf(out + n, 4, "%%%02x", (unsigned char)*s);
        else
            out[n++] = *s;
    }
    out[n] = '\0';
    put(t, key, "%.1200s", out);
}

size_t record_text(char out[RECORD_TEXT_MAX], const struct migrate_record *r)
{
    struct text t = { out, sizeof(head) - 1 };
    char id[VANE_UUID_LEN], guest[VANE_UUID_LEN];

    vane_uuid_format(id, &r->id);
    vane_uuid_format(guest, &r->guest);
    memcpy(out, head, sizeof(head));
    put(&t, "id", "%s", id);
    put(&t, "role", "%s", roles[r->role]);
    put(&t, "state", "%s", migrate_state_name(r->state));
    put(&t, "epoch", "%" PRIu64, r->epoch);
    put(&t, "guest", "%s", guest);
    put(&t, "domid", "%u", r->domid);
    put_string(&t, "name", r->name);
    put_string(&t, "boot", r->boot);
    put(&t, "mem", "%" PRIu64, r->mem_kb);
    put(&t, "paused", "%d", r->paused);
    put(&t, "xl", "%d", r->xl);
    put_string(&t, "peer", r->peer);
    put_string(&t, "transport", r->transport);
    put_string(&t, "why", r->why);
    put(&t, "since", "%" PRId64, r->since);
    put(&t, "end", "%08lx", crc32(0, (const uint8_t *)out, (uInt)t.n));
    return t.n;
}

static bool take_string(char *out, size_t size, const char *s)
{
    size_t n = 0;

    for (; *s; s++) {
        char hex[3] = { 0 };

        if (n + 1 >= size)
            return false;
        if (*s == '%' && s[1] && s[2]) {
            memcpy(hex, s + 1, 2);
            out[n++] = (char)strtoul(hex, NULL, 16);
            s += 2;
        } else {
            out[n++] = *s;
        }
    }
    out[n] = '\0';
    return memchr(out, 0, n) == NULL;
}

static bool take_number(uint64_t *out, uint64_t max, const char *s)
{
    char *end;

    errno = 0;
    *out = strtoull(s, &end, 10);
    return *s >= '0' && *s <= '9' && !*end && errno == 0 && *out <= max;
}

static bool take_word(unsigned *out, const char *const *words, unsigned n, const char *s)
{
    for (*out = 0; *out < n; (*out)++)
        if (strcmp(words[*out], s) == 0)
            return true;
    return false;
}

static bool take_line(struct migrate_record *r, const char *key, const char *value)
{
    uint64_t n = 0;
    unsigned w = 0;
    bool ok;

    if (strcmp(key, "id") == 0)
        return vane_uuid_parse(value, &r->id);
    if (strcmp(key, "guest") == 0)
        return vane_uuid_parse(value, &r->guest);
    if (strcmp(key, "role") == 0) {
        ok = take_word(&w, roles, ARRAY_SIZE(roles), value);
        r->role = (enum migrate_role)w;
        return ok;
    }
    if (strcmp(key, "state") == 0) {
        ok = take_word(&w, states, ARRAY_SIZE(states), value);
        r->state = (enum migrate_state)w;
        return ok;
    }
    if (strcmp(key, "epoch") == 0)
        return take_number(&r->epoch, UINT64_MAX, value);
    if (strcmp(key, "mem") == 0)
        return take_number(&r->mem_kb, UINT64_MAX, value);
    if (strcmp(key, "name") == 0)
        return take_string(r->name, sizeof(r->name), value);
    if (strcmp(key, "boot") == 0)
        return take_string(r->boot, sizeof(r->boot), value);
    if (strcmp(key, "peer") == 0)
        return take_string(r->peer, sizeof(r->peer), value);
    if (strcmp(key, "transport") == 0)
        return take_string(r->transport, sizeof(r->transport), value);
    if (strcmp(key, "why") == 0)
        return take_string(r->why, sizeof(r->why), value);
    if (strcmp(key, "domid") == 0) {
        ok = take_number(&n, UINT32_MAX, value);
        r->domid = (uint32_t)n;
    } else if (strcmp(key, "paused") == 0) {
        ok = take_number(&n, 1, value);
        r->paused = n;
    } else if (strcmp(key, "xl") == 0) {
        ok = take_number(&n, 1, value);
        r->xl = n;
    } else if (strcmp(key, "since") == 0) {
        ok = take_number(&n, INT64_MAX, value);
        r->since = (int64_t)n;
    } else {
        ok = true;                      /* of a later version */
    }
    return ok;
}

int record_parse(struct migrate_record *r, const char *text, size_t len)
{
    static const char last[] = "end ";
    const char *end = len > 14 ? text + len - 13 : text;        /* "end 01234567\n" */
    char copy[RECORD_TEXT_MAX], crc[9];
    char *line, *next = copy;

    *r = (struct migrate_record){ .domid = VANE_DOMID_ANY };
    if (len <= sizeof(head) + 13 || len >= sizeof(copy) || memchr(text, 0, len) ||
        memcmp(text, head, sizeof(head) - 1) != 0 || memcmp(end, last, 4) != 0 || text[len - 1] != '\n')
        return -EBADMSG;
    snprintf(crc, sizeof(crc), "%08lx", crc32(0, (const uint8_t *)text, (uInt)(end - text)));
    if (memcmp(crc, end + 4, 8) != 0)                                                   /* I2 */
        return -EBADMSG;
    memcpy(copy, text, (size_t)(end - text));
    copy[end - text] = '\0';
    while ((line = strsep(&next, "\n")) != NULL) {
        char *value = strchr(line, ' ');

        if (!value)
            continue;
        *value++ = '\0';
        if (!take_line(r, line, value))
            return -EBADMSG;
    }
    return 0;
}

/* ---- files ---- */

static void record_path(char out[256], const struct migrate_record *r, const char *suffix)
{
    char id[VANE_UUID_LEN];

    vane_uuid_format(id, &r->id);
    snprintf(out, 256, "%s/%s.%s%s", migrate_state_dir, id, roles[r->role], suffix);
}

static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return -errno;
    rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* Make the directory and those above it, each on the disk before the next. */
static int make_dir(const char *dir)
{
    char path[256], *slash;
    int rc = 0;

    snprintf(path, sizeof(path), "%s", dir);
    for (slash = strchr(path + 1, '/'); rc == 0; slash = strchr(slash + 1, '/')) {
        char parent[256], *up;

        if (slash)
            *slash = '\0';
        if (mkdir(path, 0700) == 0) {
            snprintf(parent, sizeof(parent), "%s", path);
            up = strrchr(parent, '/');
            up[up == parent] = '\0';
            rc = sync_dir(parent);
        } else if (errno != EEXIST) {
            rc = -errno;
        }
        if (!slash)
            break;
        *slash = '/';
    }
    return rc;
}

static int write_file(const char *path, const char *text, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = 0;
    size_t done = 0;

    if (fd < 0)
        return -errno;
    while (done < n && rc == 0) {
        ssize_t w = write(fd, text + done, n - done);

        if (w > 0)
            done += (size_t)w;
        else if (w == 0 || errno != EINTR)
            rc = w == 0 ? -ENOSPC : -errno;
    }
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

int record_store(struct vane *v, struct migrate_record *r)
{
    char path[256], tmp[256], text[RECORD_TEXT_MAX];
    size_t n;
    int rc;

    r->since = (int64_t)time(NULL);
    n = record_text(text, r);
    record_path(path, r, "");
    record_path(tmp, r, ".new");
    rc = make_dir(migrate_state_dir);
    if (rc == 0)
        rc = write_file(tmp, text, n);
    if (rc == 0 && rename(tmp, path) < 0)                                               /* I1 */
        rc = -errno;
    if (rc < 0)
        unlink(tmp);
    else if (sync_dir(migrate_state_dir) < 0)
        rc = -EIO;                      /* either record may be there after a loss of power */
    return rc < 0 ? vane_fail(v, rc, rc == -ENOSPC ? "make room on that file system" : NULL,
                              "cannot keep the migration's record %s: %s", path, strerror(-rc)) : 0;
}

static int load_file(struct vane *v, const char *path, struct migrate_record *r)
{
    char text[RECORD_TEXT_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? -ENOENT : vane_fail(v, -errno, NULL, "cannot read %s: %s", path, strerror(errno));
    n = read(fd, text, sizeof(text));
    close(fd);
    if (n < 0 || record_parse(r, text, (size_t)n) < 0)
        return vane_fail(v, -EBADMSG, "look at both hosts before you remove it", "the record %s is damaged", path);
    return 0;
}

int record_load(struct vane *v, enum migrate_role role, const struct vane_uuid *id, struct migrate_record *r)
{
    struct migrate_record key = { .id = *id, .role = role };
    char path[256];
    int rc;

    record_path(path, &key, "");
    rc = load_file(v, path, r);
    if (rc == 0 && (r->role != role || memcmp(&r->id, id, sizeof(*id)) != 0))
        rc = vane_fail(v, -EBADMSG, NULL, "the record %s is another's", path);
    if (rc == -ENOENT)
        vane_fail(v, rc, "`vane migrate-status` lists them", "there is no record of that migration here");
    return rc;
}

int record_remove(struct vane *v, const struct migrate_record *r)
{
    char path[256];

    record_path(path, r, "");
    if (unlink(path) < 0 && errno != ENOENT)
        return vane_fail(v, -errno, NULL, "cannot remove %s: %s", path, strerror(errno));
    return sync_dir(migrate_state_dir) < 0 ? -EIO : 0;
}

int record_list(struct vane *v, struct migrate_record **out)
{
    DIR *d = opendir(migrate_state_dir);
    unsigned n = 0, room = 0;

    *out = NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        const char *dot = strrchr(e->d_name, '.');
        struct migrate_record *more;
        char path[512];

        if (e->d_name[0] == '.' || !dot || (strcmp(dot, ".source") != 0 && strcmp(dot, ".target") != 0))
            continue;
        if (n == room) {
            room = room ? room * 2 : 8;
            more = realloc(*out, room * sizeof(**out));
            if (!more)
                break;
            *out = more;
        }
        snprintf(path, sizeof(path), "%s/%s", migrate_state_dir, e->d_name);
        if (load_file(v, path, &(*out)[n]) == 0)
            n++;
        else if (vane_last_error(v)->code == -EBADMSG)
            vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    }
    if (d)
        closedir(d);
    return (int)n;
}

int record_of_guest(struct vane *v, enum migrate_role role, const struct vane_uuid *guest, struct migrate_record *r)
{
    struct migrate_record *list;
    int n = record_list(v, &list), rc = -ENOENT;

    for (int i = 0; i < n && rc < 0; i++) {
        if (list[i].role == role && memcmp(&list[i].guest, guest, sizeof(*guest)) == 0) {
            *r = list[i];
            rc = 0;
        }
    }
    free(list);
    return rc;
}
