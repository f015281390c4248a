/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_migrate.c - migrate, with what stops and mends it; migrate-receive, migrate-listen (docs/migration.md) */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "../daemon/daemon.h"
#include "../migrate/source.h"
#include "../migrate/target.h"
#include "cli.h"

#define TLS_PORT "8002"
#define CANCEL_MS 120000

static atomic_bool cancelled;

static void on_signal(int sig)
{
    (void)sig;
    atomic_store(&cancelled, true);
}

/* A first signal cancels; nothing interrupts what must be finished. */
static void catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The helper that speaks TLS stands beside this program, or in /usr/sbin. */
static void tls_helper(char out[512])
{
    ssize_t n = readlink("/proc/self/exe", out, 512 - 16);
    char *slash;

    out[n > 0 ? n : 0] = '\0';
    slash = strrchr(out, '/');
    if (slash)
        snprintf(slash + 1, 16, "vane-tls");
    if (!slash || access(out, X_OK) < 0)
        snprintf(out, 512, "/usr/sbin/vane-tls");
}

/* ---- what is shown ---- */

static void show_text(void *opaque, const char *json, const struct stage_line *line)
{
    static const char *const said[] = { "connecting", "the target makes the domain", NULL, "asking it to suspend",
        "it stands still", "the target has it all", "handing over", "the target starts it", "it runs there",
        "removing the copy here" };
    const struct save_progress *p = line->copy;

    (void)opaque;
    (void)json;
    if (line->stage == S2_PRECOPY && p)
        printf("round %u: %llu pages sent, %llu MiB so far, %llu ms, %llu pages dirty, %llu a second, %llu MiB/s\n",
               p->round, (unsigned long long)p->pages, (unsigned long long)p->bytes >> 20,
               (unsigned long long)p->elapsed_ms, (unsigned long long)p->dirty, (unsigned long long)p->dirty_rate,
               (unsigned long long)p->link_rate >> 20);
    else if (said[line->stage])
        printf("S%d %s\n", (int)line->stage, said[line->stage]);
    fflush(stdout);
}

static void show_json(void *opaque, const char *json, const struct stage_line *line)
{
    (void)opaque;
    (void)line;
    fputs(json, stdout);
    fflush(stdout);
}

/* ---- migrate ---- */

enum { OPT_NON_LIVE = 256, OPT_MAX_ROUNDS, OPT_PROGRESS, OPT_IGNORED, OPT_DOWNTIME, OPT_TIMEOUT, OPT_STALL,
       OPT_BANDWIDTH, OPT_COMPRESS, OPT_THROTTLE, OPT_STRICT, OPT_TLS, OPT_CANCEL, OPT_RECOVER, OPT_PROMOTE,
       OPT_DISCARD, OPT_YES };

struct request {
    struct migrate_options o;
    const char *ssh;
    int mode;                       /* 0, or OPT_CANCEL, OPT_RECOVER, OPT_PROMOTE, OPT_DISCARD */
    bool tls, yes;
};

static bool number(const char *s, uint64_t max, uint64_t scale, uint64_t *out)
{
    if (!cli_number(s, max, out))
        return false;
    *out *= scale;
    return true;
}

static bool codec(const char *s, enum stream_codec *out)
{
    *out = !s || strcmp(s, "zstd") == 0 ? STREAM_ZSTD : strcmp(s, "zlib") == 0 ? STREAM_ZLIB : STREAM_PLAIN;
    if (s && strcmp(s, "zero") == 0)
        *out = STREAM_ZERO;
    return *out != STREAM_PLAIN || strcmp(s, "none") == 0;
}

