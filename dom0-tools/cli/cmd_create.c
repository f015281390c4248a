/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_create.c - create, config-update */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../builder/cache.h"
#include "../config/config.h"
#include "../daemon/daemon.h"
#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/life.h"
#include "../lib/store.h"
#include "cli.h"

#define CONFIG_MAX (1 << 20)
#define CREATE_FAILED 3             /* xl's status when a domain cannot be created; 1: its text is wrong */

static const char *const console_names[] = { "xenconsoled", "vaned" };

struct create_options {
    const char *file;
    bool console, paused, dry_run, foreground, timing, wait, no_daemon;
};

char *cli_config_text(struct cli *c, const char *file, char **extra, int n)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct stat st;
    int fd = -1;

    if (!out)
        return NULL;
    if (file) {
        char buf[65536];
        ssize_t got;

        fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || st.st_size > CONFIG_MAX) {
            int err = fd < 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : EFBIG;

            if (fd >= 0)
                close(fd);
            fclose(out);
            free(text);
            vane_fail(c->v, -err, NULL, "Failed to read config file: %s: %s", file, strerror(err));
            return NULL;
        }
        while ((got = read(fd, buf, sizeof(buf))) > 0 && ftell(out) < CONFIG_MAX)
            fwrite(buf, 1, (size_t)got, out);
        close(fd);
        fputc('\n', out);
    }
    for (int i = 0; i < n; i++)
        fprintf(out, "%s\n", extra[i]);
    return fclose(out) == 0 ? text : NULL;
}

static void print_timing(struct cli *c, const struct vane_create *a)
{
    int64_t total = 0;

    for (unsigned i = 0; i < a->n_steps; i++)
        total += a->step[i].us;
    if (c->json)
        return;
    for (unsigned i = 0; i < a->n_steps; i++)
        printf("%-12s %8.3f ms\n", a->step[i].name, (double)a->step[i].us / 1000);
    printf("%-12s %8.3f ms%s\n", "total", (double)total / 1000,
           a->kernel_from_cache ? " (kernel from the cache)" : "");
}

static int result(struct cli *c, const struct create_options *o, const struct vane_create *a,
                  const char *name)
{
    struct json_object *j, *t;

    if (o->timing)
        print_timing(c, a);
    if (!c->json)
        return 0;
    j = json_object_new_object();
    t = json_object_new_object();
    json_object_object_add(j, "name", json_object_new_string(name));
    json_object_object_add(j, "domid", json_object_new_int((int)a->domid));
    json_object_object_add(j, "kernel_from_cache", json_object_new_boolean(a->kernel_from_cache));
    for (unsigned i = 0; i < a->n_steps; i++)
        json_object_object_add(t, a->step[i].name, json_object_new_int64(a->step[i].us));
    json_object_object_add(j, "timing_us", t);
    return cli_json(j);
}

/* The kernel is up when it has connected to XenStore: a hint from the guest, good enough to wait on. */
static int guest_is_up(struct vane *v, void *arg)
{
    const uint32_t *domid = arg;
    struct vane_dom d;
    bool ready;

    if (vane_dom_state(v, *domid, &d) < 0 || d.shutdown)
        return vane_fail(v, -EIO, "`vane console --last` shows what it said",
                         "domain %u stopped while it booted", *domid);
    return store_get_dom_control_feature_poweroff(vane_store(v), *domid, &ready) == 0 && ready;
}

static int wait_up(struct cli *c, uint32_t domid)
{
    char path[STORE_PATH_MAX];
    int rc;

    store_path_dom_control(path, sizeof(path), domid);
    rc = store_wait(c->v, path, 120000, guest_is_up, &domid);
    if (rc == -ETIMEDOUT)
        vane_fail(c->v, rc, "`vane console` shows what it does",
                  "domain %u did not come up within 120 s", domid);
    return rc < 0 ? cli_error(c) : 0;
}

static int run_create(struct cli *c, const struct create_options *o, struct vane_config *cfg)
{
    bool daemon = !o->no_daemon && !o->foreground && vaned_ensure(c->v) == 0;
    struct vane_create a = { .paused = o->paused || o->console, .replaces = VANE_DOMID_ANY,
                             .cache_dir = VANE_CACHE_DIR,
                             .console = console_names[daemon && vaned_serves_consoles()] };
    int rc = vane_create(c->v, cfg, &a);

    if (rc < 0) {
        cli_error(c);
        return CREATE_FAILED;
    }
    if (daemon)
        vaned_poke();
    result(c, o, &a, cfg->name);
    if (o->console)
        return cli_console(c, a.domid, !o->paused);
    if (o->wait && !o->paused)
        return wait_up(c, a.domid);
    if (o->foreground)
        return vaned_follow(c->v, a.domid) < 0 ? cli_error(c) : 0;
    return 0;
}

