/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_act.c - act: what vaned has a process do with a domain that went down (not for people)
 *
 * A restart creates the new domain in the old one's place: the name moves in one transaction, so it
 * is never missing from `list`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../builder/cache.h"
#include "../daemon/daemon.h"
#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/life.h"
#include "cli.h"

#define DUMP_DIR "/var/lib/xen/dump"

static int dump_core(struct cli *c, const struct vane_dom *d)
{
    char path[512], when[64];
    time_t now = time(NULL);

    mkdir("/var/lib/xen", 0755);
    mkdir(DUMP_DIR, 0700);
    strftime(when, sizeof(when), "%Y-%m%d-%H%M.%S", localtime(&now));
    snprintf(path, sizeof(path), DUMP_DIR "/%s-%s.%u.core", when, d->name, d->domid);
    if (xc_domain_dumpcore(c->v->xc, d->domid, path) < 0)
        vane_log(c->v, VANE_WARN, "no core of %s in %s: %s", d->name, path, vane_xc_said(c->v));
    return 0;
}

static int restart(struct cli *c, const struct vane_dom *d, bool keep_old)
{
    struct vane_create a = { .replaces = keep_old ? VANE_DOMID_ANY : d->domid,
                             .cache_dir = VANE_CACHE_DIR, .console = "xenconsoled" };
    struct vane_config *cfg;
    int rc = vane_config_now(c->v, d, &cfg);

    if (rc < 0)
        return cli_error(c);
    if (keep_old) {
        char name[280];

        snprintf(name, sizeof(name), "%.200s-%u", d->name, d->domid);
        vane_record_remove(vane_record_of(d));      /* the old one is only kept to be looked at */
        rc = vane_rename(c->v, d, name);
        vane_uuid_random(&cfg->uuid);
    } else {
        cfg->uuid = d->uuid;
    }
    cfg->has_uuid = true;
    if (vaned_ensure(c->v) == 0 && vaned_serves_consoles())
        a.console = "vaned";
    if (rc == 0)
        rc = vane_create(c->v, cfg, &a);
    vane_config_free(cfg);
    return rc < 0 ? cli_error(c) : 0;
}

int cmd_act(struct cli *c, int argc, char **argv)
{
    struct vane_dom d;
    uint64_t id;

    if (argc != 3 || !cli_number(argv[1], DOMID_FIRST_RESERVED - 1, &id) || vane_dom_get(c->v, (uint32_t)id, &d) < 0)
        return EXIT_FAILURE;
    if (strncmp(argv[2], "coredump-", 9) == 0) {
        dump_core(c, &d);
        argv[2] += 9;
    }
    if (strcmp(argv[2], "destroy") == 0)
        return vane_destroy(c->v, &d) < 0 ? cli_error(c) : 0;
    if (strcmp(argv[2], "restart") == 0 || strcmp(argv[2], "soft-reset") == 0)
        return restart(c, &d, false);
    if (strcmp(argv[2], "rename-restart") == 0)
        return restart(c, &d, true);
    return EXIT_FAILURE;
}
