/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xl.c - xl's protocol at the target (xl.h)
 *
 * No record, no second chance: who loses the link between GO and the report has to look at both hosts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "link.h"
#include "xl.h"

#define SAY_MS 10000
#define GO_MS 600000
#define NAME_TRIES 100                  /* of 100 ms: the sender's copy keeps the name on one host */

/* The promise not to run: the sender may go on. */
static int refuse(struct vane *v, int to, const struct migrate_record *r)
{
    struct vane_error first = *vane_last_error(v);
    char status = 1;

    if (guest_destroy(v, r) < 0)
        vane_log(v, VANE_ERROR, "%s", vane_last_error(v)->what);
    else if (bytes_write(to, SAY_MS, xl_report, sizeof(xl_report)) < 0 || bytes_write(to, SAY_MS, &status, 1) < 0 ||
             bytes_write(to, SAY_MS, xl_go, sizeof(xl_go)) < 0)
        vane_log(v, VANE_ERROR, "the sender does not listen: it does not know that the domain is not here");
    return vane_fail(v, first.code, first.hint, "%s", first.what);
}

/* The copy is complete: what the sender says becomes of it. */
static int take_over(struct vane *v, int from, int to, const struct migrate_record *r, const struct vane_config *cfg,
                     struct guest_hold *hold)
{
    char said[sizeof(xl_go)], status = 0;
    int rc = bytes_write(to, SAY_MS, xl_ready, sizeof(xl_ready));

    if (rc == 0)
        rc = bytes_read(from, GO_MS, said, sizeof(said));
    if (rc == 0 && memcmp(said, xl_go, sizeof(said)) != 0)
        rc = -EPROTO;
    if (rc < 0) {                                   /* no GO: it must never run here */
        if (guest_destroy(v, r) < 0)
            vane_log(v, VANE_ERROR, "%s", vane_last_error(v)->what);
        return vane_fail(v, rc, NULL, "the sender went away before it gave up its copy");
    }
    if (guest_start(v, r, cfg) < 0)
        return refuse(v, to, r);
    guest_arrived(hold);
    rc = bytes_write(to, SAY_MS, xl_report, sizeof(xl_report));
    if (rc == 0)
        rc = bytes_write(to, SAY_MS, &status, 1);
    for (int i = 0; i < NAME_TRIES && guest_rename(v, r) < 0; i++)
        usleep(100000);
    return rc < 0 ? vane_fail(v, rc, "look at the sender: its copy must not run", "the sender does not listen") : 0;
}

int xl_receive(struct vane *v, int from, int to, struct stream_in *in, struct vane_config *cfg, bool paused)
{
    struct migrate_record r = { .role = MIGRATE_TARGET, .guest = cfg->uuid, .domid = VANE_DOMID_ANY,
                                .paused = paused };
    struct guest_hold *hold = NULL;
    int rc;

    snprintf(r.name, sizeof(r.name), "%.200s", cfg->name);
    snprintf(r.boot, sizeof(r.boot), "%s", migrate_boot_id());
    rc = guest_receive(v, in, cfg, &r, &hold);
    guest_keep(rc == 0 ? hold : NULL);
    if (rc == 0)
        rc = take_over(v, from, to, &r, cfg, hold);
    guest_hold_end(hold);
    return rc;
}
