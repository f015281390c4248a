/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_migrate.c - migrate, migrate-receive
 *
 * The conversation is xl's, so that either end may be xl. Until the sender has said GO, its copy is the
 * one that runs and any failure lets it go on; after GO it stays suspended until the other side has
 * answered: with success it is destroyed, with the other side's promise not to run it goes on, and
 * with no answer it stays suspended and the user is told what to look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../lib/create.h"
#include "../lib/life.h"
#include "../lib/store.h"
#include "../stream/stream.h"
#include "../stream/stream_io.h"
#include "cli.h"

/* ABI: xl's messages; the banner goes without its NUL, the others with it. */
static const char banner[] = "xl migration receiver ready, send binary domain data.\n";
static const char ready[] = "domain received, ready to unpause";
static const char go[] = "domain is yours, you are cleared to unpause";
static const char report[] = "my copy unpause results are as follows";

#define PIPE_BYTES (1 << 20)

static int expect(struct cli *c, int fd, const char *msg, size_t n, const char *what)
{
    char buf[128];
    int rc = stream_read_fd(&fd, buf, n);

    if (rc < 0)
        return vane_fail(c->v, rc, "its messages are above", "the other side ended before it was %s", what);
    if (memcmp(buf, msg, n) != 0)
        return vane_fail(c->v, -EPROTO, NULL, "the other side said something else than that it is %s", what);
    return 0;
}

static int say(struct cli *c, int fd, const char *msg, size_t n)
{
    struct stream_out o = { .v = c->v, .fd = fd };

    return out_bytes(&o, msg, n);
}

static int show_progress(void *opaque, const struct save_progress *p)
{
    const struct cli *c = opaque;

    if (p->phase != SAVE_PRECOPY && p->phase != SAVE_END)
        return 0;
    if (c->json)
        printf("{\"round\":%u,\"pages\":%llu,\"dirty\":%llu,\"bytes\":%llu,\"ms\":%lld}\n", p->round,
               (unsigned long long)p->pages, (unsigned long long)p->dirty,
               (unsigned long long)p->bytes, (long long)p->elapsed_ms);
    else
        printf("round %u: %llu pages sent, %llu MiB so far, %lld ms\n", p->round,
               (unsigned long long)p->pages, (unsigned long long)p->bytes >> 20, (long long)p->elapsed_ms);
    fflush(stdout);
    return 0;
}

/* The command's standard input and output become *to and *from. */
static pid_t start_peer(struct cli *c, const char *command, int *to, int *from)
{
    int in[2], out[2];
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        vane_fail(c->v, -errno, NULL, "cannot start the transport: %s", strerror(errno));
        return -1;
    }
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    fcntl(in[1], F_SETPIPE_SZ, PIPE_BYTES);         /* fewer changes of hands; a smaller pipe works too */
    *to = in[1];
    *from = out[0];
    return pid;
}

struct migration {
    const char *command, *host;
    struct save_options save;
    bool paused, show;
};

/* After the image has gone over: GO, and what follows from the answer. */
static int hand_over(struct cli *c, const struct vane_dom *d, int to, int from, int64_t *up_ms)
{
    char status;
    int rc = expect(c, from, ready, sizeof(ready), "ready");

    if (rc == 0)
        rc = say(c, to, go, sizeof(go));
    if (rc < 0) {                           /* GO has not been received: ours goes on */
        struct vane_error first = *vane_last_error(c->v);

        if (stream_resume(c->v, d) < 0)
            vane_log(c->v, VANE_ERROR, "%s", vane_last_error(c->v)->what);
        return vane_fail(c->v, first.code, first.hint, "%s", first.what);
    }
    rc = expect(c, from, report, sizeof(report), "running");
    if (rc == 0)
        rc = stream_read_fd(&from, &status, 1);
    *up_ms = vane_now_ms();
    if (rc < 0)
        return vane_fail(c->v, rc, "look at the target: if the domain runs there, destroy this copy; "
                         "if not, `vane unpause` after `vane migrate-receive` is gone",
                         "the other side took over and did not report: this copy stays suspended");
    if (status != 0) {
        if (expect(c, from, go, sizeof(go), "leaving it to us") == 0 && stream_resume(c->v, d) == 0)
            return vane_fail(c->v, -EIO, NULL, "the target could not start the domain: it runs here again");
        return vane_fail(c->v, -EIO, "look at the target before you do anything here",
                         "the target could not start the domain and did not give it back");
    }
    return vane_destroy(c->v, d);
}

static int migrate(struct cli *c, const struct vane_dom *d, struct migration *m)
{
    int64_t down = 0, up = 0;
    int to, from, rc;
    pid_t pid = start_peer(c, m->command, &to, &from);

    if (pid < 0)
        return -EIO;
    signal(SIGPIPE, SIG_IGN);
    rc = expect(c, from, banner, sizeof(banner) - 1, "ready to receive");
    if (rc == 0)
        rc = stream_save(c->v, d, to, &m->save, &down);
    if (rc == 0)
        rc = hand_over(c, d, to, from, &up);
    close(to);
    close(from);
    waitpid(pid, NULL, 0);
    if (rc == 0 && !c->json)
        printf("migration of %s succeeded; it stood still for %lld ms\n", d->name,
               (long long)(up - down));
    return rc;
}

