/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_life.c - destroy, shutdown, reboot, pause, unpause, rename, memory, vcpus, sysrq, trigger */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/daemon.h"
#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/life.h"
#include "../migrate/target.h"
#include "cli.h"

#define WAIT_DOWN_MS (24 * 3600 * 1000)

static int find(struct cli *c, const char *who, struct vane_dom *d)
{
    return vane_dom_find(c->v, who, d) < 0 ? cli_error(c) : 0;
}

int cmd_destroy(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;
    int ch;

    while ((ch = getopt(argc, argv, "fh")) != -1) {
        if (ch != 'f')
            return cli_usage(c, argv[0]);
    }
    if (!cli_args(c, argc, argv, optind, 1, 1) || find(c, argv[optind], &d))
        return EXIT_FAILURE;
    return vane_destroy(c->v, &d) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

/* Its policy is vaned's to apply when it is down: one that was killed meanwhile is started again. */
static void ensure_policy(struct cli *c, const struct vane_dom *d)
{
    size_t len;
    char *record = vane_record_read(vane_record_of(d), &len);

    if (record)
        vaned_ensure(c->v);
    free(record);
}

/* The parts of shutdown and reboot: all are asked before anybody is waited for, and nobody who was not asked. */
static int ask_all(struct cli *c, const struct vane_dom *list, int n, const char *what, bool wait)
{
    bool *asked = calloc((size_t)n + 1, sizeof(*asked));
    int rc = 0;

    for (int i = 0; asked && i < n; i++) {
        ensure_policy(c, &list[i]);
        if (!c->json)
            fprintf(stderr, "%s domain %u\n", strcmp(what, "reboot") == 0 ? "Rebooting" : "Shutting down",
                    list[i].domid);
        asked[i] = vane_ask_begin(c->v, &list[i], what) == 0;
        if (!asked[i])
            rc = cli_error(c);
    }
    for (int i = 0; asked && i < n; i++) {
        if (asked[i] && vane_ask_end(c->v, &list[i], what) < 0) {
            asked[i] = false;
            rc = cli_error(c);
        }
    }
    for (int i = 0; asked && wait && i < n; i++) {
        if (asked[i] && vane_wait_down(c->v, list[i].domid, WAIT_DOWN_MS) < 0)
            rc = cli_error(c);
        else if (asked[i] && !c->json)
            fprintf(stderr, "Domain %u has been shut down\n", list[i].domid);
    }
    free(asked);
    return rc;
}

/* -a means guests that are up. */
static int drop_others(struct vane_dom *list, int n)
{
    int kept = 0;

    for (int i = 0; i < n; i++) {
        if (list[i].domid != 0 && !list[i].shutdown && !list[i].dying)
            list[kept++] = list[i];
    }
    return kept;
}

static int ask(struct cli *c, int argc, char **argv, const char *what)
{
    static const struct option opts[] = {
        { "all", 0, NULL, 'a' }, { "wait", 0, NULL, 'w' }, { NULL, 0, NULL, 0 },
    };
    struct vane_dom *list, one;
    bool all = false, wait = false;
    int ch, n, rc;

    while ((ch = getopt_long(argc, argv, "awFh", opts, NULL)) != -1) {
        switch (ch) {
        case 'a': all = true; break;
        case 'w': wait = true; break;
        case 'F': break;
        default: return cli_usage(c, argv[0]);
        }
    }
    if (all) {
        n = vane_dom_list(c->v, &list);
        if (n < 0)
            return cli_error(c);
        rc = ask_all(c, list, drop_others(list, n), what, wait);
        free(list);
    } else if (optind >= argc) {
        return cli_fail(c, NULL, "You must specify -a or a domain id.");
    } else {
        rc = find(c, argv[optind], &one) ? EXIT_FAILURE : ask_all(c, &one, 1, what, wait);
    }
    return rc ? rc : cli_ok(c, NULL, NULL);
}

int cmd_shutdown(struct cli *c, int argc, char **argv)
{
    return ask(c, argc, argv, "poweroff");
}

int cmd_reboot(struct cli *c, int argc, char **argv)
{
    return ask(c, argc, argv, "reboot");
}

int cmd_pause(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;

    if (!cli_args(c, argc, argv, 1, 1, 1) || find(c, argv[1], &d))
        return EXIT_FAILURE;
    return vane_pause(c->v, d.domid) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

int cmd_unpause(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;

    if (!cli_args(c, argc, argv, 1, 1, 1) || find(c, argv[1], &d))
        return EXIT_FAILURE;
    return migrate_may_start(c->v, &d) < 0 || vane_unpause(c->v, d.domid) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

int cmd_rename(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;

    if (!cli_args(c, argc, argv, 1, 2, 2) || cli_find_settled(c, argv[1], &d))
        return EXIT_FAILURE;
    return vane_rename(c->v, &d, argv[2]) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

static int set_memory(struct cli *c, int argc, char **argv,
                      int (*seek)(struct cli *, const char *, struct vane_dom *),
                      int (*set)(struct vane *, const struct vane_dom *, uint64_t))
{
    struct vane_dom d;
    uint64_t kb;

    if (!cli_args(c, argc, argv, 1, 2, 2) || seek(c, argv[1], &d))
        return EXIT_FAILURE;
    if (!cli_size_kb(argv[2], 'm', &kb))
        return cli_fail(c, "for example 512, 512m, 2g", "invalid memory size: %s", argv[2]);
    return set(c->v, &d, kb) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

int cmd_mem_set(struct cli *c, int argc, char **argv)
{
    return set_memory(c, argc, argv, find, vane_mem_set);           /* a copy takes it along */
}

int cmd_mem_max(struct cli *c, int argc, char **argv)
{
    return set_memory(c, argc, argv, cli_find_settled, vane_mem_max);
}

int cmd_vcpu_set(struct cli *c, int argc, char **argv)
{
    static const struct option opts[] = { { "ignore-host", 0, NULL, 'i' }, { NULL, 0, NULL, 0 } };
    struct vane_dom d;
    uint64_t n;
    bool any = false;
    int ch;

    while ((ch = getopt_long(argc, argv, "ih", opts, NULL)) != -1) {
        if (ch != 'i')
            return cli_usage(c, argv[0]);
        any = true;
    }
    if (!cli_args(c, argc, argv, optind, 2, 2) || cli_find_settled(c, argv[optind], &d))
        return EXIT_FAILURE;
    if (!cli_number(argv[optind + 1], 1024, &n))
        return cli_fail(c, "a number, 1 to the domain's maxvcpus", "Error: Invalid argument %s as VCPU count", argv[optind + 1]);
    if (!any && d.vcpus_online < n && (int)n > xc_get_online_cpus(c->v->xc))
        return cli_fail(c, "use -i to override", "You are overcommitting! You have %d physical CPUs and "
                        "want %" PRIu64 " vCPUs! Aborting, use --ignore-host to continue",
                        xc_get_online_cpus(c->v->xc), n);
    return vane_vcpu_set(c->v, &d, (unsigned)n) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

int cmd_sysrq(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;

    if (!cli_args(c, argc, argv, 1, 2, 2) || find(c, argv[1], &d))
        return EXIT_FAILURE;
    if (strlen(argv[2]) != 1)
        return cli_fail(c, NULL, "Invalid sysrq. It must be one letter.");
    return vane_sysrq(c->v, &d, argv[2][0]) < 0 ? cli_error(c) : cli_ok(c, NULL, NULL);
}

/* ABI: domctl.h sendtrigger. On PV guests only nmi means something; power is a shutdown request. */
int cmd_trigger(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;
    uint64_t vcpu = 0;

    if (!cli_args(c, argc, argv, 1, 2, 3) || find(c, argv[1], &d))
        return EXIT_FAILURE;
    if (argc > 3 && !cli_number(argv[3], d.vcpu_max_id, &vcpu))
        return cli_fail(c, "`vane vcpu-list DOMAIN` shows them", "domain %s has no vCPU %s", d.name, argv[3]);
    if (strcmp(argv[2], "power") == 0)
        return ask_all(c, &d, 1, "poweroff", false);
    if (strcmp(argv[2], "reset") == 0)
        return ask_all(c, &d, 1, "reboot", false);
    if (strcmp(argv[2], "nmi") != 0)
        return cli_fail(c, "power, reset or nmi", "trigger %s means nothing to a PV guest", argv[2]);
    if (xc_domain_send_trigger(c->v->xc, d.domid, XEN_DOMCTL_SENDTRIGGER_NMI, (uint32_t)vcpu) < 0) {
        vane_fail(c->v, -errno, "`vane sysrq DOMAIN l` asks the guest for backtraces",
                  "cannot send an NMI to domain %s: %s", d.name, strerror(errno));
        return cli_error(c);
    }
    return cli_ok(c, NULL, NULL);
}

int cmd_dump_core(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;
    int rc;

    if (!cli_args(c, argc, argv, 1, 2, 2) || find(c, argv[1], &d))
        return EXIT_FAILURE;
    if (d.domid == 0)
        return cli_fail(c, NULL, "Domain-0 cannot dump its own core");
    if (!d.paused && !d.shutdown && vane_pause(c->v, d.domid) < 0)
        return cli_error(c);
    rc = xc_domain_dumpcore(c->v->xc, d.domid, argv[2]) < 0
        ? vane_fail(c->v, errno ? -errno : -EIO, "is the disk full?", "cannot write the core of %s to %s: %s",
                    d.name, argv[2], vane_xc_said(c->v)) : 0;
    if (!d.paused && !d.shutdown && vane_unpause(c->v, d.domid) < 0)
        rc = vane_last_error(c->v)->code;
    return rc < 0 ? cli_error(c) : cli_ok(c, "file", argv[2]);
}
