/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * current.c - a domain's configuration as it is now
 *
 * The record says what a domain was created with, and the devices and the name it has been given since. What either tool, ours or
 * xl, changes in XenStore or in the hypervisor alone is added here: an image, a copy on another host and a restart have it too.
 * All of it is Dom0's word: the guest can write none of these nodes.
 */
#include <errno.h>
#include <stdlib.h>

#include "create.h"
#include "handle.h"
#include "store.h"

static void add_memory(struct vane *v, uint32_t domid, struct vane_config *cfg)
{
    struct store_io *io = vane_store(v);
    uint64_t kb;

    if (store_get_dom_memory_target(io, domid, &kb) == 0)
        cfg->mem_kb = kb;
    if (store_get_dom_memory_static_max(io, domid, &kb) == 0)
        cfg->max_kb = kb;
    if (cfg->max_kb < cfg->mem_kb)
        cfg->max_kb = cfg->mem_kb;
}

/* What vcpu-set last asked for: always the first ones. */
static void add_vcpus(struct vane *v, uint32_t domid, struct vane_config *cfg)
{
    unsigned n = 0;

    for (unsigned i = 0; i < cfg->max_vcpus; i++) {
        enum store_avail is;

        n += store_get_dom_cpu_availability(vane_store(v), domid, i, &is) == 0 && is == STORE_AVAIL_ONLINE;
    }
    if (n > 0)
        cfg->vcpus = n;
}

static void add_share(struct vane *v, uint32_t domid, struct vane_config *cfg)
{
    struct xen_domctl_sched_credit2 s2;
    struct xen_domctl_sched_credit s1;
    int id;

    if (xc_sched_id(v->xc, &id) < 0)
        return;
    if (id == XEN_SCHEDULER_CREDIT2 && xc_sched_credit2_domain_get(v->xc, domid, &s2) == 0) {
        cfg->weight = s2.weight;
        cfg->cap = s2.cap;
    } else if (id == XEN_SCHEDULER_CREDIT && xc_sched_credit_domain_get(v->xc, domid, &s1) == 0) {
        cfg->weight = s1.weight;
        cfg->cap = s1.cap;
    } else {
        return;
    }
    cfg->has_weight = cfg->has_cap = true;
}

int vane_config_recorded(struct vane *v, const struct vane_dom *d, struct vane_config **out)
{
    size_t len = 0;
    char *text = vane_config_of(vane_record_of(d), &len);
    int rc;

    *out = NULL;
    if (!text)
        return vane_fail(v, -ENOENT, "vane config-update gives it one", "the configuration of domain %u is not known", d->domid);
    rc = vane_config_parse(v, "record", text, len, out);
    free(text);
    return rc;
}

int vane_config_now(struct vane *v, const struct vane_dom *d, struct vane_config **out)
{
    int rc = vane_config_recorded(v, d, out);

    if (rc < 0)
        return rc;
    if (!vane_config_rename(*out, d->name)) {       /* xl keeps what it was received under: NAME--incoming */
        vane_config_free(*out);
        *out = NULL;
        return vane_fail(v, -ENOMEM, NULL, "out of memory");
    }
    add_memory(v, d->domid, *out);
    add_vcpus(v, d->domid, *out);
    add_share(v, d->domid, *out);
    return 0;
}