int cmd_migrate(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = {
        { "non-live", 0, NULL, 256 }, { "max-rounds", 1, NULL, 257 }, { "progress", 0, NULL, 258 },
        { "debug", 0, NULL, 259 }, { "live", 0, NULL, 259 }, { NULL, 0, NULL, 0 },
    };
    struct migration m = { .save = { .live = true } };
    const char *ssh = "ssh";
    struct vane_dom d;
    char *command;
    int ch, rc;

    while ((ch = getopt_long(argc, argv, "hs:C:epD", opts, NULL)) != -1) {
        switch (ch) {
        case 's': ssh = optarg; break;
        case 'p': m.paused = true; break;
        case 256: m.save.live = false; break;
        case 257: m.save.max_rounds = (unsigned)strtoul(optarg, NULL, 10); break;
        case 258: m.show = true; break;
        case 'C': case 'e': case 'D': case 259: break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (!cli_args(c, argc, argv, optind, 2, 2))
        return EXIT_FAILURE;
    if (vane_dom_find(c->v, argv[optind], &d) < 0)
        return cli_error(c);
    if (m.show) {
        m.save.progress = show_progress;
        m.save.opaque = c;
    }
    if (!*ssh)
        rc = asprintf(&command, "%s", argv[optind + 1]);
    else
        rc = asprintf(&command, "exec %s %s vane migrate-receive%s", ssh, argv[optind + 1],
                      m.paused ? " -p" : "");
    if (rc < 0)
        return EXIT_FAILURE;
    m.command = command;
    rc = migrate(c, &d, &m);
    free(command);
    return rc < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

/* Give the promise not to run: the sender may go on. */
static int refuse(struct cli *c, int to, uint32_t domid)
{
    struct vane_error first = *vane_last_error(c->v);
    struct vane_dom d;
    char status = 1;

    if (vane_dom_get(c->v, domid, &d) == 0 && vane_destroy(c->v, &d) < 0)
        vane_log(c->v, VANE_ERROR, "%s", vane_last_error(c->v)->what);
    else if (say(c, to, report, sizeof(report)) < 0 || say(c, to, &status, 1) < 0 ||
             say(c, to, go, sizeof(go)) < 0)
        vane_log(c->v, VANE_ERROR, "%s", vane_last_error(c->v)->what);
    vane_fail(c->v, first.code, first.hint, "%s", first.what);
    return cli_error(c);
}

/* The final name is free once the sender's copy is gone; on one host (a test) both exist for a moment. */
static int receive(struct cli *c, int to, bool paused)
{
    struct vane_create a = { .replaces = VANE_DOMID_ANY, .console = "xenconsoled" };
    struct vane_config *cfg;
    struct vane_dom d;
    char *final, status = 0;
    struct stream_in in;
    int rc;

    stream_in_fd(&in, c->v, 0);
    rc = stream_read_config(&in, &cfg);
    if (rc < 0)
        return cli_error(c);
    final = cfg->name;
    if (asprintf(&cfg->name, "%s--incoming", final) < 0) {
        cfg->name = final;
        vane_config_free(cfg);
        return EXIT_FAILURE;
    }
    if (vaned_ensure(c->v) == 0 && vaned_serves_consoles())
        a.console = "vaned";
    rc = stream_restore(&in, cfg, &a);
    stream_in_close(&in);
    if (rc == 0)
        rc = say(c, to, ready, sizeof(ready));
    if (rc == 0)
        rc = expect(c, 0, go, sizeof(go), "cleared to go");
    vane_config_free(cfg);
    if (rc < 0) {                           /* no GO: it must never run here */
        cli_error(c);
        if (a.domid && vane_dom_get(c->v, a.domid, &d) == 0 && vane_destroy(c->v, &d) < 0)
            cli_error(c);
        free(final);
        return EXIT_FAILURE;
    }
    if (vane_dom_get(c->v, a.domid, &d) < 0 || (!paused && vane_unpause(c->v, a.domid) < 0)) {
        free(final);
        return refuse(c, to, a.domid);
    }
    rc = say(c, to, report, sizeof(report));
    if (rc == 0)
        rc = say(c, to, &status, 1);
    for (int i = 0; i < 100 && vane_rename(c->v, &d, final) < 0; i++)
        usleep(100000);                     /* until the sender's copy has let go of the name */
    vaned_poke();
    free(final);
    return rc < 0 ? cli_error(c) : 0;
}

int cmd_migrate_receive(struct cli *c, int argc, char **argv)
{
    bool paused = false;
    int ch, to, rc;

    while ((ch = getopt(argc, argv, "hepdFV")) != -1) {
        if (ch == 'p')
            paused = true;
        else if (ch == 'h' || ch == '?')
            return cli_usage(c, argv[0]);
    }
    signal(SIGPIPE, SIG_IGN);
    to = fcntl(1, F_DUPFD_CLOEXEC, 3);
    dup2(2, 1);                             /* nothing but the protocol goes to the sender */
    if (to < 0 || say(c, to, banner, sizeof(banner) - 1) < 0)
        return cli_error(c);
    rc = receive(c, to, paused);
    close(to);
    return rc;
}
