/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_save.c - save, snapshot, restore */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../lib/life.h"
#include "../stream/save_guard.h"
#include "../stream/stream.h"
#include "cli.h"

static atomic_bool cancelled;

static void cancel(int sig)
{
    (void)sig;
    atomic_store(&cancelled, true);
}

/* What becomes of the domain once its image is safe. */
enum afterwards { DESTROY, GO_ON, STAY_PAUSED };

struct saving {
    struct cli *c;
    struct vane_dom d;
    const char *file;
    enum afterwards then;
    struct save_options opt;
    struct save_guard guard;
    uint64_t bytes, ms;
};

static int note_progress(void *opaque, const struct save_progress *p)
{
    struct saving *s = opaque;

    s->bytes = p->bytes;
    s->ms = p->elapsed_ms;
    return 0;
}

/* The name's directory too must be on the disk before the domain may go. */
static int sync_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, rc;

    free(dir);
    if (fd < 0)
        return -errno;
    rc = fsync(fd) < 0 && errno != EINVAL ? -errno : 0;         /* EINVAL: it has nothing to write back to */
    close(fd);
    return rc;
}

/* Into a temporary file that takes the name only when it is complete and on the disk. */
static int write_file(struct saving *s)
{
    struct vane *v = s->c->v;
    char tmp[512];
    int64_t down;
    int fd, rc;

    if (snprintf(tmp, sizeof(tmp), "%s.partial", s->file) >= (int)sizeof(tmp))
        return vane_fail(v, -ENAMETOOLONG, NULL, "%s is too long", s->file);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return vane_fail(v, -errno, NULL, "cannot write %s: %s", tmp, strerror(errno));
    rc = stream_save(v, &s->d, fd, &s->opt, &down);
    if (rc == 0 && (fsync(fd) < 0 || rename(tmp, s->file) < 0 || sync_name(s->file) < 0)) {
        rc = vane_fail(v, errno ? -errno : -EIO, NULL, "cannot finish %s: %s", s->file, strerror(errno));
        if (stream_resume(v, &s->d) < 0)
            vane_log(v, VANE_ERROR, "%s", vane_last_error(v)->what);
    }
    close(fd);
    if (rc < 0)
        unlink(tmp);
    return rc;
}

static int finish(struct saving *s)
{
    struct vane *v = s->c->v;

    if (s->then == DESTROY)
        return vane_destroy(v, &s->d);
    if (s->then == STAY_PAUSED && vane_pause(v, s->d.domid) < 0)
        return vane_last_error(v)->code;
    return stream_resume(v, &s->d);
}

static int save(struct saving *s)
{
    int rc;

    if (!vane_xc(s->c->v) || !vane_xs(s->c->v))
        return vane_last_error(s->c->v)->code;
    signal(SIGINT, cancel);
    signal(SIGTERM, cancel);
    signal(SIGHUP, cancel);
    s->opt.cancel = &cancelled;
    s->opt.progress = note_progress;
    s->opt.opaque = s;
    s->opt.guard = &s->guard;
    rc = save_guard_begin(s->c->v, &s->d, &s->guard);
    if (rc < 0)
        return rc;
    rc = write_file(s);
    /* Until the image has its name a death of ours lets the guest go on; after that vane_destroy() is journalled. */
    if (rc == 0 && s->then != DESTROY)
        rc = finish(s);
    save_guard_end(&s->guard);
    return rc == 0 && s->then == DESTROY ? finish(s) : rc;
}

static int show_saved(struct saving *s)
{
    struct json_object *o;

    if (!s->c->json)
        return 0;
    o = json_object_new_object();
    json_object_object_add(o, "result", json_object_new_string("ok"));
    json_object_object_add(o, "file", json_object_new_string(s->file));
    json_object_object_add(o, "bytes", json_object_new_int64((int64_t)s->bytes));
    json_object_object_add(o, "ms", json_object_new_int64((int64_t)s->ms));
    return cli_json(o);
}

bool cli_codec(const char *name, enum stream_codec *codec)
{
    static const char *const names[] = { "none", "zero", "zlib", "zstd" };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *codec = (enum stream_codec)i;
            return true;
        }
    }
    return false;
}

