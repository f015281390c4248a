/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dom.c - which domains there are
 *
 * The hypervisor knows ids, sizes and states; names are XenStore's. The node /local/domain/N/name is
 * written by Dom0 only (H111: nothing here reads what a guest can write).
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>
#include <xen/sched.h>

#include "create.h"
#include "handle.h"
#include "names.h"
#include "store.h"

#define LIST_STEP 128

static void fill(const xc_domaininfo_t *i, struct vane_dom *d)
{
    memset(d, 0, sizeof(*d));
    d->domid = i->domain;
    memcpy(d->uuid.b, i->handle, sizeof(d->uuid.b));
    d->mem_kb = i->tot_pages * 4;
    d->outstanding_kb = i->outstanding_pages * 4;
    d->max_kb = i->max_pages == UINT64_MAX ? UINT64_MAX : i->max_pages * 4;
    d->cpu_ns = i->cpu_time;
    d->shared_info_mfn = i->shared_info_frame;
    d->vcpus_online = i->nr_online_vcpus;
    d->vcpu_max_id = i->max_vcpu_id;
    d->cpupool = i->cpupool;
    d->dying = i->flags & XEN_DOMINF_dying;
    d->shutdown = i->flags & XEN_DOMINF_shutdown;
    d->paused = i->flags & XEN_DOMINF_paused;
    d->blocked = i->flags & XEN_DOMINF_blocked;
    d->running = i->flags & XEN_DOMINF_running;
    d->shutdown_reason = d->shutdown
        ? (int)((i->flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask) : -1;
}

int vane_dom_name(struct vane *v, struct vane_dom *d)
{
    int rc = store_get_dom_name(vane_store(v), d->domid, d->name, sizeof(d->name));

    if (rc >= 0)
        return 0;
    snprintf(d->name, sizeof(d->name), "(null)");
    return store_lost(v, rc);
}

int vane_dom_states(struct vane *v, struct vane_dom **out)
{
    xc_domaininfo_t info[LIST_STEP];
    struct vane_dom *list = NULL;
    int total = 0;
    uint32_t first = 0;

    *out = NULL;
    if (!vane_xc(v) || !vane_xs(v))
        return vane_last_error(v)->code;
    for (;;) {
        int n = xc_domain_getinfolist(v->xc, first, LIST_STEP, info);
        struct vane_dom *more;

        if (n < 0) {
            free(list);
            return vane_fail(v, -errno, NULL, "cannot list domains: %s", strerror(errno));
        }
        if (n == 0)
            break;
        more = realloc(list, ((size_t)total + (size_t)n) * sizeof(*list));
        if (!more) {
            free(list);
            return vane_fail(v, -ENOMEM, NULL, "cannot list domains: out of memory");
        }
        list = more;
        for (int i = 0; i < n; i++)
            fill(&info[i], &list[total++]);
        first = info[n - 1].domain + 1u;
        if (n < LIST_STEP)
            break;
    }
    *out = list;
    return total;
}

int vane_dom_list(struct vane *v, struct vane_dom **out)
{
    int n = vane_dom_states(v, out);

    for (int i = 0; i < n; i++) {
        int rc = vane_dom_name(v, &(*out)[i]);

        if (rc < 0) {
            free(*out);
            *out = NULL;
            return rc;
        }
    }
    return n;
}

int vane_dom_state(struct vane *v, uint32_t domid, struct vane_dom *out)
{
    xc_domaininfo_t info;

    if (!vane_xc(v))
        return vane_last_error(v)->code;
    if (xc_domain_getinfolist(v->xc, domid, 1, &info) != 1 || info.domain != domid)
        return vane_fail(v, -ESRCH, "`vane list` shows the domains there are", "no domain %u", domid);
    fill(&info, out);
    return 0;
}

int vane_dom_get(struct vane *v, uint32_t domid, struct vane_dom *out)
{
    int rc = vane_dom_state(v, domid, out);

    return rc ? rc : vane_dom_name(v, out);
}

int vane_dom_find(struct vane *v, const char *who, struct vane_dom *out)
{
    struct vane_dom *list;
    int n = vane_dom_list(v, &list), found = -1;
    char *end;
    unsigned long id = strtoul(who, &end, 10);
    bool number = isdigit((unsigned char)who[0]) && *end == '\0';

    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        if (strcmp(list[i].name, who) == 0 && (found < 0 || list[found].dying))
            found = i;
    }
    for (int i = 0; found < 0 && number && i < n; i++) {
        if (list[i].domid == id)
            found = i;
    }
    if (found >= 0)
        *out = list[found];
    free(list);
    if (found < 0)
        return vane_fail(v, -ESRCH, "`vane list` shows the domains there are",
                         "%s is an invalid domain identifier", who);
    return 0;
}

int vane_name_is_free(struct vane *v, struct store_io *io, const char *name, uint32_t self,
                      uint32_t other, bool *has_home)
{
    char path[STORE_PATH_MAX], taken[256];
    unsigned n;
    char **doms;
    int rc = 0;

    store_path_doms(path, sizeof(path));
    doms = store_xs_list(io, path, &n);
    *has_home = false;
    names_only(v, io, doms, n);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        uint32_t id = (uint32_t)strtoul(doms[i], NULL, 10);

        if (id == self) {
            *has_home = true;
            continue;
        }
        if (id == other)
            continue;
        names_get(v, io, id, taken);
        if (strcmp(taken, name) == 0)
            rc = vane_fail(v, -EEXIST, "choose another name, or destroy that one first",
                           "domain %s exists already, with id %u", name, id);
    }
    free(doms);
    return rc;
}

const char *vane_shutdown_name(int reason)
{
    static const char *const names[] = {
        [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",
        [SHUTDOWN_suspend] = "suspend",   [SHUTDOWN_crash] = "crash",
        [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft_reset",
    };

    return reason >= 0 && (size_t)reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}
