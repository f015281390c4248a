/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_clone.c - a copy of a domain under a name of its own
 *
 * The memory image of a template, a saved state or a running domain, is started as another machine: its
 * name, UUID and cards' addresses are new, the rest is the template's unless key=value says otherwise.
 *
 *   I1  two machines never write one disk: a writable disk of the template must be replaced.
 *   I2  the image knows the template's devices; the clone has the same ones by number.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../stream/save_guard.h"
#include "cli.h"

static const struct vane_disk *same_disk(const struct vane_config *c, uint32_t number)
{
    for (unsigned i = 0; i < c->n_disks; i++) {
        if (c->disks[i].number == number)
            return &c->disks[i];
    }
    return NULL;
}

/* Whatever they are called: a link leads to the same file, two nodes to the same device. */
static bool same_image(const char *a, const char *b)
{
    struct stat sa, sb;

    if (strcmp(a, b) == 0)
        return true;
    if (stat(a, &sa) < 0 || stat(b, &sb) < 0)
        return false;
    if (S_ISBLK(sa.st_mode) && S_ISBLK(sb.st_mode))
        return sa.st_rdev == sb.st_rdev;
    return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int check_devices(struct cli *c, const struct vane_config *from, const struct vane_config *to)
{
    for (unsigned i = 0; i < from->n_disks; i++) {
        const struct vane_disk *d = same_disk(to, from->disks[i].number);

        if (!d)                                                                     /* I2 */
            return vane_fail(c->v, -EINVAL, "name it in disk=[...]",
                             "the image has disk %s, the clone would have none", from->disks[i].vdev);
    }
    for (unsigned i = 0; i < to->n_disks; i++) {
        for (unsigned k = 0; k < from->n_disks; k++) {
            if ((to->disks[i].writable || from->disks[k].writable) &&               /* I1 */
                same_image(to->disks[i].target, from->disks[k].target))
                return vane_fail(c->v, -EEXIST, "give the clone a copy: disk=['COPY,raw,xvda,w']",
                                 "disk %s (%s) is the template's: two machines must not write it",
                                 to->disks[i].vdev, to->disks[i].target);
        }
    }
    if (to->n_nics != from->n_nics || to->max_vcpus != from->max_vcpus)
        return vane_fail(c->v, -EINVAL, "leave vif= and maxvcpus= as they are, or match them",
                         "the image has %u cards and %u vcpus, the clone would have %u and %u", from->n_nics,
                         from->max_vcpus, to->n_nics, to->max_vcpus);
    return 0;
}

/* The template's configuration with another identity and the command line's changes. */
static int new_identity(struct cli *c, struct vane_config *from, const char *name, char **extra, int n,
                        struct vane_config **out)
{
    char uuid[VANE_UUID_LEN], *json, *text, *line, *more;
    struct vane_uuid fresh;
    int rc = -ENOMEM;

    for (unsigned i = 0; i < from->n_nics; i++)
        from->nics[i].has_mac = false;                  /* they follow from the UUID */
    vane_uuid_random(&fresh);
    vane_uuid_format(uuid, &fresh);
    json = vane_config_json(from, uuid);
    text = json ? config_text_from_json(json) : NULL;
    more = cli_config_text(c, NULL, extra, n);
    if (text && more && asprintf(&line, "%s\n%s\nname = \"%s\"\nuuid = \"%s\"\n", text, more, name, uuid) >= 0) {
        rc = vane_config_parse(c->v, "the clone's configuration", line, strlen(line), out);
        free(line);
    } else {
        vane_fail(c->v, rc, NULL, "out of memory");
    }
    free(json);
    free(text);
    free(more);
    return rc;
}

/* A file without a name, that goes with us, in *@dir. */
static int nameless_file(struct cli *c, const char **dir)
{
    const char *dirs[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
    int fd = -1;

    for (unsigned i = 0; i < ARRAY_SIZE(dirs) && fd < 0; i++) {
        *dir = dirs[i];
        if (dirs[i])
            fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    }
    return fd >= 0 ? fd : vane_fail(c->v, -errno, "TMPDIR names another directory",
                                    "cannot write a file in /var/tmp or /tmp: %s", strerror(errno));
}

/* The state of a running domain in such a file, read up to the memory; *@cfg is what it is the state of. */
static int image_of(struct cli *c, const struct vane_dom *d, struct stream_in *in, struct vane_config **cfg)
{
    struct save_guard guard;
    const struct save_options o = { .codec = STREAM_ZERO, .guard = &guard };
    const char *dir;
    char hint[200];
    int64_t down;
    int fd = nameless_file(c, &dir), rc;

    if (fd < 0)
        return fd;
    stream_in_fd(in, c->v, fd);
    rc = save_guard_begin(c->v, d, &guard);
    if (rc == 0) {
        rc = stream_save(c->v, d, fd, &o, &down);
        if (rc == 0)
            rc = stream_resume(c->v, d);
        save_guard_end(&guard);
    }
    if (rc == -ENOSPC) {
        struct vane_error first = *vane_last_error(c->v);

        snprintf(hint, sizeof(hint), "its memory lies in %s meanwhile: make room there, or TMPDIR names another directory", dir);
        return vane_fail(c->v, rc, hint, "%s", first.what);
    }
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = vane_fail(c->v, -errno, NULL, "cannot read the image: %s", strerror(errno));
    return rc == 0 ? stream_read_config(in, cfg) : rc;
}

/* All that speaks against it is said before a running domain is disturbed. */
static int judge(struct cli *c, struct vane_config *from, const char *name, char **extra, int n, struct vane_config **cfg)
{
    bool unused;
    int rc = vane_name_is_free(c->v, vane_store(c->v), name, VANE_DOMID_ANY, VANE_DOMID_ANY, &unused);

    if (rc == 0)
        rc = new_identity(c, from, name, extra, n, cfg);
    return rc == 0 ? check_devices(c, from, *cfg) : rc;
}

int cmd_clone(struct cli *c, int argc, char **argv)
{
    struct vane_config *from = NULL, *cfg = NULL, *saved = NULL;
    struct start_options o = {0};
    struct stream_in in = { .fd = -1 };
    struct vane_dom d;
    bool runs;
    int ch, rc;

    while ((ch = getopt(argc, argv, "hpce")) != -1) {
        switch (ch) {
        case 'p': o.paused = true; break;
        case 'c': o.console = true; break;
        case 'e': o.no_daemon = true; break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (!cli_args(c, argc, argv, optind, 2, 1000))
        return EXIT_FAILURE;
    if (strpbrk(argv[optind + 1], "/\n\t\"'\\") || strlen(argv[optind + 1]) > VANE_NAME_MAX)
        return cli_fail(c, NULL, "%s cannot be a name", argv[optind + 1]);
    runs = !strchr(argv[optind], '/') && vane_dom_find(c->v, argv[optind], &d) == 0;
    rc = runs ? vane_config_now(c->v, &d, &from) : cli_open_image(c, argv[optind], &in, &from);
    if (rc < 0)
        return cli_error(c);
    rc = judge(c, from, argv[optind + 1], argv + optind + 2, argc - optind - 2, &cfg);
    if (rc == 0 && runs)
        rc = image_of(c, &d, &in, &saved);
    if (rc == 0 && runs)
        rc = check_devices(c, saved, cfg);              /* a device may have been plugged in meanwhile */
    rc = rc < 0 ? cli_error(c) : cli_start_image(c, &in, cfg, &o);
    vane_config_free(from);
    vane_config_free(saved);
    vane_config_free(cfg);
    if (in.fd >= 0)
        cli_close_image(&in);
    return rc;
}