/* save and snapshot differ in what they do by default. */
static int save_command(struct cli *c, int argc, char **argv, struct saving *s)
{
    enum { COMPRESS = 256, LEVEL, CHECKSUM, LIVE };
    static const struct option opts[] = {
        { "compress", optional_argument, NULL, COMPRESS }, { "level", required_argument, NULL, LEVEL },
        { "checksum", no_argument, NULL, CHECKSUM }, { "live", no_argument, NULL, LIVE },
        { NULL, 0, NULL, 0 },
    };
    uint64_t level;
    int ch;

    s->c = c;
    while ((ch = getopt_long(argc, argv, "hcp", opts, NULL)) != -1) {
        switch (ch) {
        case 'c': s->then = GO_ON; break;
        case 'p': s->then = STAY_PAUSED; break;
        case COMPRESS:
            if (!cli_codec(optarg ? optarg : "zstd", &s->opt.codec))
                return cli_fail(c, "none, zero, zlib or zstd", "no compression is called %s", optarg);
            break;
        case LEVEL:
            if (!cli_number(optarg, 22, &level) || level == 0)
                return cli_fail(c, "zlib has 1 to 9, zstd 1 to 22", "no compression level is called %s", optarg);
            s->opt.level = (int)level;
            break;
        case CHECKSUM: s->opt.checksum = true; break;
        case LIVE: s->opt.live = true; break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (s->opt.codec == STREAM_ZLIB && s->opt.level > 9)
        return cli_fail(c, "zlib has 1 to 9, zstd 1 to 22", "zlib has no level %d", s->opt.level);
    if (!cli_args(c, argc, argv, optind, 2, 3))             /* xl takes a configuration as third */
        return EXIT_FAILURE;
    if (vane_dom_find(c->v, argv[optind], &s->d) < 0)
        return cli_error(c);
    s->file = argv[optind + 1];
    if (!c->json)
        printf("Saving to %s new xl format (info 0x3/0x0)\n", s->file);
    fflush(stdout);
    return save(s) < 0 ? cli_error(c) : show_saved(s);
}

int cmd_save(struct cli *c, int argc, char **argv)
{
    struct saving s = { .then = DESTROY };

    return save_command(c, argc, argv, &s);
}

int cmd_snapshot(struct cli *c, int argc, char **argv)
{
    struct saving s = { .then = GO_ON };

    return save_command(c, argc, argv, &s);
}

/* ---- restore ---- */

int cli_open_image(struct cli *c, const char *file, struct stream_in *in, struct vane_config **cfg)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        return vane_fail(c->v, -errno, NULL, "cannot open %s: %s", file, strerror(errno));
    if (!c->json)
        printf("Loading new save file %s (new xl fmt info 0x3/0x0)\n", file);
    fflush(stdout);
    stream_in_fd(in, c->v, fd);
    rc = stream_read_config(in, cfg);
    if (rc < 0)
        cli_close_image(in);
    return rc;
}

void cli_close_image(struct stream_in *in)
{
    close(in->fd);
    stream_in_close(in);
}

/* xl lets a file replace the configuration that the image has. */
static int other_config(struct cli *c, const char *file, struct vane_config **cfg)
{
    struct vane_config *other;
    char *text = cli_config_text(c, file, NULL, 0);
    int rc = text ? vane_config_parse(c->v, file, text, strlen(text), &other) : vane_last_error(c->v)->code;

    free(text);
    if (rc < 0)
        return rc;
    if (!other->has_uuid) {                             /* it stays the same machine */
        other->uuid = (*cfg)->uuid;
        other->has_uuid = (*cfg)->has_uuid;
    }
    vane_config_free(*cfg);
    *cfg = other;
    return 0;
}

int cli_start_image(struct cli *c, struct stream_in *in, struct vane_config *cfg,
                    const struct start_options *o)
{
    struct vane_create a = { .replaces = VANE_DOMID_ANY, .console = "xenconsoled" };
    int rc;

    if (!o->no_daemon && vaned_ensure(c->v) == 0 && vaned_serves_consoles())
        a.console = "vaned";
    rc = stream_restore(in, cfg, &a);
    if (rc < 0)
        return cli_error(c);
    vaned_poke();
    if (o->console)
        return cli_console(c, a.domid, !o->paused);
    return !o->paused && vane_unpause(c->v, a.domid) < 0 ? cli_error(c) : cli_ok(c, "name", cfg->name);
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
    struct start_options o = {0};
    struct vane_config *cfg = NULL;
    struct stream_in in;
    int ch, rc;

    while ((ch = getopt(argc, argv, "hFpcedVA")) != -1) {
        switch (ch) {
        case 'p': o.paused = true; break;
        case 'c': o.console = true; break;
        case 'e': o.no_daemon = true; break;
        case 'F': case 'd': break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (!cli_args(c, argc, argv, optind, 1, 2))
        return EXIT_FAILURE;
    if (cli_open_image(c, argv[argc - 1], &in, &cfg) < 0)
        return cli_error(c);
    rc = argc - optind == 2 ? other_config(c, argv[optind], &cfg) : 0;
    rc = rc < 0 ? cli_error(c) : cli_start_image(c, &in, cfg, &o);
    vane_config_free(cfg);
    cli_close_image(&in);
    return rc;
}
