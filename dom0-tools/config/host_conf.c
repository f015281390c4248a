/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_conf.c - xl.conf: what the host's administrator set for all guests
 *
 * Acted upon: vif.default.bridge, vif.default.script, vif.default.gatewaydev, vm.cpumask,
 * vm.pv.cpumask, max_grant_frames, max_maptrack_frames. The others are named in a warning when they
 * ask for something else than what happens here. A file that is not there sets nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxlutil.h>

#include "config_internal.h"

/* Keys whose other values would be ignored: what happens here, and in which words xl.conf(5) asks for it. */
static const struct { const char *key, *fine[3], *instead; } fixed[] = {
    { "autoballoon", { "auto", "off", "0" }, "Dom0's memory is never taken for a guest" },
    { "claim_mode", { "1" }, "memory is always claimed" },
    { "run_hotplug_scripts", { "1" }, "only script= runs scripts" },
    { "vif.default.backend", { "0", "Domain-0" }, "back ends run in Dom0" },
    { "output_format", { "json" }, "output is JSON" },
    { "domid_policy", { "xen" }, "the hypervisor chooses numbers" },
};

static int open_conf(struct vane *v, const char *path, struct cfg_parser *p)
{
    int rc = cfg_parser_open(v, path, p);

    if (rc == 0 && xlu_cfg_readfile(p->xlu, path) != 0)
        rc = cfg_parser_fail(p, "syntax error");
    return rc;
}

static int take(struct cfg_parser *p, const char *key, char **to)
{
    const char *s;

    if (*to || xlu_cfg_get_string(p->xlu, key, &s, 1) != 0 || !*s)
        return 0;
    *to = strdup(s);
    return *to ? 0 : vane_fail(p->v, -ENOMEM, NULL, "out of memory");
}

static int nic_defaults(struct cfg_parser *p, struct vane_nic *n)
{
    int rc = take(p, "vif.default.bridge", &n->bridge);

    if (rc == 0)
        rc = take(p, "vif.default.script", &n->script);
    if (rc == 0)
        rc = take(p, "vif.default.gatewaydev", &n->gatewaydev);
    return rc;
}

static int mask_cpus(struct cfg_parser *p, const char *key, struct vane_config *c)
{
    struct vane_cpus mask;
    const char *s;

    if (xlu_cfg_get_string(p->xlu, key, &s, 1) != 0)
        return 0;
    if (!vane_cpus_parse(s, &mask))
        return vane_fail(p->v, -EINVAL, "for example \"1-3\"", "%s: %s: %s is no list of CPUs", p->origin,
                         key, s);
    for (unsigned i = 0; i < VANE_MAX_VCPUS; i++) {
        bool any = false;

        for (size_t w = 0; w < ARRAY_SIZE(mask.map); w++) {
            c->hard[i].map[w] = c->hard[i].given ? c->hard[i].map[w] & mask.map[w] : mask.map[w];
            any = any || c->hard[i].map[w];
        }
        c->hard[i].given = true;
        if (!any)
            return vane_fail(p->v, -EINVAL, "change cpus=, or the host's mask",
                             "%s: %s leaves no CPU for vcpu %u", p->origin, key, i);
    }
    return 0;
}

static void warn_fixed(struct cfg_parser *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        const char *s;
        bool fine = false;

        if (xlu_cfg_get_string(p->xlu, fixed[i].key, &s, 1) != 0)
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(fixed[i].fine) && fixed[i].fine[k]; k++)
            fine = fine || strcmp(s, fixed[i].fine[k]) == 0;
        if (!fine)
            vane_log(p->v, VANE_WARN, "%s: %s = %s is not acted upon (%s)", p->origin, fixed[i].key, s,
                     fixed[i].instead);
    }
}

static void limit(struct cfg_parser *p, const char *key, long max, int *to)
{
    long n;

    if (*to < 0 && xlu_cfg_get_long(p->xlu, key, &n, 1) == 0 && n > 0 && n <= max)
        *to = (int)n;
}

int vane_host_conf_nic(struct vane *v, const char *path, struct vane_nic *n)
{
    struct cfg_parser p = {0};
    int rc;

    if (access(path, F_OK) < 0)
        return 0;
    rc = open_conf(v, path, &p);
    if (rc == 0)
        rc = nic_defaults(&p, n);
    cfg_parser_close(&p);
    return rc;
}

int vane_host_conf(struct vane *v, const char *path, struct vane_config *c)
{
    struct cfg_parser p = {0};
    int rc;

    if (access(path, F_OK) < 0)
        return 0;
    rc = open_conf(v, path, &p);
    if (rc == 0) {
        warn_fixed(&p);
        limit(&p, "max_grant_frames", 4096, &c->max_grant_frames);
        limit(&p, "max_maptrack_frames", 65536, &c->max_maptrack_frames);
        rc = mask_cpus(&p, "vm.cpumask", c);
    }
    if (rc == 0)
        rc = mask_cpus(&p, "vm.pv.cpumask", c);
    for (unsigned i = 0; i < c->n_nics && rc == 0; i++)
        rc = nic_defaults(&p, &c->nics[i]);
    cfg_parser_close(&p);
    return rc;
}
