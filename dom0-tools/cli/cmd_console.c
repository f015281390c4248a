/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_console.c - console
 *
 * The terminal is the pty that the console daemon made; its name stands in a node that only Dom0 can
 * write. Reading goes on until the pty closes, the domain ends, or the user types ^].
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../lib/life.h"
#include "../lib/store.h"
#include "cli.h"

#define ESCAPE 0x1d             /* ^] */
#define TTY_WAIT_MS 10000

struct tty_arg {
    uint32_t domid;
    char path[256];                 /* of the terminal */
};

static int tty_known(struct vane *v, void *arg)
{
    struct tty_arg *a = arg;

    return store_get_con_tty(vane_store(v), a->domid, a->path, sizeof(a->path)) > 0 &&
           a->path[0] == '/';
}

static int open_tty(struct cli *c, uint32_t domid)
{
    struct tty_arg a = { .domid = domid };
    struct termios t;
    char path[STORE_PATH_MAX];
    int fd, rc;

    store_path_con_tty(path, sizeof(path), domid);
    rc = store_wait(c->v, path, TTY_WAIT_MS, tty_known, &a);
    if (rc < 0) {
        return rc == -ETIMEDOUT ? vane_fail(c->v, rc, "is xenconsoled or vaned running?",
                                            "domain %u has no console connected", domid) : rc;
    }
    fd = open(a.path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        rc = vane_fail(c->v, -errno, NULL, "cannot open the console %s: %s", a.path, strerror(errno));
    if (fd >= 0 && tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    return fd >= 0 ? fd : rc;
}

static bool copy(int from, int to, bool keyboard)
{
    char buf[4096];
    ssize_t n = read(from, buf, sizeof(buf));

    if (n <= 0)
        return false;
    if (keyboard && memchr(buf, ESCAPE, (size_t)n))
        return false;
    for (ssize_t at = 0; at < n;) {
        ssize_t w = write(to, buf + at, (size_t)(n - at));

        if (w <= 0)
            return false;
        at += w;
    }
    return true;
}

static void talk(struct cli *c, int tty, uint32_t domid)
{
    struct pollfd p[2] = { { .fd = tty, .events = POLLIN }, { .fd = 0, .events = POLLIN } };

    for (;;) {
        struct vane_dom d;
        int n = poll(p, 2, 1000);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0 && (p[0].revents & (POLLIN | POLLHUP)) && !copy(tty, 1, false))
            return;
        if (n > 0 && p[1].revents && !copy(0, tty, true)) {
            if (isatty(0))
                return;
            p[1].fd = -1;                   /* standard input ended: go on listening */
        }
        if (n == 0 && (vane_dom_state(c->v, domid, &d) < 0 || d.shutdown || d.dying))
            return;
    }
}

int cli_console(struct cli *c, uint32_t domid, bool unpause)
{
    struct termios old, raw;
    bool terminal = isatty(0) && tcgetattr(0, &old) == 0;
    int tty = open_tty(c, domid);

    if (tty < 0)
        return cli_error(c);
    if (unpause && vane_unpause(c->v, domid) < 0) {
        close(tty);
        return cli_error(c);
    }
    if (terminal) {
        raw = old;
        cfmakeraw(&raw);
        tcsetattr(0, TCSANOW, &raw);
    }
    talk(c, tty, domid);
    if (terminal)
        tcsetattr(0, TCSANOW, &old);
    close(tty);
    return 0;
}

int cmd_console(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "last", 0, NULL, 'l' }, { NULL, 0, NULL, 0 } };
    struct vane_dom d;
    bool last = false;
    int ch;

    while ((ch = getopt_long(argc, argv, "n:t:e:h", opts, NULL)) != -1) {
        switch (ch) {
        case 'l': last = true; break;
        case 'n':
            if (strcmp(optarg, "0") != 0)
                return cli_fail(c, NULL, "a PV guest has console 0 only");
            break;
        case 't':
            if (strcmp(optarg, "pv") != 0)
                return cli_fail(c, "use -t pv", "console type %s is not for PV guests", optarg);
            break;
        case 'e': break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (!cli_args(c, argc, argv, optind, 1, 1))
        return EXIT_FAILURE;
    if (last)
        return vaned_print_last(c->v, argv[optind], stdout) < 0 ? cli_error(c) : 0;
    if (vane_dom_find(c->v, argv[optind], &d) < 0)
        return cli_error(c);
    return cli_console(c, d.domid, false);
}