static int take_option(struct cli *c, int ch, struct request *q)
{
    struct save_options *s = &q->o.copy;
    uint64_t n = 0;
    bool ok = true;

    switch (ch) {
    case 's': q->ssh = optarg; break;
    case 'p': q->o.paused = true; break;
    case OPT_NON_LIVE: s->live = false; break;
    case OPT_THROTTLE: s->throttle = true; break;
    case OPT_STRICT: s->strict = true; break;
    case OPT_TLS: q->tls = true; break;
    case OPT_YES: q->yes = true; break;
    case OPT_CANCEL: case OPT_RECOVER: case OPT_PROMOTE: case OPT_DISCARD: q->mode = ch; break;
    case OPT_PROGRESS:
        ok = !optarg || strcmp(optarg, "json") == 0 || strcmp(optarg, "text") == 0;
        q->o.show = (optarg && strcmp(optarg, "json") == 0) || (!optarg && c->json) ? show_json : show_text;
        break;
    case OPT_MAX_ROUNDS: ok = number(optarg, 100000, 1, &n); s->max_rounds = (unsigned)n; break;
    case OPT_DOWNTIME: ok = number(optarg, 3600000, 1, &s->max_downtime_ms); break;
    case OPT_TIMEOUT: ok = number(optarg, 1000000, 1000, &s->timeout_ms); break;
    case OPT_BANDWIDTH: ok = number(optarg, 1000000, 1 << 20, &s->bandwidth); break;
    case OPT_STALL: ok = number(optarg, 3600, 1, &n); q->o.stall_s = (int)n; break;
    case OPT_COMPRESS: ok = codec(optarg, &s->codec); break;
    case 'C': case 'e': case 'D': case OPT_IGNORED: break;
    default: return cli_usage(c, "migrate");
    }
    return ok ? 0 : cli_fail(c, "see `vane help migrate`", "%s is not a value for this option", optarg);
}

static int command_line(struct cli *c, const struct request *q, const char *host, char out[MIGRATE_TRANSPORT_MAX])
{
    const char *paused = q->o.paused ? " -p" : "", *colon = strrchr(host, ':');
    char helper[512];
    int n;

    if (q->tls) {
        bool port = colon && (strchr(host, ':') == colon || colon[-1] == ']');

        /* the name goes through a shell */
        if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") != strlen(host))
            return cli_fail(c, NULL, "%s cannot be a host", host);
        tls_helper(helper);
        n = snprintf(out, MIGRATE_TRANSPORT_MAX, "exec %s connect %.*s %s", helper,
                     port ? (int)(colon - host) : (int)strlen(host), host, port ? colon + 1 : TLS_PORT);
    } else if (!*q->ssh) {
        n = snprintf(out, MIGRATE_TRANSPORT_MAX, "%s", host);
    } else {
        n = snprintf(out, MIGRATE_TRANSPORT_MAX, "exec %s %s vane migrate-receive%s", q->ssh, host, paused);
    }
    return n < MIGRATE_TRANSPORT_MAX ? 0 : cli_fail(c, NULL, "the transport's command is too long");
}

static int migrate(struct cli *c, struct request *q, const char *who, const char *host)
{
    char transport[MIGRATE_TRANSPORT_MAX];
    struct migrate_result result;
    struct vane_dom d;
    int rc;

    if (command_line(c, q, host, transport) != 0 )
        return EXIT_FAILURE;
    if (vane_dom_find(c->v, who, &d) < 0)
        return cli_error(c);
    if (d.domid == 0)
        return cli_fail(c, NULL, "Domain-0 stays where it is");
    catch_signals();
    q->o.transport = transport;
    q->o.peer = host;
    q->o.cancel = &cancelled;
    vaned_ensure(c->v);                     /* it goes on when this process cannot */
    rc = migrate_source(c->v, &d, &q->o, &result);
    vaned_poke();
    if (rc < 0 && result.fate == FATE_OPEN)
        fprintf(stderr, "the guest stands still until that is clear; vaned tries again, as does "
                "`vane migrate --recover`\n");
    if (rc < 0)
        return cli_error(c);
    if (!c->json)
        printf("migration of %s succeeded; it stood still for %lld ms\n", d.name, (long long)result.down_ms);
    return cli_ok(c, NULL, NULL);
}

/* ---- what stops and mends it ---- */

