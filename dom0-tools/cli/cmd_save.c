/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_save.c - save, restore */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../lib/create.h"
#include "../lib/life.h"
#include "../stream/stream.h"
#include "cli.h"

/* Into a temporary file that takes the name only when it is complete and on the disk. */
static int save_to(struct cli *c, const struct vane_dom *d, const char *file)
{
    struct save_options o = {0};
    char tmp[512];
    int64_t down;
    int fd, rc;

    if (snprintf(tmp, sizeof(tmp), "%s.partial", file) >= (int)sizeof(tmp))
        return vane_fail(c->v, -ENAMETOOLONG, NULL, "%s is too long", file);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return vane_fail(c->v, -errno, NULL, "cannot write %s: %s", tmp, strerror(errno));
    rc = stream_save(c->v, d, fd, &o, &down);
    if (rc == 0 && (fsync(fd) < 0 || rename(tmp, file) < 0)) {
        rc = vane_fail(c->v, -errno, NULL, "cannot finish %s: %s", file, strerror(errno));
        if (stream_resume(c->v, d) < 0)
            vane_log(c->v, VANE_ERROR, "%s", vane_last_error(c->v)->what);
    }
    close(fd);
    if (rc < 0)
        unlink(tmp);
    return rc;
}

int cmd_save(struct cli *c, int argc, char **argv)
{
    bool go_on = false, paused = false;
    struct vane_dom d;
    int ch, rc;

    while ((ch = getopt(argc, argv, "hcp")) != -1) {
        switch (ch) {
        case 'c': go_on = true; break;
        case 'p': paused = true; break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (!cli_args(c, argc, argv, optind, 2, 3))
        return EXIT_FAILURE;
    if (vane_dom_find(c->v, argv[optind], &d) < 0)
        return cli_error(c);
    if (!c->json)
        printf("Saving to %s new xl format (info 0x3/0x0)\n", argv[optind + 1]);
    fflush(stdout);
    if (save_to(c, &d, argv[optind + 1]) < 0)
        return cli_error(c);
    if (paused && vane_pause(c->v, d.domid) < 0)
        return cli_error(c);
    rc = go_on || paused ? stream_resume(c->v, &d) : vane_destroy(c->v, &d);
    return rc < 0 ? cli_error(c) : cli_ok(c, "file", argv[optind + 1]);
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
    struct vane_create a = { .replaces = VANE_DOMID_ANY, .console = "xenconsoled" };
    bool paused = false, console = false, no_daemon = false;
    struct vane_config *cfg;
    int ch, fd, rc;

    while ((ch = getopt(argc, argv, "hFpcedVA")) != -1) {
        switch (ch) {
        case 'p': paused = true; break;
        case 'c': console = true; break;
        case 'e': no_daemon = true; break;
        case 'F': case 'd': break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (!cli_args(c, argc, argv, optind, 1, 2))
        return EXIT_FAILURE;
    fd = open(argv[argc - 1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        vane_fail(c->v, -errno, NULL, "cannot open %s: %s", argv[argc - 1], strerror(errno));
        return cli_error(c);
    }
    if (!c->json)
        printf("Loading new save file %s (new xl fmt info 0x3/0x0)\n", argv[argc - 1]);
    fflush(stdout);
    rc = stream_read_config(c->v, fd, &cfg);
    if (rc == 0) {
        if (!no_daemon && vaned_ensure(c->v) == 0 && vaned_serves_consoles())
            a.console = "vaned";
        rc = stream_restore(c->v, fd, cfg, &a);
        vane_config_free(cfg);
    }
    close(fd);
    if (rc == 0)
        vaned_poke();
    if (rc == 0 && console)
        return cli_console(c, a.domid, !paused);
    if (rc == 0 && !paused)
        rc = vane_unpause(c->v, a.domid);
    return rc < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}
