/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_list_long.c - list -l: JSON as libxl prints it, from the record of each domain and what the hypervisor knows */
#include <stdlib.h>

#include "../config/config.h"
#include "../lib/create.h"
#include "../lib/handle.h"
#include "../lib/store.h"
#include "cli.h"

/* What the hypervisor knows better than the record. */
static void add_sched_params(struct cli *c, const struct vane_dom *d, struct json_object *config)
{
    struct json_object *b = json_object_object_get(config, "b_info"), *s;
    struct xen_domctl_sched_credit2 params;

    if (!b || xc_sched_credit2_domain_get(c->v->xc, d->domid, &params) < 0)
        return;
    s = json_object_new_object();
    json_object_object_add(s, "sched", json_object_new_string("credit2"));
    json_object_object_add(s, "weight", json_object_new_int(params.weight));
    json_object_object_add(s, "cap", json_object_new_int(params.cap));
    json_object_object_add(b, "sched_params", s);
}

int cli_list_long(struct cli *c, const struct vane_dom *d, int n)
{
    struct json_object *list = json_object_new_array();

    for (int i = 0; i < n; i++) {
        struct json_object *o = json_object_new_object();
        struct vane_config *cfg;
        char uuid[VANE_UUID_LEN], *json = NULL;

        vane_uuid_format(uuid, &d[i].uuid);
        if (vane_config_now(c->v, &d[i], &cfg) == 0)
            json = vane_config_json(cfg, uuid);
        json_object_object_add(o, "domid", json_object_new_int((int)d[i].domid));
        if (json) {
            json_object_object_add(o, "config", json_tokener_parse(json));
        } else {                        /* not created by us: what the hypervisor knows */
            struct json_object *cf = json_object_new_object(), *ci = json_object_new_object(),
                               *b = json_object_new_object();

            json_object_object_add(ci, "type", json_object_new_string("pv"));
            json_object_object_add(ci, "name", json_object_new_string(d[i].name));
            json_object_object_add(ci, "uuid", json_object_new_string(uuid));
            json_object_object_add(b, "max_memkb", json_object_new_uint64(d[i].max_kb));
            json_object_object_add(b, "target_memkb", json_object_new_uint64(d[i].mem_kb));
            json_object_object_add(cf, "c_info", ci);
            json_object_object_add(cf, "b_info", b);
            json_object_object_add(o, "config", cf);
        }
        add_sched_params(c, &d[i], json_object_object_get(o, "config"));
        json_object_array_add(list, o);
        free(json);
        vane_config_free(cfg);
    }
    return cli_json(list);
}