/* A migration by its id, or by the name of the guest that is on its way. */
static int find_guest(struct cli *c, const char *who, struct vane_uuid *guest)
{
    struct migrate_record r;
    struct vane_uuid id;
    struct vane_dom d;

    if (vane_uuid_parse(who, &id)) {
        int rc = record_load(c->v, MIGRATE_SOURCE, &id, &r);

        *guest = r.guest;
        return rc;
    }
    if (vane_dom_find(c->v, who, &d) < 0)
        return vane_last_error(c->v)->code;
    *guest = d.uuid;
    return 0;
}

static int cancel(struct cli *c, const char *who)
{
    int64_t end = vane_now_ms() + CANCEL_MS;
    struct vane_uuid guest, id;
    struct migrate_record r;
    struct vane_dom d;
    pid_t pid;
    int fd;

    if (find_guest(c, who, &guest) < 0)
        return cli_error(c);
    pid = work_holder(MIGRATE_SOURCE, &guest);
    fd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (fd < 0 || work_holder(MIGRATE_SOURCE, &guest) != pid || pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0)
        return cli_fail(c, "`vane migrate-status` lists what is known", "no migration of %s is under way", who);
    close(fd);
    while (work_holder(MIGRATE_SOURCE, &guest) == pid) {
        if (vane_now_ms() > end)
            return cli_fail(c, "`vane migrate-status` shows where it is", "it has not ended yet");
        usleep(20000);
    }
    if (record_of_guest(c->v, MIGRATE_SOURCE, &guest, &r) == 0 && r.state == MIG_COMMITTING)
        return cli_fail(c, "`vane migrate --recover` brings it to an end", "too late: it was being handed over");
    if (!vane_uuid_parse(who, &id) && vane_dom_find(c->v, who, &d) < 0)
        return cli_fail(c, NULL, "too late: it has moved");
    return cli_ok(c, NULL, NULL);
}

static int recover_one(struct cli *c, const struct migrate_record *r)
{
    static const char *const fates[] = { "runs here", "runs at the target", "cannot be told yet", "was lost with this host's power" };
    enum migrate_fate fate = FATE_OPEN;
    char id[VANE_UUID_LEN];
    int rc;

    vane_uuid_format(id, &r->id);
    if (r->role == MIGRATE_SOURCE)
        rc = migrate_recover_source(c->v, r, &fate);
    else
        rc = migrate_recover_target(c->v, r);
    if (rc < 0) {
        fprintf(stderr, "%s %s: ", id, r->name);
        return cli_error(c);
    }
    if (!c->json && r->role == MIGRATE_SOURCE)
        printf("%s %s: %s\n", id, r->name, fates[fate]);
    return 0;
}

static int recover(struct cli *c, const char *id)
{
    struct migrate_record *list;
    struct vane_uuid uuid;
    int n, rc = 0, found = 0;

    if (id && !vane_uuid_parse(id, &uuid))
        return cli_fail(c, "`vane migrate-status` lists them", "%s is no migration's id", id);
    signal(SIGPIPE, SIG_IGN);
    n = record_list(c->v, &list);
    for (int i = 0; i < n; i++) {
        if (id && memcmp(&list[i].id, &uuid, sizeof(uuid)) != 0)
            continue;
        found++;
        if (recover_one(c, &list[i]) != 0)
            rc = EXIT_FAILURE;
    }
    free(list);
    vaned_poke();
    if (id && !found)
        return cli_fail(c, "`vane migrate-status` lists them", "there is no record of that migration here");
    return rc;
}

