/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disks.c - a suspended guest's disks (disks.h)
 *
 * The ring's two producers say how many requests were made and answered. The guest wrote one of them and named
 * the ring: if it lies it only keeps its own migration from happening.
 *
 * ABI: io/ring.h, the shared page begins with req_prod, req_event, rsp_prod, rsp_event; io/blkif.h, ring-ref or
 * (more pages than one) ring-ref0.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/create.h"          /* before Xen's headers, which make console_mfn a macro */

#include <xengnttab.h>

#include "../devices/device.h"
#include "../lib/store.h"
#include "disks.h"

#define DRAIN_MS 10000
#define MAX_QUEUES 64u

/* Until the back end has answered what is on this ring. */
static int drain_ring(struct vane *v, xengnttab_handle *gnt, const struct dev *d, uint64_t ref, int64_t end)
{
    const uint32_t *ring = xengnttab_map_grant_ref(gnt, d->domid, (uint32_t)ref, PROT_READ);
    int rc = 0;

    if (!ring)
        return vane_fail(v, -errno, NULL, "cannot see the ring of disk %u: %s", d->number, strerror(errno));
    while (__atomic_load_n(&ring[0], __ATOMIC_ACQUIRE) != __atomic_load_n(&ring[2], __ATOMIC_ACQUIRE) && rc == 0) {
        if (vane_now_ms() > end)
            rc = vane_fail(v, -ETIMEDOUT, "is its storage up?", "requests of disk %u do not come to an end", d->number);
        usleep(1000);
    }
    xengnttab_unmap(gnt, (void *)(uintptr_t)ring, 1);
    return rc;
}

static int drain(struct vane *v, xengnttab_handle *gnt, const struct dev *d)
{
    struct store_io *io = vane_store(v);
    int64_t end = vane_now_ms() + DRAIN_MS;
    uint64_t queues = 0, ref = 0;
    int rc = 0;

    if (store_get_vbd_fe_multi_queue_num_queues(io, d->domid, d->number, &queues) <= 0)
        queues = 0;
    for (uint32_t i = 0; i < queues && i < MAX_QUEUES && rc == 0; i++)
        if (store_get_vbd_fe_queue_ring_ref(io, d->domid, d->number, i, &ref) > 0 ||
            store_get_vbd_fe_queue_ring_ref_page(io, d->domid, d->number, i, 0, &ref) > 0)
            rc = drain_ring(v, gnt, d, ref, end);
    /* one queue; with neither key it is not connected, and nothing was asked of it */
    if (queues == 0 && (store_get_vbd_fe_ring_ref(io, d->domid, d->number, &ref) > 0 ||
                        store_get_vbd_fe_ring_ref_page(io, d->domid, d->number, 0, &ref) > 0))
        rc = drain_ring(v, gnt, d, ref, end);
    return rc;
}

int disks_release(struct vane *v, uint32_t domid)
{
    xengnttab_handle *gnt = NULL;
    struct dev *list;
    int n = dev_list(vane_store(v), domid, &list), rc = 0;

    if (n < 0)
        return n;
    for (int i = 0; i < n && rc == 0; i++) {
        if (strcmp(list[i].kind, "vbd") != 0)
            continue;
        if (!gnt && !(gnt = xengnttab_open(NULL, 0)))
            rc = vane_fail(v, -errno, "is the module xen-gntdev loaded?", "cannot map grants: %s", strerror(errno));
        if (rc == 0)
            rc = drain(v, gnt, &list[i]);
        if (rc == 0)
            rc = vbd_release(v, &list[i]);
    }
    if (gnt)
        xengnttab_close(gnt);
    free(list);
    return rc;
}

int disks_open_of(struct vane *v, uint32_t domid, const struct vane_config *cfg)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < cfg->n_disks; i++)
        rc = vbd_reopen(v, domid, &cfg->disks[i]);
    return rc;
}

int disks_open(struct vane *v, const struct vane_dom *d)
{
    struct vane_config *cfg;
    int rc = vane_config_recorded(v, d, &cfg);

    if (rc == 0)
        rc = disks_open_of(v, d->domid, cfg);
    vane_config_free(cfg);
    return rc;
}