static int parse_options(struct cli *c, int argc, char **argv, struct create_options *o)
{
    static const struct option opts[] = {
        { "dryrun", 0, NULL, 'n' }, { "quiet", 0, NULL, 'q' }, { "defconfig", 1, NULL, 'f' },
        { "config", 1, NULL, 'f' }, { "timing", 0, NULL, 256 }, { "wait", 0, NULL, 257 },
        { "vncviewer", 0, NULL, 'V' }, { "vncviewer-autopass", 0, NULL, 'A' },
        { "ignore-global-affinity-masks", 0, NULL, 258 }, { NULL, 0, NULL, 0 },
    };
    int ch;

    while ((ch = getopt_long(argc, argv, "Fnqf:pcVAeh", opts, NULL)) != -1) {
        switch (ch) {
        case 'F': o->foreground = true; break;
        case 'n': o->dry_run = true; break;
        case 'q': c->quiet = true; break;
        case 'f': o->file = optarg; break;
        case 'p': o->paused = true; break;
        case 'c': o->console = true; break;
        case 'e': o->no_daemon = true; break;
        case 256: o->timing = true; break;
        case 257: o->wait = true; break;
        case 258: break;
        case 'V': case 'A':
            return cli_fail(c, "drop the option", "a PV guest has no VNC server"), -1;
        default: return cli_usage(c, argv[0]), -1;
        }
    }
    return optind;
}

int cmd_create(struct cli *c, int argc, char **argv)
{
    struct create_options o = { .dry_run = c->dry_run };
    struct vane_config *cfg;
    char *text, *extra[64];
    int first = parse_options(c, argc, argv, &o), n = 0, rc;

    if (first < 0)
        return EXIT_FAILURE;
    for (; first < argc && n < 64; first++) {
        if (strchr(argv[first], '='))
            extra[n++] = argv[first];
        else if (!o.file)
            o.file = argv[first];
        else
            return cli_usage(c, argv[0]);
    }
    if (!o.file && n == 0)
        return cli_usage(c, argv[0]);
    text = cli_config_text(c, o.file, extra, n);
    if (!text) {
        cli_error(c);
        return CREATE_FAILED;
    }
    if (!c->json && !c->quiet && o.file)
        printf("Parsing config from %s\n", o.file);
    fflush(stdout);
    rc = vane_config_parse(c->v, o.file ? o.file : "command line", text, strlen(text), &cfg);
    free(text);
    if (rc < 0)
        return cli_error(c);
    if (o.dry_run) {
        char uuid[VANE_UUID_LEN], *json;

        if (!cfg->has_uuid)
            vane_uuid_random(&cfg->uuid);
        vane_uuid_format(uuid, &cfg->uuid);
        json = vane_config_json(cfg, uuid);
        puts(json ? json : "{}");
        free(json);
        rc = 0;
    } else {
        rc = run_create(c, &o, cfg);
    }
    vane_config_free(cfg);
    return rc;
}

int cmd_config_update(struct cli *c, int argc, char **argv)
{
    struct vane_config *cfg;
    struct vane_dom d;
    char *text, *whole, uuid[VANE_UUID_LEN];
    int rc;

    if (!cli_args(c, argc, argv, 1, 2, 64))
        return EXIT_FAILURE;
    if (cli_find_settled(c, argv[1], &d))
        return EXIT_FAILURE;
    text = cli_config_text(c, argv[2], argv + 3, argc - 3);
    if (!text)
        return cli_error(c);
    vane_uuid_format(uuid, &d.uuid);
    rc = vane_config_parse(c->v, argv[2], text, strlen(text), &cfg);
    if (rc == 0) {
        if (asprintf(&whole, "%s\nuuid = \"%s\"\n", text, uuid) < 0)
            rc = vane_fail(c->v, -ENOMEM, NULL, "out of memory");
        else
            rc = vane_record_write(c->v, vane_record_of(&d), whole);
        if (rc == 0)
            free(whole);
        vane_config_free(cfg);
    }
    free(text);
    return rc < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}