static int decide(struct cli *c, const struct request *q, const char *id)
{
    bool here = q->mode == OPT_PROMOTE;
    struct migrate_record r;
    struct vane_uuid uuid;
    enum migrate_role role = MIGRATE_TARGET;
    int rc;

    if (!vane_uuid_parse(id, &uuid))
        return cli_fail(c, "`vane migrate-status` lists them", "%s is no migration's id", id);
    rc = record_load(c->v, role, &uuid, &r);
    if (rc == -ENOENT)
        rc = record_load(c->v, role = MIGRATE_SOURCE, &uuid, &r);
    if (rc < 0)
        return cli_error(c);
    if (!q->yes)
        return cli_fail(c, "say --yes when you are sure", "%s %s",
                        here ? "if the other host's copy runs, or ever runs again, two copies write to the same disks: "
                               "switch that host off first, then this starts"
                             : "if the other host's copy is not complete and well, the guest is lost: this drops",
                        r.name);
    signal(SIGPIPE, SIG_IGN);
    rc = role == MIGRATE_TARGET ? migrate_decide_target(c->v, &r, here) : migrate_decide_source(c->v, &r, here);
    vaned_poke();
    return rc < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

int cmd_migrate(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = {
        { "non-live", 0, NULL, OPT_NON_LIVE }, { "max-rounds", 1, NULL, OPT_MAX_ROUNDS },
        { "progress", 2, NULL, OPT_PROGRESS }, { "debug", 0, NULL, OPT_IGNORED }, { "live", 0, NULL, OPT_IGNORED },
        { "max-downtime", 1, NULL, OPT_DOWNTIME }, { "timeout", 1, NULL, OPT_TIMEOUT },
        { "stall-timeout", 1, NULL, OPT_STALL }, { "bandwidth", 1, NULL, OPT_BANDWIDTH },
        { "compress", 2, NULL, OPT_COMPRESS }, { "throttle", 0, NULL, OPT_THROTTLE },
        { "strict", 0, NULL, OPT_STRICT }, { "tls", 0, NULL, OPT_TLS }, { "cancel", 0, NULL, OPT_CANCEL },
        { "recover", 0, NULL, OPT_RECOVER }, { "promote", 0, NULL, OPT_PROMOTE },
        { "discard", 0, NULL, OPT_DISCARD }, { "yes", 0, NULL, OPT_YES }, { NULL, 0, NULL, 0 },
    };
    struct request q = { .ssh = "ssh", .o.copy = { .live = true, .codec = STREAM_ZERO } };
    int ch;

    while ((ch = getopt_long(argc, argv, "hs:C:epD", opts, NULL)) != -1) {
        if (take_option(c, ch, &q) != 0)
            return EXIT_FAILURE;
    }
    if (!cli_args(c, argc, argv, optind, q.mode == OPT_RECOVER ? 0 : q.mode ? 1 : 2, q.mode ? 1 : 2))
        return EXIT_FAILURE;
    switch (q.mode) {
    case OPT_CANCEL: return cancel(c, argv[optind]);
    case OPT_RECOVER: return recover(c, argv[optind]);
    case OPT_PROMOTE: case OPT_DISCARD: return decide(c, &q, argv[optind]);
    default: return migrate(c, &q, argv[optind], argv[optind + 1]);
    }
}

/* ---- the other side ---- */

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
    if (to < 0 || dup2(2, 1) < 0)           /* nothing but the protocol goes to the sender */
        return cli_fail(c, NULL, "standard output is not open");
    rc = migrate_target(c->v, 0, to, paused);
    close(to);
    vaned_poke();
    return rc < 0 ? cli_error(c) : 0;
}

int cmd_migrate_listen(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "port", 1, NULL, 'p' }, { "address", 1, NULL, 'a' },
                                          { NULL, 0, NULL, 0 } };
    const char *port = TLS_PORT, *address = "::";
    char helper[512];
    int ch;

    while ((ch = getopt_long(argc, argv, "hp:a:", opts, NULL)) != -1) {
        if (ch == 'p')
            port = optarg;
        else if (ch == 'a')
            address = optarg;
        else
            return cli_usage(c, argv[0]);
    }
    if (!cli_args(c, argc, argv, optind, 0, 0))
        return EXIT_FAILURE;
    tls_helper(helper);
    execl(helper, "vane-tls", "listen", address, port, (char *)NULL);
    return cli_fail(c, "install vane-tls beside vane", "cannot run %s: %s", helper, strerror(errno));
}
