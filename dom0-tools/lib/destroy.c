/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * destroy.c - take a domain apart
 *
 *   I1  order: pause, devices, XenStore, domain. Each step may be repeated; the mark stays until the
 *       last one, so a killed destroy is finished by the next command.
 *   I2  nothing of it depends on the guest's agreement.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../devices/device.h"
#include "create.h"
#include "handle.h"
#include "journal.h"

/* Another domain is the same machine: its successor, or its copy in a migration within the host. */
static bool uuid_is_shared(struct vane *v, const struct vane_dom *d)
{
    struct vane_dom *list;
    int n = vane_dom_states(v, &list);
    bool shared = false;

    for (int i = 0; i < n; i++) {
        shared = shared || (list[i].domid != d->domid && !list[i].dying &&
                            memcmp(&list[i].uuid, &d->uuid, sizeof(d->uuid)) == 0);
    }
    if (n >= 0)
        free(list);
    return shared;
}

static int remove_nodes(struct vane *v, const struct vane_dom *d)
{
    struct store_io *io = vane_store(v);
    char uuid[VANE_UUID_LEN], path[STORE_PATH_MAX];

    vane_uuid_format(uuid, &d->uuid);
    store_path_vm(path, sizeof(path), uuid);
    if (!uuid_is_shared(v, d))
        store_xs_remove(io, path);
    store_path_libxl(path, sizeof(path), d->domid);
    store_xs_remove(io, path);
    store_path_dom(path, sizeof(path), d->domid);
    store_xs_remove(io, path);                  /* last: create.c looks there for what was left */
    return store_result(v, io);
}

int vane_destroy_marked(struct vane *v, const struct vane_dom *d)
{
    int rc;

    if (!vane_xc(v) || !vane_xs(v))
        return vane_last_error(v)->code;
    if (!d->dying)
        xc_domain_pause(v->xc, d->domid);       /* its crash or death meanwhile is fine */
    dev_remove_all(v, d->domid);
    rc = remove_nodes(v, d);
    if (rc < 0)
        return rc;
    if (xc_domain_destroy(v->xc, d->domid) < 0 && errno != ESRCH)
        return vane_fail(v, -errno, NULL, "the hypervisor does not destroy domain %u: %s", d->domid,
                         strerror(errno));
    vane_record_remove(vane_record_of(d));
    vane_userdata_remove(vane_record_of(d));
    return 0;
}

int vane_destroy(struct vane *v, const struct vane_dom *d)
{
    struct journal j;
    int rc;

    if (d->domid == 0)
        return vane_fail(v, -EINVAL, NULL, "Domain-0 cannot be destroyed");
    rc = journal_begin(v, &d->uuid, &j);
    if (rc < 0)
        return rc;
    journal_note(&j, d->domid);
    rc = vane_destroy_marked(v, d);
    if (rc == 0)
        journal_end(&j);
    return rc;                                  /* else the mark stays, unlocked at our exit */
}
