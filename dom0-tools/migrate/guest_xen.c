/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_xen.c - copies of guests as domains of this host (guest.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/daemon.h"
#include "../devices/device.h"
#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/life.h"
#include "cards.h"
#include "disks.h"
#include "guest.h"

#define SLACK_KB 8192u                  /* page tables and the hypervisor's own of a domain */
#define REUNION_MS 500
#define REUNION_LOOK_US 20000

/* The domain of the record, without its name: 1, or 0 when there is none (any more). */
static int find(struct vane *v, const struct migrate_record *r, struct vane_dom *d)
{
    int rc;

    if (r->domid == VANE_DOMID_ANY || strcmp(r->boot, migrate_boot_id()) != 0)
        return 0;
    rc = vane_dom_state(v, r->domid, d);
    if (rc == -ESRCH)
        return 0;
    return rc < 0 ? rc : !d->dying && memcmp(&d->uuid, &r->guest, sizeof(d->uuid)) == 0;
}

static int must_find(struct vane *v, const struct migrate_record *r, struct vane_dom *d)
{
    int n = find(v, r, d);

    if (n > 0)
        return vane_dom_name(v, d);
    return n < 0 ? n : vane_fail(v, -ESRCH, NULL, "the copy of %s here is gone", r->name);
}

int guest_look(struct vane *v, const struct migrate_record *r, enum guest_is *is)
{
    struct vane_dom d;
    int n = find(v, r, &d);

    if (n < 0)
        return n;
    if (n == 0)
        *is = strcmp(r->boot, migrate_boot_id()) == 0 ? GUEST_GONE : GUEST_POWER;
    else if (r->role == MIGRATE_SOURCE)
        *is = d.shutdown && d.shutdown_reason == SHUTDOWN_suspend ? GUEST_STILL : GUEST_RUNS;
    else
        *is = d.paused ? GUEST_STILL : GUEST_RUNS;
    return 0;
}

/* ---- source ---- */

int guest_send(struct vane *v, const struct migrate_record *r, int fd, const struct save_options *o, int64_t *down_ms)
{
    struct vane_dom d;
    int rc = must_find(v, r, &d);

    return rc < 0 ? rc : stream_save(v, &d, fd, o, down_ms);
}

int guest_settle(struct vane *v, const struct migrate_record *r)
{
    return disks_release(v, r->domid);
}

int guest_set_aside(struct vane *v, const struct migrate_record *r)
{
    struct vane_dom d;
    char aside[300];
    int rc = must_find(v, r, &d);

    snprintf(aside, sizeof(aside), "%.180s--migratedaway", r->name);
    return rc < 0 ? rc : vane_rename(v, &d, aside);
}

int guest_resume(struct vane *v, const struct migrate_record *r)
{
    struct vane_dom d;
    int rc = must_find(v, r, &d);

    if (rc == 0)
        rc = disks_open(v, &d);
    if (rc == 0)
        rc = stream_resume(v, &d);
    if (rc == 0 && strcmp(d.name, r->name) != 0 && vane_rename(v, &d, r->name) < 0)
        vane_log(v, VANE_WARN, "%s", vane_last_error(v)->what);
    if (rc == 0)
        cards_stay(v, &d);
    return rc;
}

/* ---- target ---- */

/* The source itself, where a migration stays within one host (a test). */
static bool is_source(const struct vane_dom *d, const struct migrate_record *offer)
{
    return d->domid == offer->domid && strcmp(offer->boot, migrate_boot_id()) == 0 &&
           memcmp(&d->uuid, &offer->guest, sizeof(d->uuid)) == 0;
}

int guest_welcome(struct vane *v, const struct migrate_record *offer)
{
    xc_physinfo_t info = {0};
    struct vane_dom *list;
    char incoming[300];
    int n = vane_dom_list(v, &list), rc = 0;

    if (n < 0)
        return n;
    snprintf(incoming, sizeof(incoming), "%s--incoming", offer->name);
    for (int i = 0; i < n && rc == 0; i++) {
        if (is_source(&list[i], offer) || list[i].dying)
            continue;
        if (memcmp(&list[i].uuid, &offer->guest, sizeof(offer->guest)) == 0)
            rc = vane_fail(v, -EEXIST, "is it a copy of the same guest? look before you destroy it",
                           "domain %s (%u) has the guest's UUID", list[i].name, list[i].domid);
        else if (strcmp(list[i].name, offer->name) == 0 || strcmp(list[i].name, incoming) == 0)
            rc = vane_fail(v, -EEXIST, "rename that one, or the guest", "domain %s exists already, with id %u",
                           list[i].name, list[i].domid);
    }
    free(list);
    if (rc == 0 && xc_physinfo(v->xc, &info) < 0)
        rc = vane_fail(v, -errno, NULL, "cannot learn how much memory is free: %s", strerror(errno));
    if (rc == 0 && info.free_pages * 4 < offer->mem_kb + info.outstanding_pages * 4 + SLACK_KB)
        rc = vane_fail(v, -ENOMEM, "`vane info` shows free_memory", "the guest has %llu MiB, of which %llu are free here",
                       (unsigned long long)offer->mem_kb >> 10, (unsigned long long)info.free_pages >> 8);
    return rc;
}

struct incoming {
    const struct vane_config *cfg;
    struct migrate_record r;
    struct guest_hold **hold;
};

static void prepare_hold(uint32_t domid, void *whose)
{
    struct incoming *in = whose;

    in->r.domid = domid;
    *in->hold = guest_hold(in->cfg, &in->r);
}

int guest_receive(struct vane *v, struct stream_in *in, struct vane_config *cfg, struct migrate_record *r, struct guest_hold **hold)
{
    struct incoming one = { cfg, *r, hold };
    struct vane_create a = { .replaces = VANE_DOMID_ANY, .console = "xenconsoled", .disks_later = true,
                             .has_devices = prepare_hold, .whose = &one };
    char *final = cfg->name;
    int rc;

    /* ABI: xl's name for a copy that is not complete; the guest's own is the source's until the commit */
    if (asprintf(&cfg->name, "%s--incoming", final) < 0) {
        cfg->name = final;
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    }
    if (vaned_ensure(v) == 0 && vaned_serves_consoles())
        a.console = "vaned";
    rc = stream_restore(in, cfg, &a);
    r->domid = rc == 0 ? a.domid : VANE_DOMID_ANY;
    free(final);
    return rc;
}

/* The guest's users wait for its front ends, who need XenStore and this host's CPUs more than we do. */
static void let_it_connect(const struct vane_dom *d)
{
    int64_t end = vane_now_ms() + REUNION_MS;

    while (!d->paused && !d->shutdown && !dev_all_connected(d->domid) && vane_now_ms() < end)
        usleep(REUNION_LOOK_US);
}

int guest_rename(struct vane *v, const struct migrate_record *r)
{
    struct vane_dom d;
    int rc = find(v, r, &d);

    if (rc > 0)
        let_it_connect(&d);
    rc = must_find(v, r, &d);

    if (rc == 0 && strcmp(d.name, r->name) != 0) {
        rc = vane_rename(v, &d, r->name);
        vaned_poke();
    }
    return rc;
}

int guest_start(struct vane *v, const struct migrate_record *r, const struct vane_config *cfg)
{
    struct vane_dom d;
    int n = find(v, r, &d);             /* its name is asked of XenStore: nothing for now */

    if (n <= 0)
        return n < 0 ? n : vane_fail(v, -ESRCH, NULL, "the copy of %s here is gone", r->name);
    n = cfg ? disks_open_of(v, d.domid, cfg) : disks_open(v, &d);
    if (n == 0 && !r->paused && d.paused)
        n = vane_unpause(v, r->domid);
    return n;
}

/* ---- both ---- */

/* A copy that was being made when its process died: the name says that it is one, and it never ran. */
static int destroy_half_made(struct vane *v, const struct migrate_record *r)
{
    struct vane_dom *list;
    char incoming[300];
    int n, rc = 0;

    vane_sweep(v);
    n = vane_dom_list(v, &list);
    snprintf(incoming, sizeof(incoming), "%s--incoming", r->name);
    for (int i = 0; i < n && rc == 0; i++) {
        if (list[i].paused && !list[i].dying && strcmp(list[i].name, incoming) == 0 &&
            memcmp(&list[i].uuid, &r->guest, sizeof(r->guest)) == 0)
            rc = vane_destroy(v, &list[i]);
    }
    if (n >= 0)
        free(list);
    return n < 0 ? n : rc;
}

int guest_destroy(struct vane *v, const struct migrate_record *r)
{
    struct vane_dom d;
    int n = find(v, r, &d);

    if (n < 0)
        return n;
    if (n) {
        int rc = vane_dom_name(v, &d);

        return rc < 0 ? rc : vane_destroy(v, &d);
    }
    return r->role == MIGRATE_TARGET && r->domid == VANE_DOMID_ANY ? destroy_half_made(v, r) : 0;
}
